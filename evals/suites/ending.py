"""How a scenario ended: what the doubles hold, what the runs say, what was said, and what it took. Plain values.

The judge of money is the ledger of Stripe's double, because a program that counts its own refunds repeats its own
mistakes.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Refunded(_Value):
    """A refund in the ledger of Stripe's double that holds money. `charge` is the world's key, else Stripe's id."""

    charge: str
    amount_minor: int
    currency: str
    by: Literal["agent", "person"]


class TicketEnd(_Value):
    """One ticket: how its newest run stands, and how it looks in Zendesk's double."""

    outcome: str | None
    reason: str | None
    intents: tuple[str, ...]
    actions: tuple[dict[str, str | int | None], ...]
    status: str
    tags: tuple[str, ...]
    replies: tuple[str, ...]
    notes: tuple[str, ...]


class Use(_Value):
    """What all runs of a scenario took together."""

    runs: int
    tool_calls: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int
    worked_ms: int
    business_s: int
    wall_ms: int


class Replay(_Value):
    """A run of the trial decided again from its records: in how many cycles, and what came out otherwise."""

    run: str
    cycles: int = 0
    differences: tuple[str, ...] = ()


class Ending(_Value):
    """The end of one trial of a scenario.

    Args:
        refunds: what was refunded since the tickets arrived.
        cancelled_subscriptions: keys of those that end, now or with their period, and did not before.
        cancelled_payments: keys of charges whose authorisation was released.
        effects: how many changes outside the log tells of.
        unanswered: those of them, and our refunds at Stripe, for which the log lacks who, with what, or which policy.
        unfinished: whether something still moved when the runner gave up.
        troubles: what went wrong in the runner or could not be played, in words.
        transcript: what happened, a line each.
        conversation: what customer and shop said in public about the first ticket, oldest first.
        asked: models that were asked, each as its role, name and hash of its prompt.
        customer_cost_usd_micros: what a model that played the customer cost.
    """

    tickets: tuple[TicketEnd, ...]
    refunds: tuple[Refunded, ...]
    cancelled_subscriptions: tuple[str, ...]
    cancelled_payments: tuple[str, ...]
    use: Use
    policy_hash: str
    log_holds: bool
    effects: int = 0
    unanswered: tuple[str, ...] = ()
    replayed: tuple[Replay, ...] = ()
    unfinished: bool = False
    troubles: tuple[str, ...] = ()
    transcript: tuple[str, ...] = ()
    conversation: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    customer_cost_usd_micros: int = 0
