"""Counting what breakers watch, in the transaction of the thing that is counted, just before its log entry.

A count is of one minute. INVARIANT: everybody counts in the order of the key and before the log's head is locked, so
that two transactions never wait for each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from policies.breakers import Measure

KEPT: Final = timedelta(days=8)
"""A day longer than the longest window that a policy can state for a rate."""

_ADD: Final = text(
    """
    INSERT INTO tally AS t (tenant_id, measure, subject, brand, minute, total, bad)
    VALUES (:tenant_id, :measure, :subject, :brand, :minute, :total, :bad)
    ON CONFLICT (tenant_id, measure, subject, brand, minute) DO UPDATE
    SET total = t.total + excluded.total, bad = t.bad + excluded.bad
    """,
)
_SUM: Final = text(
    """
    SELECT coalesce(sum(bad), 0), coalesce(sum(total), 0) FROM tally
     WHERE tenant_id = :tenant_id AND measure = :measure AND minute > :since
       AND (CAST(:subject AS text) IS NULL OR subject = :subject) AND (CAST(:brand AS text) IS NULL OR brand = :brand)
    """,
)
_FORGET: Final = text("DELETE FROM tally WHERE tenant_id = :tenant_id AND minute < :before")


@dataclass(frozen=True, slots=True, order=True)
class Happened:
    """One thing that is counted. `subject` is a tool; `brand` is empty where it is not known."""

    measure: Measure
    is_bad: bool
    subject: str = ""
    brand: str = ""


async def count(session: AsyncSession, tenant_id: str, happened: Iterable[Happened], *, now: datetime) -> None:
    """Count things that happened now, in the session's transaction."""
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for one in happened:
        total_and_bad = sums[one.measure.value, one.subject, one.brand]
        total_and_bad[0] += 1
        total_and_bad[1] += one.is_bad
    minute = now.replace(second=0, microsecond=0)
    rows = [
        {
            "tenant_id": tenant_id,
            "measure": measure,
            "subject": subject,
            "brand": brand,
            "minute": minute,
            "total": total,
            "bad": bad,
        }
        for (measure, subject, brand), (total, bad) in sorted(sums.items())
    ]
    if rows:
        await session.execute(_ADD, rows)


async def counted(
    session: AsyncSession,
    tenant_id: str,
    measure: Measure,
    *,
    since: datetime,
    subject: str | None = None,
    brand: str | None = None,
) -> tuple[int, int]:
    """How many went wrong, and how many there were, in the minutes that began after `since`."""
    values = {"tenant_id": tenant_id, "measure": measure.value, "since": since, "subject": subject, "brand": brand}
    bad, total = (await session.execute(_SUM, values)).one()
    return int(bad), int(total)


async def forget(session: AsyncSession, tenant_id: str, *, now: datetime) -> None:
    """Drop what no window reaches any more."""
    await session.execute(_FORGET, {"tenant_id": tenant_id, "before": now - KEPT})
