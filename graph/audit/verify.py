"""Checking a tenant's log: every leaf hash computed again from the public fields, every number there, none too many.

It finds altered, missing, swapped and added events. Without a checkpoint that is kept elsewhere it cannot find a log
that was cut at its end, or rewritten as a whole by somebody who owns the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from graph.audit.errors import NotCanonicalError
from graph.audit.log import Leaf
from graph.audit.models import AuditEvent, AuditHead

_BATCH: Final = 2000
_TABLE: Final = SQLModel.metadata.tables[str(AuditEvent.__tablename__)]
_COLUMNS: Final = [*(_TABLE.c[field.name] for field in fields(Leaf)), _TABLE.c.leaf_hash]
"""The fields of a leaf in their order, then its hash: rows and not objects, which cost more than the hash."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One thing that does not hold. `why` is `altered`, `missing` or `beyond_head`."""

    seq: int
    why: str


@dataclass(frozen=True, slots=True)
class Verification:
    """How many events were checked, and what does not hold."""

    events: int
    broken: tuple[Broken, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.broken


async def verify(session: AsyncSession, tenant_id: str) -> Verification:
    """Check the whole log of a tenant, in one snapshot per batch; events appended meanwhile are checked too."""
    broken: list[Broken] = []
    events = expected = 0
    while batch := await _batch(session, tenant_id, expected):
        for row in batch:
            broken += [Broken(seq, "missing") for seq in range(expected, row.seq)]
            expected = row.seq + 1
            events += 1
            if not _is_intact(row):
                broken.append(Broken(row.seq, "altered"))
    query = select(col(AuditHead.size)).where(col(AuditHead.tenant_id) == tenant_id)
    size = (await session.execute(query)).scalar_one_or_none() or 0
    broken += [Broken(seq, "missing") for seq in range(expected, size)]
    broken += [Broken(seq, "beyond_head") for seq in range(size, expected)]
    return Verification(events, tuple(broken))


async def _batch(session: AsyncSession, tenant_id: str, first: int) -> Sequence[Row[Any]]:
    query = (
        select(*_COLUMNS)
        .where(_TABLE.c.tenant_id == tenant_id, _TABLE.c.seq >= first)
        .order_by(_TABLE.c.seq)
        .limit(_BATCH)
    )
    return (await session.execute(query)).all()


def _is_intact(row: Row[Any]) -> bool:
    columns: tuple[Any, ...] = tuple(row)
    try:
        return bool(Leaf(*columns[:-1]).digest() == columns[-1])
    except NotCanonicalError:
        return False
