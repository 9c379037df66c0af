"""Keeping the measures in step with the log: the events that are new are folded, in their order and once each.

The worker does it beside its jobs; `countersign measures rebuild` does it from the first event. Whoever folds holds the
cursor's row, so that two never fold the same event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.beside import keep_looking
from app.measures.batch import Folding
from app.measures.days import forget_days, keep_all_days, keep_days
from app.measures.folding import KINDS, VERSION, fold
from app.measures.models import MeasureCount, MeasureCursor, MeasureDay, MeasureRun
from graph.audit.models import AuditEvent, AuditHead
from graph.tenancy import Sessions

_OF_TICKETS: Final = frozenset({"run.started", "ticket.rated", "ticket.solved"})
"""Kinds that are about the newest run of their ticket."""
BATCH: Final = 5_000
LOOK_EVERY_S: Final = 1.0

_LATEST: Final = text(
    """
    SELECT DISTINCT ON (ticket_id) ticket_id, run_id FROM measure_run
     WHERE tenant_id = :tenant_id AND ticket_id = ANY(:tickets)
     ORDER BY ticket_id, started_at DESC, run_id DESC
    """
)


@dataclass(frozen=True, slots=True)
class Folded:
    """How far the measures are: the next event to fold, and how many events the log has."""

    next_seq: int
    size: int

    @property
    def is_all(self) -> bool:
        """Whether nothing is left to fold."""
        return self.next_seq >= self.size


async def fold_some(session: AsyncSession, tenant_id: str, *, most: int = BATCH) -> Folded:
    """Fold the next events, at most so many, in the session's transaction.

    A cache that older code has folded is emptied and begun again.
    """
    await session.execute(insert(MeasureCursor).values(_empty(tenant_id)).on_conflict_do_nothing())
    cursor = await session.get_one(MeasureCursor, tenant_id, with_for_update=True)
    if cursor.version != VERSION:
        await empty(session, tenant_id)
        await session.refresh(cursor)
    head = await session.get(AuditHead, tenant_id)
    size = head.size if head is not None else 0
    end = min(size, cursor.next_seq + most)
    if end > cursor.next_seq:
        await _fold(session, tenant_id, cursor, end)
    return Folded(cursor.next_seq, size)


async def empty(session: AsyncSession, tenant_id: str) -> None:
    """Forget everything that was folded, so that the log is folded from its first event."""
    await session.execute(delete(MeasureRun).where(col(MeasureRun.tenant_id) == tenant_id))
    await session.execute(delete(MeasureCount).where(col(MeasureCount.tenant_id) == tenant_id))
    await session.execute(delete(MeasureDay).where(col(MeasureDay.tenant_id) == tenant_id))
    fresh = insert(MeasureCursor).values(_empty(tenant_id))
    kept = {name: fresh.excluded[name] for name in _empty(tenant_id) if name != "tenant_id"}
    await session.execute(fresh.on_conflict_do_update(index_elements=["tenant_id"], set_=kept))


def _empty(tenant_id: str) -> dict[str, object]:
    return MeasureCursor(tenant_id=tenant_id, version=VERSION).model_dump()


async def _fold(session: AsyncSession, tenant_id: str, cursor: MeasureCursor, end: int) -> None:
    """Events from the cursor to the one before `end`."""
    columns = (AuditEvent.at, AuditEvent.kind, AuditEvent.run_id, AuditEvent.ticket_id, AuditEvent.body)
    query = (
        select(*columns)  # type: ignore[call-overload]  # SQLModel's attributes are columns
        .where(
            col(AuditEvent.tenant_id) == tenant_id,
            col(AuditEvent.seq) >= cursor.next_seq,
            col(AuditEvent.seq) < end,
            col(AuditEvent.kind).in_(KINDS),
        )
        .order_by(col(AuditEvent.seq))
    )
    events: Sequence[Any] = (await session.execute(query)).all()
    folding = await _opened(session, tenant_id, cursor, events)
    known = set(folding.runs)
    for event in events:
        if event.kind == "run.started" and event.run_id not in folding.runs:
            follows = folding.latest.get(event.ticket_id or "")
            folding.run(event).follows = follows
        fold(folding, event)
    changed = [run for run in folding.runs.values() if run.run_id not in known or session.is_modified(run)]
    await forget_days(session, tenant_id, {run.started_at.astimezone(UTC).date() for run in changed})
    session.add_all([run for run_id, run in folding.runs.items() if run_id not in known])
    await _add_counts(session, folding)
    cursor.next_seq = end
    await session.flush()


async def _opened(session: AsyncSession, tenant_id: str, cursor: MeasureCursor, events: Sequence[Any]) -> Folding:
    """The rows that these events are about: their runs, the newest runs of their tickets, and what those follow."""
    tickets = sorted({one.ticket_id for one in events if one.ticket_id and one.kind in _OF_TICKETS})
    rows = await session.execute(_LATEST, {"tenant_id": tenant_id, "tickets": tickets})
    latest = {row.ticket_id: row.run_id for row in rows}
    folding = Folding(tenant_id, cursor, latest=latest)
    await _load(session, folding, {one.run_id for one in events if one.run_id} | set(latest.values()))
    await _load(session, folding, {run.follows for run in folding.runs.values() if run.follows})
    return folding


async def _load(session: AsyncSession, folding: Folding, run_ids: set[str]) -> None:
    missing = sorted(run_ids - set(folding.runs))
    query = select(MeasureRun).where(
        col(MeasureRun.tenant_id) == folding.tenant_id, col(MeasureRun.run_id).in_(missing)
    )
    folding.runs |= {run.run_id: run for run in (await session.execute(query)).scalars()}


async def _add_counts(session: AsyncSession, folding: Folding) -> None:
    rows = [
        {
            "tenant_id": folding.tenant_id,
            "day": day,
            "what": what,
            "subject": subject,
            "count": one.count,
            "bad": one.bad,
            "total_ms": one.total_ms,
        }
        for (day, what, subject), one in sorted(folding.counts.items())
    ]
    if not rows:
        return
    fresh = insert(MeasureCount).values(rows)
    added = {name: getattr(MeasureCount, name) + fresh.excluded[name] for name in ("count", "bad", "total_ms")}
    await session.execute(
        fresh.on_conflict_do_update(index_elements=["tenant_id", "day", "what", "subject"], set_=added)
    )


async def fold_all(sessions: Sessions, tenant_id: str, *, most: int = BATCH) -> Folded:
    """Fold until nothing is left, a transaction for each batch, and add up the days that are over."""
    while True:
        async with sessions(tenant_id) as session:
            folded = await fold_some(session, tenant_id, most=most)
        if folded.is_all:
            await keep_all_days(sessions, tenant_id)
            return folded


async def rebuild(sessions: Sessions, tenant_id: str) -> Folded:
    """Forget the cache and fold the whole log. Pages show what is folded so far meanwhile, and say so."""
    async with sessions(tenant_id) as session:
        await empty(session, tenant_id)
    return await fold_all(sessions, tenant_id, most=4 * BATCH)


@dataclass(slots=True)
class Measuring:
    """Folds the logs of some tenants until asked to stop. Beside the worker."""

    sessions: Sessions
    tenant_ids: Sequence[str]
    stopping: asyncio.Event

    async def run(self) -> None:
        """Look now and then; an outage of the database is waited out."""
        await keep_looking("the measures", self.tenant_ids, self.look, every_s=LOOK_EVERY_S, stopping=self.stopping)

    async def look(self, tenant_id: str) -> None:
        """Fold what is new of one tenant."""
        is_all = False
        while not (is_all or self.stopping.is_set()):
            async with self.sessions(tenant_id) as session:
                is_all = (await fold_some(session, tenant_id)).is_all
        if is_all:
            async with self.sessions(tenant_id) as session:
                await keep_days(session, tenant_id)
