"""What a reply can say: a closed list of paragraphs, each with the slots it needs and their types.

A slot is filled by code from a fact, never by a model or from the customer's words; a missing slot, an extra one or one
of the wrong type is an error. Paragraphs that tell of moved money say what a settlement did and are to be rendered with
its figures; no template promises money. Around the paragraphs stand one opening and at most one closing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from policies.money import Money

SlotValue = Money | date | str | tuple[str, ...]
Slots = dict[str, SlotValue]


class Template(StrEnum):
    """Paragraphs by name; the texts lie in `texts/`, one file a language."""

    REFUND_DONE = "refund_done"
    REFUND_DONE_DUPLICATE = "refund_done_duplicate"
    REFUND_DONE_PARTIAL = "refund_done_partial"
    REFUND_DONE_PRICE = "refund_done_price"
    REFUND_PENDING = "refund_pending"
    REFUND_FAILED = "refund_failed"
    PAYMENT_CANCELLED = "payment_cancelled"
    SUBSCRIPTION_CANCELLED_NOW = "subscription_cancelled_now"
    SUBSCRIPTION_CANCELLED_PERIOD_END = "subscription_cancelled_period_end"
    ASK_ORDER_NUMBER = "ask_order_number"
    ASK_WHICH_ORDER = "ask_which_order"
    ASK_WHICH_ITEM = "ask_which_item"
    ASK_WHICH_SUBSCRIPTION = "ask_which_subscription"
    ASK_PHOTO = "ask_photo"
    ASK_GENERIC = "ask_generic"
    DENIED = "denied"
    ANSWER_POLICY = "answer_policy"
    ORDER_DELIVERED = "order_delivered"
    ORDER_SHIPPED = "order_shipped"
    ORDER_SHIPPED_PROMISED = "order_shipped_promised"
    ORDER_NOT_SHIPPED = "order_not_shipped"
    REFUND_STATUS_SUCCEEDED = "refund_status_succeeded"
    REFUND_STATUS_PENDING = "refund_status_pending"
    REFUND_STATUS_FAILED = "refund_status_failed"
    NO_REFUND_FOUND = "no_refund_found"
    RETURN_INSTRUCTIONS = "return_instructions"
    RECEIVED_BY_TEAM = "received_by_team"


class Opening(StrEnum):
    """How a reply begins, after the greeting. At most one of them is an apology, and no paragraph apologises again."""

    THANKS = "opening_thanks"
    ASKS = "opening_asks"
    SEVERAL = "opening_several"
    TOLD = "opening_told"
    SORRY_PAYMENT = "opening_sorry_payment"
    SORRY_WAITING = "opening_sorry_waiting"
    SORRY_ITEM = "opening_sorry_item"
    SORRY_TROUBLE = "opening_sorry_trouble"


class Closing(StrEnum):
    """How a reply ends, before it is signed."""

    REFUNDED = "closing_refunded"
    DENIED = "closing_denied"


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot's type, and whether an empty string leaves its part of the sentence out."""

    kind: type[Money | date | str | tuple[str, ...]]
    may_be_empty: bool = False


_MONEY: Final = Slot(Money)
_DATE: Final = Slot(date)
_TEXT: Final = Slot(str)
_OPTIONAL: Final = Slot(str, may_be_empty=True)
_REFUND: Final = {"amount": _MONEY, "paid_on": _DATE, "card": _OPTIONAL, "order": _OPTIONAL}
_REFUND_STATUS: Final = {"amount": _MONEY, "made_on": _DATE}
_SHIPPED: Final = {"order": _TEXT, "shipped_on": _DATE, "carrier": _OPTIONAL}

SLOTS: Final[dict[Template, dict[str, Slot]]] = {
    Template.REFUND_DONE: _REFUND,
    Template.REFUND_DONE_DUPLICATE: _REFUND,
    Template.REFUND_DONE_PARTIAL: {**_REFUND, "whole": _MONEY, "item": _OPTIONAL},
    Template.REFUND_DONE_PRICE: {**_REFUND, "item": _OPTIONAL},
    Template.REFUND_PENDING: _REFUND,
    Template.REFUND_FAILED: _REFUND,
    Template.PAYMENT_CANCELLED: {"amount": _MONEY},
    Template.SUBSCRIPTION_CANCELLED_NOW: {},
    Template.SUBSCRIPTION_CANCELLED_PERIOD_END: {"ends_on": _DATE},
    Template.ASK_ORDER_NUMBER: {},
    Template.ASK_WHICH_ORDER: {},
    Template.ASK_WHICH_ITEM: {},
    Template.ASK_WHICH_SUBSCRIPTION: {},
    Template.ASK_PHOTO: {},
    Template.ASK_GENERIC: {"missing": Slot(tuple)},
    Template.DENIED: {"heading": _OPTIONAL},
    Template.ANSWER_POLICY: {"heading": _TEXT, "quote": _TEXT},
    Template.ORDER_DELIVERED: {"order": _TEXT, "delivered_on": _DATE},
    Template.ORDER_SHIPPED: _SHIPPED,
    Template.ORDER_SHIPPED_PROMISED: {**_SHIPPED, "promised_by": _DATE},
    Template.ORDER_NOT_SHIPPED: {"order": _TEXT},
    Template.REFUND_STATUS_SUCCEEDED: _REFUND_STATUS,
    Template.REFUND_STATUS_PENDING: _REFUND_STATUS,
    Template.REFUND_STATUS_FAILED: _REFUND_STATUS,
    Template.NO_REFUND_FOUND: {},
    Template.RETURN_INSTRUCTIONS: {"order": _TEXT, "return_by": _DATE, "address": _TEXT},
    Template.RECEIVED_BY_TEAM: {},
}

MOVES_MONEY: Final = frozenset(
    {
        Template.REFUND_DONE,
        Template.REFUND_DONE_DUPLICATE,
        Template.REFUND_DONE_PARTIAL,
        Template.REFUND_DONE_PRICE,
        Template.REFUND_PENDING,
        Template.REFUND_FAILED,
        Template.PAYMENT_CANCELLED,
    },
)
"""Paragraphs that may be said only about money that a verdict releases."""
