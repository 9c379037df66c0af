"""The cursor-based incremental export: which tickets changed, independent of webhooks.

It leaves out the last minute, includes deleted tickets with the status `deleted`, may show a ticket on several pages,
and is for admins only.
https://developer.zendesk.com/documentation/ticketing/managing-tickets/using-the-incremental-export-api/
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connectors.zendesk.wire import TicketView, read_ticket

LAG_S: Final = 60
"""The export says nothing about this many last seconds, and refuses to start within them."""


@dataclass(frozen=True, slots=True)
class ExportPage:
    """One page, oldest change first.

    `after_cursor` continues here, at once while `end_of_stream` is false, later otherwise. It is `None` where a first
    page was empty: then ask again with the same start.
    """

    tickets: tuple[TicketView, ...]
    after_cursor: str | None
    end_of_stream: bool


def fetch(tickets: Any, *, start: datetime | None, cursor: str | None) -> Any:  # noqa: ANN401 - zenpy
    """The generator of zenpy, with one page read and no more to be read through it.

    Args:
        tickets: zenpy's ticket API.
        start: the first change wanted, aware, at least `LAG_S` ago; or `cursor`.
        cursor: the last page's `after_cursor`.
    """
    # zenpy reads the next page when the values run out; the caller decides that, so only `values` is used.
    # A page has Zendesk's own size, 1,000 tickets: zenpy drops `per_page` beside a cursor.
    if cursor is not None:
        return tickets.incremental(cursor=cursor)
    return tickets.incremental(start_time=start)


def read_page(generator: Any) -> ExportPage:  # noqa: ANN401 - zenpy
    """The page that a generator of `fetch` holds.

    Raises:
        WireError: it cannot be read.
    """
    cursor = getattr(generator, "after_cursor", None)
    return ExportPage(
        tickets=tuple(read_ticket(ticket.to_dict()) for ticket in generator.values or ()),
        after_cursor=cursor if isinstance(cursor, str) and cursor else None,
        end_of_stream=bool(getattr(generator, "end_of_stream", False)),
    )
