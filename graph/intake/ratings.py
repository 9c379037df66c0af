"""What customers said of how they were served, read from the same export as lost tickets.

A rating changes its ticket, so the export shows it within a minute or two. Only the score is read; the words that a
customer wrote with it stay in Zendesk.
https://developer.zendesk.com/api-reference/ticketing/ticket-management/satisfaction_ratings/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from connectors.zendesk.wire import TicketView
from graph.audit.log import NewEvent

RATED: Final = "ticket.rated"
_LAST: Final = text(
    """
    SELECT DISTINCT ON (ticket_id) ticket_id, body ->> 'score' AS score FROM audit_event
     WHERE tenant_id = :tenant_id AND ticket_id = ANY(:tickets) AND kind = 'ticket.rated'
     ORDER BY ticket_id, seq DESC
    """
)


async def ratings(
    session: AsyncSession,
    tenant_id: str,
    tickets: Sequence[TicketView],
    *,
    now: datetime,
    new_id: Callable[[str], str],
) -> list[NewEvent]:
    """Events of the ratings that the log does not have yet; the caller appends them last in its transaction.

    The export may repeat a ticket, so what is compared with is the log's own last word about each.
    """
    rated = {str(ticket.ticket_id): ticket.rating for ticket in tickets if ticket.rating is not None}
    if not rated:
        return []
    rows = await session.execute(_LAST, {"tenant_id": tenant_id, "tickets": sorted(rated)})
    known = {row.ticket_id: row.score for row in rows}
    return [
        NewEvent(new_id("evt"), now, RATED, "zendesk", ticket_id=ticket_id, body={"score": score})
        for ticket_id, score in rated.items()
        if known.get(ticket_id) != score
    ]
