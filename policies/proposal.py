"""All that a model may say: a value of a finite type. It holds no amount, id, address, link or policy text.

A proposal picks, for each request, one of the candidates that code enumerated from the verified requester's own
charges, items and subscriptions. What a candidate costs and whom it concerns stays on our side of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from policies.money import Money
from policies.vocabulary import ActionKind, Intent


class Missing(StrEnum):
    """What one would have to ask the customer."""

    WHICH_CHARGE = "which_charge"
    ORDER_NUMBER = "order_number"
    PHOTO = "photo"
    WHICH_ITEM = "which_item"
    WHICH_SUBSCRIPTION = "which_subscription"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that could be done, enumerated by code. Ids and amounts are facts, never a model's words.

    `item_key` is the order line, or `whole`; with the charge it names what is refunded (the business key).
    """

    kind: ActionKind
    intent: Intent
    charge_id: str | None = None
    item_key: str = "whole"
    amount: Money | None = None
    subscription_id: str | None = None
    timing: str | None = None
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What is said about one request: an index into the candidates that code enumerated, or nothing; and a hint."""

    intent: Intent
    candidate: int | None = None
    needs_human: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """One choice for each request, in the order of the ticket. Where code had nothing to ask, its choice is empty."""

    choices: tuple[Choice, ...]
