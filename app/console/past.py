"""What was decided in the past, kept ready in this process, so that a threshold that moves is answered at once.

A snapshot is read when the process begins, in the background, and again once it is old and somebody asks; a page says
from when it is. Nothing in it names a person. Each process keeps one for each tenant, for as long as it lives.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from app.errors import DatabaseError
from graph.decisions.past import read_past
from graph.tenancy import Sessions
from policies.document import Policy
from policies.whatif.comparing import WhatIf
from policies.whatif.history import Prepared, prepared
from policies.whatif.refunds import Refunds, refunds_of
from policies.whatif.thresholds import Threshold

REACHES: Final = timedelta(days=90)
"""How far back a snapshot goes."""
GROWS_OLD: Final = timedelta(minutes=2)
"""The age from which on the next question has it read anew, while it still answers from the old one."""
MOST_CURVES: Final = 64
"""Thresholds whose refunds are kept, the last used ones."""

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Past:
    """A snapshot: the decisions from `since` until `taken_at`. `compared` keeps what two policies said to it."""

    decisions: Prepared
    since: datetime
    taken_at: datetime
    compared: dict[tuple[str, str], WhatIf] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many decisions there are."""
        return len(self.decisions.history)


@dataclass(eq=False)
class Pasts:
    """The snapshots of one process."""

    sessions: Sessions
    now: Callable[[], datetime]
    _kept: dict[str, Past] = field(default_factory=dict)
    _curves: OrderedDict[tuple[str, str, Threshold], tuple[Past, Refunds]] = field(default_factory=OrderedDict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _reading: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _beginning: asyncio.Task[None] | None = None

    def begin(self, tenant_ids: Iterable[str], then: Callable[[str], Awaitable[object]]) -> None:
        """Read the tenants' snapshots in the background, one after the other, so that nobody waits for one later.

        Args:
            tenant_ids: whose.
            then: what else is worked out ahead for a tenant, from its snapshot.
        """
        self._beginning = asyncio.create_task(self._begin(sorted(tenant_ids), then), name="the pasts")

    async def of(self, tenant_id: str) -> Past:
        """The tenant's snapshot. Whoever asks before it is read waits for it."""
        async with self._lock(tenant_id):
            kept = self._kept.get(tenant_id)
            if kept is None or not kept.count:  # where nothing was decided yet, looking again costs nothing
                kept = self._kept[tenant_id] = await self._read(tenant_id)
        is_old = not timedelta(0) <= self.now() - kept.taken_at < GROWS_OLD
        if is_old and tenant_id not in self._reading:
            self._reading[tenant_id] = asyncio.create_task(self._renew(tenant_id), name=f"past of {tenant_id}")
        return kept

    async def refunds(self, tenant_id: str, policy: Policy, threshold: Threshold) -> tuple[Past, Refunds]:
        """The refunds that a threshold decides, and the snapshot that they are of."""
        past = await self.of(tenant_id)
        key = (tenant_id, policy.content_hash, threshold)
        known = self._curves.get(key)
        if known is None or known[0] is not past:
            known = past, await asyncio.to_thread(refunds_of, policy, past.decisions, threshold)
            self._curves[key] = known
        self._curves.move_to_end(key)
        while len(self._curves) > MOST_CURVES:
            self._curves.popitem(last=False)
        return known

    async def close(self) -> None:
        """End what is being read."""
        tasks = [*self._reading.values(), *([self._beginning] if self._beginning is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _lock(self, tenant_id: str) -> asyncio.Lock:
        return self._locks.setdefault(tenant_id, asyncio.Lock())

    async def _read(self, tenant_id: str) -> Past:
        taken_at = self.now()
        since = taken_at - REACHES
        async with self.sessions(tenant_id) as session:
            history = await read_past(session, tenant_id, since=since)
        return Past(await asyncio.to_thread(prepared, history), since, taken_at)

    async def _begin(self, tenant_ids: Iterable[str], then: Callable[[str], Awaitable[object]]) -> None:
        for tenant_id in tenant_ids:
            try:
                if (await self.of(tenant_id)).count:
                    await then(tenant_id)
            except (DatabaseError, SQLAlchemyError) as error:
                _LOG.warning("the past of %s is not read ahead (%s)", tenant_id, type(error).__name__)

    async def _renew(self, tenant_id: str) -> None:
        try:
            self._kept[tenant_id] = await self._read(tenant_id)
        except (DatabaseError, SQLAlchemyError) as error:
            _LOG.warning("the past of %s is not read anew now (%s)", tenant_id, type(error).__name__)
        finally:
            del self._reading[tenant_id]
