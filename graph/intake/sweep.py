"""The sweeper: Zendesk's cursor export finds every ticket whose webhook was lost.

Webhooks are a hint, the export is the truth.
https://developer.zendesk.com/documentation/ticketing/managing-tickets/using-the-incremental-export-api/
It leaves out the last minute and may repeat a ticket, so each change becomes an inbox row at most once.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from connectors.zendesk.wire import TicketView
from graph.audit.log import append_all
from graph.intake.models import SweepCursor
from graph.intake.ratings import ratings
from graph.intake.receive import Arrival, Received, receive_all
from graph.intake.recognise import SWEPT
from graph.intake.solved import solved
from graph.queue import enqueue_tickets
from graph.runtime import Runtime

SOURCE: Final = "zendesk"
FIRST_LOOK_BACK: Final = timedelta(hours=1)
EXPORT_LAG: Final = timedelta(seconds=61)
MAX_PAGES: Final = 20
_LIVE: Final = frozenset({"new", "open", "pending", "hold", "solved"})
_KNOWN: Final = text(
    """
    SELECT 1 FROM inbox_event
     WHERE tenant_id = :tenant_id AND ticket_id = :ticket_id AND source = 'zendesk'
       AND coalesce(occurred_at, received_at) >= :changed_at
     LIMIT 1
    """,
)


async def sweep(runtime: Runtime, tenant_id: str) -> int:
    """Read the export from where it stood; the number of tickets with a change that no webhook told of.

    One transaction per page: the cursor moves only together with what the page held.

    Raises:
        ConnectorError: the export could not be read; the cursor stays.
    """
    zendesk = runtime.tenant(tenant_id).zendesk
    async with runtime.sessions(tenant_id) as session:
        standing = await session.get(SweepCursor, (tenant_id, SOURCE))
        cursor = standing.cursor if standing is not None else None
    found = 0
    for _ in range(MAX_PAGES):
        start = None if cursor is not None else runtime.now() - FIRST_LOOK_BACK - EXPORT_LAG
        page = await asyncio.to_thread(zendesk.export, start=start, cursor=cursor)
        cursor = page.after_cursor or cursor
        async with runtime.sessions(tenant_id) as session:
            found += await _take_in(session, runtime, tenant_id, page.tickets)
            await _stand_at(session, runtime, tenant_id, cursor)
            rated = await ratings(session, tenant_id, page.tickets, now=runtime.now(), new_id=runtime.new_id)
            done = await solved(session, tenant_id, page.tickets, now=runtime.now(), new_id=runtime.new_id)
            await append_all(session, tenant_id, [*rated, *done])
        if page.end_of_stream:
            break
    return found


async def _take_in(session: AsyncSession, runtime: Runtime, tenant_id: str, tickets: tuple[TicketView, ...]) -> int:
    unknown: list[Arrival] = []
    for ticket in tickets:
        ticket_id = str(ticket.ticket_id)
        if ticket.status not in _LIVE:
            continue
        known = {"tenant_id": tenant_id, "ticket_id": ticket_id, "changed_at": ticket.updated_at}
        if (await session.execute(_KNOWN, known)).scalar_one_or_none() is not None:
            continue
        unknown.append(_arrival(ticket))
    received = await receive_all(session, tenant_id, unknown, now=runtime.now(), new_id=runtime.new_id)
    lost = [
        one.ticket_id
        for one, how in zip(unknown, received, strict=True)
        if how is Received.STORED and one.ticket_id is not None
    ]
    await enqueue_tickets(session, tenant_id, lost)
    return len(lost)


def _arrival(ticket: TicketView) -> Arrival:
    changed_at = ticket.updated_at.astimezone(UTC).isoformat()
    return Arrival(
        source="sweeper",
        event_id=f"{ticket.ticket_id}:{changed_at}",
        kind=SWEPT,
        ticket_id=str(ticket.ticket_id),
        occurred_at=ticket.updated_at,
        details={"status": ticket.status},
    )


async def _stand_at(session: AsyncSession, runtime: Runtime, tenant_id: str, cursor: str | None) -> None:
    now = runtime.now()
    standing = insert(SweepCursor).values(tenant_id=tenant_id, source=SOURCE, cursor=cursor, swept_at=now)
    await session.execute(
        standing.on_conflict_do_update(
            index_elements=["tenant_id", "source"],
            set_={"cursor": cursor, "swept_at": now},
        ),
    )
