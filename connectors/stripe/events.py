"""Stripe's events in our words: what happened, to which object, and what it was before.

Promises that an event type we do not use parses to `EventKind.OTHER` with no object, so that new types never break the
intake. It refuses to trust the order of events: they arrive unordered and more than once, so `event_id` and the
object's own state decide, never the sequence (https://docs.stripe.com/webhooks#event-ordering).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from connectors.stripe import fields, wire
from connectors.stripe.fields import Json

EventObject = (
    wire.RefundView | wire.ChargeView | wire.DisputeView | wire.EarlyFraudWarningView | wire.SubscriptionView | None
)


class EventKind(StrEnum):
    """The events we listen to. https://docs.stripe.com/api/events/types ."""

    REFUND_CREATED = "refund.created"
    REFUND_UPDATED = "refund.updated"
    REFUND_FAILED = "refund.failed"
    CHARGE_REFUNDED = "charge.refunded"
    DISPUTE_CREATED = "charge.dispute.created"
    DISPUTE_UPDATED = "charge.dispute.updated"
    DISPUTE_CLOSED = "charge.dispute.closed"
    DISPUTE_FUNDS_WITHDRAWN = "charge.dispute.funds_withdrawn"
    DISPUTE_FUNDS_REINSTATED = "charge.dispute.funds_reinstated"
    EARLY_FRAUD_WARNING_CREATED = "radar.early_fraud_warning.created"
    SUBSCRIPTION_UPDATED = "customer.subscription.updated"
    SUBSCRIPTION_DELETED = "customer.subscription.deleted"
    OTHER = "other"


_PARSERS: Final[Mapping[str, Callable[[Json], EventObject]]] = {
    "refund": wire.refund,
    "charge": wire.charge,
    "dispute": wire.dispute,
    "radar.early_fraud_warning": wire.early_fraud_warning,
    "subscription": wire.subscription,
}


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """https://docs.stripe.com/api/events/object .

    `type` is Stripe's word, also for `OTHER`. `subject` is the object as it was when the event was made. `previous`
    holds the former values of what changed, as Stripe spells them. `account` names a connected account.
    """

    event_id: str
    type: str
    kind: EventKind
    created_at: datetime
    api_version: str | None
    is_live: bool
    account: str | None
    request_id: str | None
    idempotency_key: str | None
    subject: EventObject
    previous: Json


def parse(source: Json) -> StripeEvent:
    """An event from its JSON.

    Raises:
        WireError: the envelope, or the object of a type we use, cannot be read; often a webhook endpoint of another
            API version than `transport.API_VERSION`.
    """
    kind_text = fields.text(source, "type")
    kind = EventKind(kind_text) if kind_text in set(EventKind) - {EventKind.OTHER} else EventKind.OTHER
    data = fields.mapping(source, "data")
    request = fields.maybe_mapping(source, "request")
    return StripeEvent(
        event_id=fields.text(source, "id"),
        type=kind_text,
        kind=kind,
        created_at=fields.moment(source, "created"),
        api_version=fields.maybe_text(source, "api_version"),
        is_live=fields.truth(source, "livemode"),
        account=fields.maybe_text(source, "account"),
        request_id=fields.maybe_text(request, "id"),
        idempotency_key=fields.maybe_text(request, "idempotency_key"),
        subject=None if kind is EventKind.OTHER else _subject(fields.mapping(data, "object")),
        previous=fields.maybe_mapping(data, "previous_attributes"),
    )


def _subject(source: Json) -> EventObject:
    parser = _PARSERS.get(fields.text(source, "object"))
    return None if parser is None else parser(source)
