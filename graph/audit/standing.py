"""How far a tenant's log is signed and published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_LOG: Final = text(
    """
    SELECT coalesce((SELECT size FROM audit_head WHERE tenant_id = :tenant), 0) AS events,
           coalesce((SELECT size FROM audit_tree WHERE tenant_id = :tenant), 0) AS signed,
           (SELECT count(*) FROM audit_checkpoint WHERE tenant_id = :tenant) AS checkpoints,
           (SELECT problem FROM audit_tree WHERE tenant_id = :tenant) AS problem
    """
)
_SINKS: Final = text(
    "SELECT sink, size, published_at, attempts, problem FROM audit_publication WHERE tenant_id = :tenant"
)


@dataclass(frozen=True, slots=True)
class SinkStanding:
    """One sink: the size it has, since when, and what was the matter at the last attempts."""

    name: str
    size: int = 0
    published_at: datetime | None = None
    attempts: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The log, what of it is signed, and the sinks that the settings name."""

    events: int
    signed: int
    checkpoints: int
    problem: str | None
    sinks: tuple[SinkStanding, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing stops signing or publishing."""
        return self.problem is None and all(sink.problem is None for sink in self.sinks)


async def standing(session: AsyncSession, tenant_id: str, sinks: Sequence[str]) -> Standing:
    """How it stands now."""
    row = (await session.execute(_LOG, {"tenant": tenant_id})).one()
    known = {
        one.sink: SinkStanding(one.sink, one.size, one.published_at, one.attempts, one.problem)
        for one in await session.execute(_SINKS, {"tenant": tenant_id})
    }
    told = tuple(known.get(name, SinkStanding(name)) for name in sinks)
    return Standing(row.events, row.signed, row.checkpoints, row.problem, told)
