"""What a caller asks the settlement to do, and what it may be told.

The business key says what makes two requests the same. A refund is named by charge, item and ordinal: neither the
reason nor the ticket is in it, so the same complaint in a second ticket is the same refund.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from graph.breakers.trips import Watched
from graph.settlement.errors import WrongRequest
from graph.settlement.models import EffectKind, EffectState
from policies.decision import Limit
from policies.money import Money


@dataclass(frozen=True, slots=True)
class ChargeFacts:
    """What Stripe says about a charge. `read_at` is when the reading began; `refunded_minor` counts pending refunds."""

    charge_id: str
    customer_id: str | None
    currency: str
    captured_minor: int
    refunded_minor: int
    read_at: datetime
    is_disputed: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.refunded_minor <= self.captured_minor:
            raise WrongRequest(
                f"charge {self.charge_id!r}: {self.refunded_minor} of {self.captured_minor} refunded; read it again",
            )


@dataclass(frozen=True, slots=True)
class EffectRequest:
    """One change outside that a run wants.

    Args:
        body: makes the request's body from the effect's id; the answer is stored and replayed byte for byte. The id
            must be in it (`metadata.intent_id`, the marker), so that the effect can be found again.
        is_personal: the body holds personal text, so it is stored sealed for `subject_id`.
        item_key: for a refund the order line or `whole`; for a ticket update the step it belongs to, such as `answer`.
        ordinal: 0, or the number of a further refund of the same item, which a person must have asked for.
        limits: caps that this refund draws on; other effects move no money and draw on none.
        hold_s: seconds to wait before it is sent, in which it can be stopped.
        ticket_stamp: the ticket's version that it was decided on; a later one stops it before it is sent.
        watched: what it is part of, for breakers; None for what no breaker stops.
        before: what the ticket had where the update changes it, so that a person can undo it.
        undoes: the effect that this one puts back.
    """

    tenant_id: str
    run_id: str
    ticket_id: str
    cycle: int
    kind: EffectKind
    tool: str
    actor: str
    body: Callable[[str], str]
    item_key: str = "whole"
    ordinal: int = 0
    charge: ChargeFacts | None = None
    amount: Money | None = None
    customer_id: str | None = None
    subscription_id: str | None = None
    payment_id: str | None = None
    subject_id: str | None = None
    is_personal: bool = False
    approval_id: str | None = None
    policy_hash: str | None = None
    decision_digest: str | None = None
    credential: str | None = None
    limits: tuple[Limit, ...] = ()
    hold_s: int = 0
    ticket_stamp: str | None = None
    watched: Watched | None = None
    before: Mapping[str, object] | None = None
    undoes: str | None = None

    def __post_init__(self) -> None:
        if self.is_personal and self.subject_id is None:
            raise WrongRequest(f"{self.kind.value} for ticket {self.ticket_id!r} is personal but names no subject")
        if (self.kind is EffectKind.REFUND) is not (self.charge is not None and self.amount is not None):
            raise WrongRequest(f"{self.kind.value} for ticket {self.ticket_id!r}: a refund, and only it, has money")
        if self.charge is not None and self.amount is not None and self.amount.currency != self.charge.currency:
            raise WrongRequest(f"cannot refund {self.amount} on charge {self.charge.charge_id!r}: use its currency")


def business_key(request: EffectRequest) -> str:
    """What makes two requests the same effect, in one spelling.

    Raises:
        WrongRequest: a part that the key needs is missing.
    """
    match request.kind:
        case EffectKind.REFUND:
            assert request.charge is not None
            parts = [request.charge.charge_id, request.item_key, str(request.ordinal)]
        case EffectKind.CANCEL_SUBSCRIPTION:
            parts = [_needed(request.subscription_id, "subscription_id"), str(request.ordinal)]
        case EffectKind.CANCEL_PAYMENT:
            parts = [_needed(request.payment_id, "payment_id")]
        case EffectKind.ZENDESK_UPDATE:
            parts = [request.ticket_id, request.run_id, str(request.cycle), request.item_key]
        case _:
            assert_never(request.kind)
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in (request.kind.value, *parts))


def _needed(part: str | None, name: str) -> str:
    if part is None:
        raise WrongRequest(f"the request names no {name}: without it the effect cannot be told from another")
    return part


@dataclass(frozen=True, slots=True)
class Reserved:
    """The effect is intended and its money set aside; it may be sent from `due_at` on."""

    effect_id: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class AlreadyIntended:
    """The same effect exists. Nothing was changed."""

    effect_id: str
    state: EffectState


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No room is left: `limit_id` names the limit, or is `charge`."""

    limit_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    """A kill switch stops the tool."""

    tool: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tripped:
    """A breaker has tripped: nothing of what it covers is done without a person. `why` is for people."""

    breaker_id: str
    why: str


ReserveAnswer = Reserved | AlreadyIntended | Exhausted | SwitchedOff | Tripped
