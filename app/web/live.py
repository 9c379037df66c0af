"""Telling open panels that their ticket changed: one small question to the database for all of them, twice a second.

Every change that a panel shows appends an event of its ticket to the log, and the log's numbers are given in the order
of commits: whoever has read up to a number has seen all before it. So a process asks once for all the panels it serves
which tickets have events beyond the last number it saw. PostgreSQL's NOTIFY would say it sooner and take a lock of the
whole database in each commit. A panel that waits costs one flag; what is beyond the bound is asked to come back.
https://www.postgresql.org/docs/current/sql-notify.html
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import DatabaseError
from graph.tenancy import Sessions

_LOG: Final = logging.getLogger(__name__)
EVERY_S: Final = 0.5
MOST: Final = 1000
"""Panels that one process keeps open; each is a connection and a flag."""

_SIZE: Final = text("SELECT coalesce((SELECT size FROM audit_head WHERE tenant_id = :tenant_id), 0)")
_CHANGED: Final = text(
    """
    SELECT coalesce(max(seq), -1) AS seq, array_agg(DISTINCT ticket_id) FILTER (WHERE ticket_id = ANY(:watched)) AS news
      FROM audit_event WHERE tenant_id = :tenant_id AND seq >= :since
    """
)
_VERSION: Final = text(
    "SELECT coalesce(max(seq), -1) FROM audit_event WHERE tenant_id = :tenant_id AND ticket_id = :ticket_id"
)


class Full(Exception):
    """So many panels are open that this one must come back later."""


async def version_of(session: AsyncSession, tenant_id: str, ticket_id: str) -> int:
    """The number of the ticket's newest event; -1 where there is none. It grows with every change that is shown."""
    found = await session.execute(_VERSION, {"tenant_id": tenant_id, "ticket_id": ticket_id})
    return int(found.scalar_one())


@dataclass(slots=True)
class Pulse:
    """What tells panels of one process. `close` ends them all, so that the process can stop."""

    sessions: Sessions
    every_s: float = EVERY_S
    most: int = MOST
    is_closed: bool = False
    _watching: dict[str, dict[str, set[asyncio.Event]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _begun: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    @property
    def open(self) -> int:
        """How many panels are open."""
        return sum(len(flags) for tickets in self._watching.values() for flags in tickets.values())

    @asynccontextmanager
    async def watching(self, tenant_id: str, ticket_id: str) -> AsyncIterator[asyncio.Event]:
        """A flag that is set whenever the ticket has changed from now on; the watcher clears it.

        What a watcher reads after it was let in is newer than the number that is asked from, so nothing falls between.

        Raises:
            Full: the process watches as many as it may.
        """
        if self.open >= self.most or self.is_closed:
            raise Full
        flag = asyncio.Event()
        self._watching[tenant_id][ticket_id].add(flag)
        if tenant_id not in self._tasks:
            self._tasks[tenant_id] = asyncio.create_task(self._beat(tenant_id), name=f"pulse of {tenant_id}")
        try:
            await self._begun[tenant_id].wait()
            yield flag
        finally:
            flags = self._watching[tenant_id][ticket_id]
            flags.discard(flag)
            if not flags:
                del self._watching[tenant_id][ticket_id]

    async def close(self) -> None:
        """End every watching."""
        self.is_closed = True
        for begun in self._begun.values():
            begun.set()
        for tickets in self._watching.values():
            for flags in tickets.values():
                for flag in flags:
                    flag.set()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _beat(self, tenant_id: str) -> None:
        """Ask until nobody watches any more."""
        since: int | None = None
        while self._watching[tenant_id]:
            try:
                since = await self._ask(tenant_id, since)
                self._begun[tenant_id].set()
            except (DatabaseError, SQLAlchemyError) as error:
                # Panels keep what they show; when the database is back they are told what they missed.
                _LOG.warning("open panels of %s wait for the database (%s)", tenant_id, type(error).__name__)
            await asyncio.sleep(self.every_s)
        del self._tasks[tenant_id], self._begun[tenant_id]

    async def _ask(self, tenant_id: str, since: int | None) -> int:
        """Set the flags of the tickets that have changed; the number to ask from next time."""
        async with self.sessions(tenant_id) as session:
            if since is None:
                return int((await session.execute(_SIZE, {"tenant_id": tenant_id})).scalar_one())
            watched = list(self._watching[tenant_id])
            row = (await session.execute(_CHANGED, {"tenant_id": tenant_id, "since": since, "watched": watched})).one()
        for ticket_id in row.news or ():
            for flag in self._watching[tenant_id].get(ticket_id, ()):
                flag.set()
        return max(since, int(row.seq) + 1)
