"""Events that cannot be worked on: tried again with growing pauses, then parked with their reason, and never dropped.

A vendor that is out of reach or denies access parks nothing: that mends, and no event may be lost to it. What is parked
waits for a person, who looks at it and lets it be tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from connectors.errors import AccessDenied, VendorUnavailable
from graph.audit.log import NewEvent, append_all
from graph.intake.models import Disposition, InboxEvent
from graph.intake.receive import parked_event
from graph.queue import enqueue_stripe, enqueue_tickets
from graph.runtime import Runtime

LONGEST_PAUSE_S: Final = 60.0
MAX_ATTEMPTS: Final = 8
"""Attempts after which an event is parked."""
UNREADABLE: Final = "unreadable"
"""The kind of an event of which only a digest was kept: there is nothing to try again."""


async def count_failure(
    session: AsyncSession,
    events: Sequence[InboxEvent],
    error: Exception,
    *,
    now: datetime,
    new_id: Callable[[str], str],
) -> None:
    """Write down that events could not be worked on, in the session's transaction, whose last write it must be."""
    mends = isinstance(error, VendorUnavailable | AccessDenied)
    told: list[NewEvent] = []
    for event in events:
        event.attempts += 1
        event.reason = type(error).__name__
        event.look_again_at = now + timedelta(seconds=min(2.0**event.attempts, LONGEST_PAUSE_S))
        if event.attempts >= MAX_ATTEMPTS and not mends:
            event.disposition = Disposition.PARKED.value
            told.append(
                parked_event(
                    event.source,
                    event.event_id,
                    event.kind,
                    event.reason,
                    now=now,
                    new_id=new_id,
                    ticket_id=event.ticket_id,
                )
            )
    await session.flush()
    if told:
        await append_all(session, events[0].tenant_id, told)


async def stripe_failed(runtime: Runtime, tenant_id: str, event_id: str, error: Exception) -> None:
    """An event of Stripe's could not be worked on: count the attempt, and park it in the end."""
    async with runtime.sessions(tenant_id) as session:
        event = await session.get(InboxEvent, (tenant_id, "stripe", event_id), with_for_update=True)
        if event is not None and event.disposition == Disposition.PENDING.value:
            await count_failure(session, [event], error, now=runtime.now(), new_id=runtime.new_id)


async def parked(session: AsyncSession, tenant_id: str, *, limit: int = 200) -> Sequence[InboxEvent]:
    """The parked events, the newest first."""
    query = (
        select(InboxEvent)
        .where(col(InboxEvent.tenant_id) == tenant_id, col(InboxEvent.disposition) == Disposition.PARKED.value)
        .order_by(col(InboxEvent.received_at).desc(), col(InboxEvent.event_id))
        .limit(limit)
    )
    return (await session.execute(query)).scalars().all()


async def retry(
    session: AsyncSession,
    tenant_id: str,
    event_ids: Sequence[str] | None,
    *,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> list[str]:
    """Let parked events be worked on again, in the session's transaction; their ids. None is all that can be.

    One that could not be read when it came stays parked: only its digest was kept.
    """
    query = select(InboxEvent).where(
        col(InboxEvent.tenant_id) == tenant_id,
        col(InboxEvent.disposition) == Disposition.PARKED.value,
        col(InboxEvent.kind) != UNREADABLE,
    )
    if event_ids is not None:
        query = query.where(col(InboxEvent.event_id).in_(list(event_ids)))
    events = (await session.execute(query.order_by(col(InboxEvent.received_at)).with_for_update())).scalars().all()
    for event in events:
        event.disposition, event.reason, event.attempts, event.look_again_at = Disposition.PENDING.value, None, 0, None
    await session.flush()
    await enqueue_tickets(session, tenant_id, sorted({one.ticket_id for one in events if one.ticket_id is not None}))
    await enqueue_stripe(session, tenant_id, [one.event_id for one in events if one.ticket_id is None])
    await append_all(
        session,
        tenant_id,
        [
            NewEvent(
                event_id=new_id("evt"),
                at=now,
                kind="event.retried",
                actor=actor,
                ticket_id=event.ticket_id,
                body={"source": event.source, "event": event.event_id, "event_kind": event.kind},
            )
            for event in events
        ],
    )
    return [event.event_id for event in events]
