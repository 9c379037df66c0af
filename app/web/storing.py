"""Storing what the door let in: requests that wait at the same moment share a transaction, and each has its own answer.

A commit waits for the disk, so one a request would make the disk's pace the door's. The first request is written at
once; those that come while it is, are written together after it, and nobody waits for a timer. No answer leaves before
the commit that holds its event. What the database refuses of many is tried again one by one, so that nobody fails for
another's event. Beyond a bound nobody is let wait: the sender is asked to come back, and does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from app.errors import AppError, DatabaseError
from graph.intake.models import Disposition
from graph.intake.receive import Arrival, Received, receive_all
from graph.queue import enqueue_stripe, enqueue_tickets
from graph.tenancy import Sessions

TOGETHER: Final = 100
"""Events of one transaction."""

MOST_WAITING: Final = 2000
"""Events that may wait for one tenant: some seconds of work, and a few megabytes."""


class Overrun(AppError):
    """More events arrive than can be stored; they have to be sent again."""


@dataclass(slots=True)
class _Waiting:
    """An event, and who waits for it."""

    arrival: Arrival
    received: asyncio.Future[Received]


@dataclass(slots=True)
class _Line:
    """Those who wait for one tenant, and the task that writes while there are any."""

    waiting: list[_Waiting] = field(default_factory=list)
    writer: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class Storing:
    """Stores events for the life of one event loop."""

    sessions: Sessions
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    _lines: dict[str, _Line] = field(default_factory=dict)

    async def store(self, tenant_id: str, arrival: Arrival) -> Received:
        """Store an event and say that its ticket, or the event of Stripe, has something to do; committed on return.

        A repeated delivery wakes the ticket again, too: its first job may have been lost.

        Raises:
            Overrun: too many wait already; nothing was stored.
            DatabaseError, SQLAlchemyError: it could not be stored, or nobody knows whether it was.
        """
        line = self._lines.setdefault(tenant_id, _Line())
        if len(line.waiting) >= MOST_WAITING:
            raise Overrun(f"{MOST_WAITING} events of {tenant_id!r} wait to be stored already")
        one = _Waiting(arrival, asyncio.get_running_loop().create_future())
        line.waiting.append(one)
        if line.writer is None:
            line.writer = asyncio.create_task(self._write(tenant_id, line))
        return await one.received

    async def _write(self, tenant_id: str, line: _Line) -> None:
        while line.waiting:
            batch, line.waiting = line.waiting[:TOGETHER], line.waiting[TOGETHER:]
            await self._together(tenant_id, batch)
        line.writer = None

    async def _together(self, tenant_id: str, batch: Sequence[_Waiting]) -> None:
        try:
            received = await self._transaction(tenant_id, [one.arrival for one in batch])
        except Exception as error:  # noqa: BLE001 - each who waits is told of it
            if len(batch) > 1 and not isinstance(error, DatabaseError):
                for one in batch:
                    await self._together(tenant_id, [one])
                return
            for one in batch:
                if not one.received.done():
                    one.received.set_exception(error)
            return
        for one, how in zip(batch, received, strict=True):
            if not one.received.done():  # whoever hung up meanwhile is stored and not answered
                one.received.set_result(how)

    async def _transaction(self, tenant_id: str, arrivals: Sequence[Arrival]) -> list[Received]:
        pending = [one for one in arrivals if one.disposition is Disposition.PENDING]
        tickets = [one.ticket_id for one in pending if one.ticket_id is not None]
        events = [one.event_id for one in pending if one.ticket_id is None]
        async with self.sessions(tenant_id) as session:
            await enqueue_tickets(session, tenant_id, list(dict.fromkeys(tickets)))
            await enqueue_stripe(session, tenant_id, list(dict.fromkeys(events)))
            return await receive_all(session, tenant_id, arrivals, now=self.now(), new_id=self.new_id)
