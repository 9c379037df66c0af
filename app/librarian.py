"""The librarian of a worker: every tenant's knowledge kept in step with its Help Center, beside the work on tickets.

Every few minutes what changed, once a day everything: archived articles and macros. One worker of all does it, by the
row of the task. Nothing waits for it, and an outage of Zendesk is waited out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from app.beside import attempt, pause
from app.pace import is_time
from connectors.errors import ConnectorError
from graph.knowledge.refresh import Librarian, refresh

log = logging.getLogger(__name__)

CHANGED_EVERY: Final = timedelta(minutes=15)
WHOLE_EVERY: Final = timedelta(days=1)
LOOK_EVERY_S: Final = 5.0


@dataclass(slots=True)
class Library:
    """Refreshes the knowledge of some tenants until asked to stop."""

    librarians: Sequence[Librarian]
    stopping: asyncio.Event
    _told: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Look and refresh."""
        while not self.stopping.is_set():
            for librarian in self.librarians:
                await attempt(f"the knowledge of {librarian.tenant_id}", self._keep_in_step(librarian))
            await pause(self.stopping, LOOK_EVERY_S)

    async def _keep_in_step(self, librarian: Librarian) -> None:
        tenant_id = librarian.tenant_id
        try:
            await self._refresh(librarian)
        except ConnectorError as error:
            if self._told.get(tenant_id) != str(error):
                self._told[tenant_id] = str(error)
                log.warning("the Help Center of %s is not read: %s", tenant_id, error)
        else:
            self._told.pop(tenant_id, None)

    async def _refresh(self, librarian: Librarian) -> None:
        tenant_id, now = librarian.tenant_id, librarian.now()
        async with librarian.sessions(tenant_id) as session:
            is_whole = await is_time(session, tenant_id, "knowledge.whole", now, WHOLE_EVERY)
            is_due = await is_time(session, tenant_id, "knowledge", now, CHANGED_EVERY)
        if not (is_whole or is_due):
            return
        done = await refresh(librarian, is_whole=is_whole)
        for problem in done.unreadable:
            log.warning("an article of %s stays as it was: %s", tenant_id, problem)
        if done.added or done.retired:
            log.info("knowledge of %s: %d sections added, %d retired", tenant_id, done.added, done.retired)
