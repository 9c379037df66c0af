"""Signing the log and publishing what was signed: beside the work of a worker, and never in its way.

Each tenant's log is looked at four times a second; each sink has a task of its own, so that a slow one delays nobody.
Failures are written to the database and to the log of the process, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from app.beside import attempt, pause
from app.settings import Settings
from connectors.witness.bucket import WitnessBucket
from connectors.witness.folder import WitnessFolder
from connectors.witness.service import WitnessService
from graph.audit.publish import Sink, publish
from graph.audit.sequence import Signer, sequence
from graph.tenancy import Sessions

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.25
PUBLISH_EVERY_S: Final = 0.5
FOLDER: Final = "checkpoints"


def sinks_of(settings: Settings, now: Callable[[], datetime]) -> list[Sink]:
    """Where checkpoints are published to, as the settings say."""
    if not settings.audit.sinks:
        return [WitnessFolder(FOLDER, settings.data_dir / FOLDER)]
    sinks: list[Sink] = []
    for name, one in sorted(settings.audit.sinks.items()):
        if one.folder is not None:
            sinks.append(WitnessFolder(name, one.folder.expanduser(), every_s=one.every_s or 1.0))
        elif one.url is not None:
            secret = one.secret.get_secret_value() if one.secret is not None else None
            sinks.append(WitnessService(name, one.url, now, secret=secret, every_s=one.every_s or 60.0))
        elif one.bucket is not None:
            sinks.append(
                WitnessBucket(
                    name,
                    one.bucket,
                    now,
                    prefix=one.prefix,
                    region=one.region,
                    endpoint_url=one.endpoint_url,
                    retain_days=one.retain_days,
                    every_s=one.every_s or 60.0,
                )
            )
    return sinks


def log_file(settings: Settings, signer: Signer, tenant_id: str) -> Path:
    """Where the folder in the data folder keeps the tenant's checkpoints."""
    return WitnessFolder(FOLDER, settings.data_dir / FOLDER).path(signer.origin(tenant_id))


@dataclass(slots=True)
class Witnessing:
    """Signs and publishes the logs of some tenants until asked to stop."""

    sessions: Sessions
    tenant_ids: Sequence[str]
    signer: Signer
    sinks: Sequence[Sink]
    now: Callable[[], datetime]
    stopping: asyncio.Event
    _told: dict[tuple[str, str], str | None] = field(default_factory=dict)

    async def run(self) -> None:
        """Look, sign and publish; an outage of the database is waited out."""
        await asyncio.gather(self._sign(), *(self._publish(sink) for sink in self.sinks))
        for tenant_id in self.tenant_ids:
            await self._guarded(tenant_id, "the log", self._sign_one(tenant_id, at_once=True))

    async def _sign(self) -> None:
        while not self.stopping.is_set():
            for tenant_id in self.tenant_ids:
                await self._guarded(tenant_id, "the log", self._sign_one(tenant_id))
            await pause(self.stopping, LOOK_EVERY_S)

    async def _sign_one(self, tenant_id: str, *, at_once: bool = False) -> str | None:
        async with self.sessions(tenant_id) as session:
            return (await sequence(session, tenant_id, self.signer, at_once=at_once)).problem

    async def _publish(self, sink: Sink) -> None:
        while not self.stopping.is_set():
            for tenant_id in self.tenant_ids:
                await self._guarded(tenant_id, f"sink {sink.name!r}", self._publish_one(tenant_id, sink))
            await pause(self.stopping, PUBLISH_EVERY_S)

    async def _publish_one(self, tenant_id: str, sink: Sink) -> str | None:
        done = await publish(self.sessions, tenant_id, self.signer, sink, now=self.now())
        return done.problem if done is not None else self._told.get((tenant_id, f"sink {sink.name!r}"))

    async def _guarded(self, tenant_id: str, what: str, work: Awaitable[str | None]) -> None:
        await attempt(f"{what} of {tenant_id}", self._say(tenant_id, what, work))

    async def _say(self, tenant_id: str, what: str, work: Awaitable[str | None]) -> None:
        """Do it, and say its problem once, and not at every attempt."""
        problem = await work
        if problem != self._told.get((tenant_id, what)):
            self._told[tenant_id, what] = problem
            if problem is not None:
                log.error("checkpoints of %s: %s: %s", tenant_id, what, problem)
