"""What need not be kept any more goes, from time to time: checkpoints of ended runs, and what runs stored long ago.

Several workers may do it at once: the row of the task goes to one of them, and each step may be repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.beside import keep_looking
from app.pace import is_time
from graph.erasure.retention import BATCH, BEGINNING, drop_checkpoints, empty
from graph.tenancy import Sessions

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 60.0
CHECKPOINTS_EVERY: Final = timedelta(minutes=5)
EMPTY_EVERY: Final = timedelta(days=1)


@dataclass(slots=True)
class Retaining:
    """Keeps to the retention of some tenants until asked to stop."""

    sessions: Sessions
    tenants: Sequence[str]
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    stopping: asyncio.Event

    async def run(self) -> None:
        """Look now and then; an outage of the database is waited out."""
        await keep_looking("the retention", self.tenants, self.look, every_s=LOOK_EVERY_S, stopping=self.stopping)

    async def look(self, tenant_id: str) -> None:
        """One look at one tenant. Each batch is a transaction of its own, so nobody waits for long."""
        if await self._is_time(tenant_id, "checkpoints", CHECKPOINTS_EVERY):
            dropped = BATCH
            while dropped == BATCH and not self.stopping.is_set():
                async with self.sessions(tenant_id) as session:
                    dropped = await drop_checkpoints(session, tenant_id, now=self.now())
        if await self._is_time(tenant_id, "retention", EMPTY_EVERY):
            reached: datetime | None = BEGINNING
            while reached is not None and not self.stopping.is_set():
                async with self.sessions(tenant_id) as session:
                    done = await empty(session, tenant_id, since=reached, now=self.now(), new_id=self.new_id)
                reached = done.reached
                if done.runs:
                    log.info("emptied %d runs of %s, whose days were over", done.runs, tenant_id)

    async def _is_time(self, tenant_id: str, task: str, every: timedelta) -> bool:
        async with self.sessions(tenant_id) as session:
            return await is_time(session, tenant_id, task, self.now(), every)
