"""The worker: jobs from the queue, and a look-out that finds whatever no job told of.

As many processes as wanted. A job is a hint; the look-out comes by every moment and finds what is due, what was lost
and what a dead worker left, so nothing depends on a job arriving. Every failure is recorded and tried again later.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pgqueuer import PgQueuer
from pgqueuer.models import Job
from psycopg import AsyncConnection

from app.beside import DATABASE_IS_AWAY, Beside, attempt, pause
from app.db import Database, parse_url, psycopg_url
from app.lookout import look_out
from app.settings import Settings
from connectors.errors import ConnectorError
from graph.intake.parking import stripe_failed
from graph.intake.stripe_events import take_in
from graph.queue import AGAIN, EFFECT, STRIPE, TICKET, enqueue_again, read_payload
from graph.runs.advance import Advanced, Advancer, advance, after_effect
from graph.runs.standing import failed
from graph.settlement.send import send
from graph.vault import MasterKeyWithheld

log = logging.getLogger(__name__)

BUSY_RETRY: Final = timedelta(milliseconds=500)
DATABASE_RETRY_S: Final = 1.0


@dataclass(slots=True)
class Worker:
    """One worker process.

    `beside` runs along until asked to stop: signing, telling, looking after the queue, reading the Help Center. Without
    it nothing of that is done, as where each statement of the worker is counted.
    """

    advancer: Advancer
    database: Database
    settings: Settings
    app_url: str
    stopping: asyncio.Event
    beside: Sequence[Beside] = ()

    async def run(self) -> None:
        """Work until asked to stop; jobs under way are finished. An outage of the database is waited out."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        beside = (one.run() for one in self.beside)
        await asyncio.gather(self._take_jobs(), self._keep_looking_out(), *beside)

    async def _take_jobs(self) -> None:
        while not self.stopping.is_set():
            try:
                await self._queue_until_stopped()
            except (*DATABASE_IS_AWAY, OSError) as error:
                log.warning("the queue's connection broke (%s); connecting again", type(error).__name__)
                await pause(self.stopping, DATABASE_RETRY_S)

    async def _queue_until_stopped(self) -> None:
        url = psycopg_url(parse_url(self.app_url))
        connection = await AsyncConnection.connect(url, autocommit=True)
        async with connection:
            queue = PgQueuer.from_psycopg_connection(connection)
            self._register(queue)
            stopper = asyncio.create_task(self._stop(queue))
            try:
                await queue.run(
                    dequeue_timeout=timedelta(seconds=self.settings.worker.poll_s),
                    batch_size=self.settings.worker.concurrency,
                    max_concurrent_tasks=2 * self.settings.worker.concurrency,
                    heartbeat_timeout=timedelta(seconds=self.settings.worker.lease_s),
                )
            finally:
                stopper.cancel()

    async def _stop(self, queue: PgQueuer) -> None:
        await self.stopping.wait()
        queue.shutdown.set()

    def _register(self, queue: PgQueuer) -> None:
        handlers: dict[str, Callable[[str, str], Awaitable[None]]] = {
            TICKET: self._ticket,
            AGAIN: self._ticket_again,
            EFFECT: self._effect,
            STRIPE: self._stripe,
        }
        for name, handler in handlers.items():
            queue.entrypoint(name)(self._guarded(handler))

    def _guarded(self, handler: Callable[[str, str], Awaitable[None]]) -> Callable[[Job], Awaitable[None]]:
        async def work(job: Job) -> None:
            tenant_id, object_id = read_payload(job.payload)
            if tenant_id not in self.advancer.machines:
                return  # another installation's tenant on the same database
            try:
                await handler(tenant_id, object_id)
            except DATABASE_IS_AWAY as error:
                # The database is away: nothing can be recorded, and the look-out finds the work again.
                log.warning(
                    "job %s for %s waits for the database (%s)", job.entrypoint, object_id, type(error).__name__
                )
            except (ConnectorError, MasterKeyWithheld) as error:
                log.warning("job %s for %s comes back later: %s", job.entrypoint, object_id, error)
                await self._record(tenant_id, object_id, job.entrypoint, error)
            except Exception as error:
                log.exception("job %s for %s failed", job.entrypoint, object_id)
                await self._record(tenant_id, object_id, job.entrypoint, error)

        return work

    async def _record(self, tenant_id: str, object_id: str, entrypoint: str, error: Exception) -> None:
        if entrypoint in {TICKET, AGAIN}:
            await failed(self.advancer.runtime, tenant_id, object_id, error)
        elif entrypoint == STRIPE:
            await stripe_failed(self.advancer.runtime, tenant_id, object_id, error)

    async def _ticket(self, tenant_id: str, ticket_id: str) -> None:
        if await advance(self.advancer, tenant_id, ticket_id) is Advanced.BUSY:
            async with self.database.tenant(tenant_id) as session:
                await enqueue_again(session, tenant_id, ticket_id, after=BUSY_RETRY)

    async def _ticket_again(self, tenant_id: str, ticket_id: str) -> None:
        await advance(self.advancer, tenant_id, ticket_id)

    async def _effect(self, tenant_id: str, effect_id: str) -> None:
        await send(self.advancer.sender(tenant_id), tenant_id, effect_id)
        ticket_id = await after_effect(self.advancer.runtime, tenant_id, effect_id)
        if ticket_id is not None:
            await self._ticket(tenant_id, ticket_id)

    async def _stripe(self, tenant_id: str, event_id: str) -> None:
        await take_in(self.advancer.runtime, tenant_id, event_id)

    async def _keep_looking_out(self) -> None:
        while not self.stopping.is_set():
            for tenant_id in self.advancer.machines:
                await attempt(f"the look-out of {tenant_id}", look_out(self.advancer.runtime, tenant_id))
            await pause(self.stopping, self.settings.worker.poll_s)
