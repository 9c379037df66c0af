"""When people solved the tickets that they had alone, read from the same export as lost tickets.

A ticket that is solved has changed, so the export shows it within a minute or two. Only held-out tickets are told of:
what became of the others stands in the log already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from connectors.zendesk.wire import TicketView
from graph.audit.log import NewEvent, spelled

SOLVED: Final = "ticket.solved"
_DONE: Final = frozenset({"solved", "closed"})
_OPEN: Final = text(
    """
    SELECT DISTINCT ticket_id FROM run
     WHERE tenant_id = :tenant_id AND ticket_id = ANY(:tickets) AND arm = 'held_out'
       AND NOT EXISTS (SELECT 1 FROM audit_event WHERE audit_event.tenant_id = run.tenant_id
                         AND audit_event.ticket_id = run.ticket_id AND kind = 'ticket.solved')
    """
)


async def solved(
    session: AsyncSession,
    tenant_id: str,
    tickets: Sequence[TicketView],
    *,
    now: datetime,
    new_id: Callable[[str], str],
) -> list[NewEvent]:
    """Events of held-out tickets that are solved for the first time; the caller appends them in its transaction."""
    done = {str(ticket.ticket_id): ticket.updated_at for ticket in tickets if ticket.status in _DONE}
    if not done:
        return []
    rows = await session.execute(_OPEN, {"tenant_id": tenant_id, "tickets": sorted(done)})
    return [
        NewEvent(new_id("evt"), now, SOLVED, "zendesk", None, ticket_id, {"solved_at": spelled(done[ticket_id])})
        for ticket_id in sorted(rows.scalars())
    ]
