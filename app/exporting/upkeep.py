"""Feeding sinks beside the work of a worker: a task for each sink, so that a slow one delays nobody and nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.beside import attempt, pause
from app.exporting.feeding import Feeder, feed
from app.exporting.named import policys_sink
from app.exporting.sinks import Sink, sinks_of
from app.tenants import TenantSettings

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
POLICY_EVERY_S: Final = 5.0


@dataclass(slots=True)
class Feeding:
    """Feeds the sinks of some tenants until asked to stop: those of the settings, and what the policies name."""

    feeder: Feeder
    tenants: Mapping[str, TenantSettings]
    stopping: asyncio.Event
    _told: dict[tuple[str, str], str | None] = field(default_factory=dict)

    async def run(self) -> None:
        """Look and feed; an outage of the database is waited out."""
        now, tenants = self.feeder.now, self.tenants.items()
        settled = (self._keep_feeding(name, sink) for name, tenant in tenants for sink in sinks_of(tenant, now))
        await asyncio.gather(*settled, *(self._keep_feeding_the_policys(name, tenant) for name, tenant in tenants))

    async def _keep_feeding(self, tenant_id: str, sink: Sink) -> None:
        while not self.stopping.is_set():
            await attempt(f"sink {sink.name} of {tenant_id}", self._feed(tenant_id, sink))
            await pause(self.stopping, LOOK_EVERY_S)

    async def _keep_feeding_the_policys(self, tenant_id: str, tenant: TenantSettings) -> None:
        """The policy may be another one at each look."""
        while not self.stopping.is_set():
            await attempt(f"the policy's sink of {tenant_id}", self.feed_the_policys(tenant_id, tenant))
            await pause(self.stopping, POLICY_EVERY_S)

    async def feed_the_policys(self, tenant_id: str, tenant: TenantSettings) -> None:
        """Feed the sink that the tenant's policy names, where it names one."""
        async with self.feeder.sessions(tenant_id) as session:
            sink = await policys_sink(session, tenant_id, tenant, self.feeder.now)
        if sink is not None:
            await self._feed(tenant_id, sink)

    async def _feed(self, tenant_id: str, sink: Sink) -> None:
        """Feed it all there is now."""
        has_more = True
        while has_more and not self.stopping.is_set():
            fed = await feed(self.feeder, tenant_id, sink)
            if fed is not None:
                self._say(tenant_id, sink.name, fed.problem)
            has_more = fed is not None and fed.has_more

    def _say(self, tenant_id: str, name: str, problem: str | None) -> None:
        """A problem once, and not at every attempt."""
        if problem != self._told.get((tenant_id, name)):
            self._told[tenant_id, name] = problem
            if problem is not None:
                log.warning("sink %s of %s waits: %s", name, tenant_id, problem)
