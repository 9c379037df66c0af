"""The inbox: an event is stored before it is acknowledged, once, however often it is delivered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
    """Store one event in the session's transaction. See `receive_all`."""
    (received,) = await receive_all(session, tenant_id, [arrival], now=now, new_id=new_id)
    return received


async def receive_all(
    session: AsyncSession, tenant_id: str, arrivals: Sequence[Arrival], *, now: datetime, new_id: Callable[[str], str]
) -> list[Received]:
    """Store events in the session's transaction, with one insert; a repeated one only counts its delivery.

    Those that arrive parked are told to the log, which must be the last that the transaction writes.
    """
    copies = Counter((one.source, one.event_id) for one in arrivals)
    # In one order in every process, so that two that store the same events wait for each other and never crosswise.
    first = {(one.source, one.event_id): one for one in reversed(arrivals)}
    rows = [_row(first[key], copies[key]) for key in sorted(first)]
    values = {"tenant_id": tenant_id, "received_at": now, "rows": json.dumps(rows)}
    stored = (await session.execute(_STORE, values)).all()
    new = {(row.source, row.event_id) for row in stored if row.deliveries == copies[row.source, row.event_id]}
    parked = [first[key] for key in sorted(new) if first[key].disposition is Disposition.PARKED]
    told = [
        parked_event(one.source, one.event_id, one.kind, one.reason or "unreadable", now=now, new_id=new_id)
        for one in parked
    ]
    await append_all(session, tenant_id, told)
    received: list[Received] = []
    for one in arrivals:
        is_new = (one.source, one.event_id) in new
        new.discard((one.source, one.event_id))
        received.append(Received.STORED if is_new else Received.DUPLICATE)
    return received


def _row(arrival: Arrival, deliveries: int) -> dict[str, object]:
    return {
        "source": arrival.source,
        "event_id": arrival.event_id,
        "kind": arrival.kind,
        "ticket_id": arrival.ticket_id,
        "object_id": arrival.object_id,
        "occurred_at": arrival.occurred_at.isoformat() if arrival.occurred_at is not None else None,
        "details": dict(arrival.details),
        "disposition": arrival.disposition.value,
        "reason": arrival.reason,
        "deliveries": deliveries,
    }


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
    SELECT :tenant_id, source, event_id, kind, ticket_id, object_id, :received_at, occurred_at, details,
           disposition, reason, deliveries, 0
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS arrived (
             source text, event_id text, kind text, ticket_id text, object_id text, occurred_at timestamptz,
             details jsonb, disposition text, reason text, deliveries int)
    ON CONFLICT (tenant_id, source, event_id)
    DO UPDATE SET deliveries = inbox_event.deliveries + excluded.deliveries
    RETURNING source, event_id, deliveries
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
