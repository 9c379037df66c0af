"""The inbox: an event is stored before it is acknowledged, once, however often it is delivered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from connectors.stripe.events import EventKind as StripeKind
from connectors.stripe.events import StripeEvent
from connectors.stripe.wire import DisputeView, EarlyFraudWarningView, RefundView
from connectors.zendesk.events import OtherEvent, TicketEvent
from graph.audit.log import NewEvent, append_all
from graph.intake.models import Disposition

_WARNINGS = frozenset({StripeKind.DISPUTE_CREATED, StripeKind.EARLY_FRAUD_WARNING_CREATED})
"""Events about a charge that stop what is held on it."""


class Received(StrEnum):
    """What the sender is told in the body; any of them is an acknowledgement."""

    STORED = "stored"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event as it arrived, without personal data: the worker reads the ticket anew.

    `event_id` is what repeated deliveries share.
    """

    source: str
    event_id: str
    kind: str
    ticket_id: str | None = None
    object_id: str | None = None
    occurred_at: datetime | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    disposition: Disposition = Disposition.PENDING
    reason: str | None = None


def zendesk_arrival(event: TicketEvent | OtherEvent) -> Arrival:
    """A Zendesk event for the inbox. What is not about a ticket is stored with its reason, not dropped."""
    if isinstance(event, OtherEvent):
        return Arrival(
            source="zendesk",
            event_id=event.event_id,
            kind=event.type,
            occurred_at=event.occurred_at,
            disposition=Disposition.IGNORED,
            reason="not_about_a_ticket",
        )
    comment = event.comment
    return Arrival(
        source="zendesk",
        event_id=event.event_id,
        kind=event.kind.value,
        ticket_id=str(event.ticket_id),
        occurred_at=event.occurred_at,
        details={
            "type": event.type,
            "actor_id": event.actor_id,
            "status": event.status,
            "comment_id": comment.comment_id if comment else None,
            "author_id": comment.author_id if comment else None,
            "is_staff": comment.is_staff if comment else None,
            "is_public": comment.is_public if comment else None,
        },
    )


def stripe_arrival(event: StripeEvent) -> Arrival:
    """A Stripe event for the inbox. What moves or stops money is worked on, the rest recorded: facts are read anew."""
    subject = event.subject
    object_id: str | None = None
    if isinstance(subject, RefundView):
        object_id = subject.refund_id
    elif isinstance(subject, DisputeView | EarlyFraudWarningView) and event.kind in _WARNINGS:
        object_id = subject.charge_id
    is_worked_on = object_id is not None
    return Arrival(
        source="stripe",
        event_id=event.event_id,
        kind=event.type,
        object_id=object_id,
        occurred_at=event.created_at,
        details={"is_live": event.is_live, "known": event.kind is not StripeKind.OTHER},
        disposition=Disposition.PENDING if is_worked_on else Disposition.IGNORED,
        reason=None if is_worked_on else "read_when_needed",
    )


async def receive(
    session: AsyncSession, tenant_id: str, arrival: Arrival, *, now: datetime, new_id: Callable[[str], str]
) -> Received:
    """Store an event in the session's transaction; a repeated one only counts its delivery.

    One that arrives parked is told to the log, which must be the last that the transaction writes.
    """
    values = {
        "tenant_id": tenant_id,
        "source": arrival.source,
        "event_id": arrival.event_id,
        "kind": arrival.kind,
        "ticket_id": arrival.ticket_id,
        "object_id": arrival.object_id,
        "received_at": now,
        "occurred_at": arrival.occurred_at,
        "details": json.dumps(dict(arrival.details)),
        "disposition": arrival.disposition.value,
        "reason": arrival.reason,
    }
    deliveries: int = (await session.execute(_STORE, values)).scalar_one()
    if deliveries > 1:
        return Received.DUPLICATE
    if arrival.disposition is Disposition.PARKED:
        reason = arrival.reason or "unreadable"
        event = parked_event(arrival.source, arrival.event_id, arrival.kind, reason, now=now, new_id=new_id)
        await append_all(session, tenant_id, [event])
    return Received.STORED


def parked_event(
    source: str,
    event_id: str,
    kind: str,
    reason: str,
    *,
    now: datetime,
    new_id: Callable[[str], str],
    ticket_id: str | None = None,
) -> NewEvent:
    """What the log says about an event that is left to a person."""
    body = {"source": source, "event": event_id, "event_kind": kind, "reason": reason}
    return NewEvent(event_id=new_id("evt"), at=now, kind="event.parked", actor="intake", ticket_id=ticket_id, body=body)


_STORE = text(
    """
    INSERT INTO inbox_event (tenant_id, source, event_id, kind, ticket_id, object_id, received_at, occurred_at, details,
                             disposition, reason, deliveries, attempts)
    VALUES (:tenant_id, :source, :event_id, :kind, :ticket_id, :object_id, :received_at, :occurred_at,
            CAST(:details AS jsonb), :disposition, :reason, 1, 0)
    ON CONFLICT (tenant_id, source, event_id) DO UPDATE SET deliveries = inbox_event.deliveries + 1
    RETURNING deliveries
    """,
)
_KNOCK = text(
    """
    INSERT INTO security_event (tenant_id, minute, kind, source_address, count)
    VALUES (:tenant_id, :minute, :kind, :source_address, 1)
    ON CONFLICT (tenant_id, minute, kind, source_address) DO UPDATE SET count = security_event.count + 1
    RETURNING count
    """,
)


async def refused_knock(
    session: AsyncSession, tenant_id: str, *, kind: str, source_address: str, now: datetime
) -> bool:
    """Count a webhook that was refused; true for the first of its kind in this minute, which is worth an event.

    A flood of forgeries so stays one row a minute, and one event.
    """
    values = {
        "tenant_id": tenant_id,
        "minute": now.replace(second=0, microsecond=0),
        "kind": kind,
        "source_address": source_address,
    }
    count: int = (await session.execute(_KNOCK, values)).scalar_one()
    return count == 1
