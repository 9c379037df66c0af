"""Days that are over, added up once: what a page of many days reads instead of every run of them.

A day is over when every run that began on it and has ended did so more than seven days ago; then nothing about it
depends on when somebody asks. Its sums are those of the page's own statement, kept by each dimension. Whoever folds an
event of such a day forgets the day in the same transaction, and it is added up anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.measures.models import MeasureCursor, MeasureDay
from app.measures.reading import DIMENSIONS, RECONTACT_DAYS, WHOLE, Wanted, statement
from graph.tenancy import Sessions

MOST_DAYS: Final = 400
"""How far back days are kept."""
AT_ONCE: Final = 31
"""Days that one transaction adds up."""
_DAY: Final = timedelta(days=1)

_OVER: Final = text(
    f"""
    SELECT CAST(each AS date) AS day FROM generate_series(CAST(:first AS date), CAST(:last AS date), '1 day') AS each
     WHERE NOT EXISTS (SELECT 1 FROM measure_day
                        WHERE tenant_id = :tenant_id AND day = CAST(each AS date) AND cut = '{WHOLE}')
       AND NOT EXISTS (SELECT 1 FROM measure_run
                        WHERE tenant_id = :tenant_id AND started_at >= each AT TIME ZONE 'UTC'
                          AND started_at < (each + interval '1 day') AT TIME ZONE 'UTC' AND ended_at > :since)
     ORDER BY 1 LIMIT {AT_ONCE}
    """  # noqa: S608 - words of ours
)
_ENDED: Final = text(
    """
    SELECT CAST(started_at AT TIME ZONE 'UTC' AS date) AS day, max(ended_at) AS ended_at FROM measure_run
     WHERE tenant_id = :tenant_id AND started_at >= :since AND started_at < :until GROUP BY 1
    """
)


async def keep_days(session: AsyncSession, tenant_id: str) -> int:
    """Add up days that are over and are not kept yet, in the session's transaction; how many. 0 is: none is left."""
    cursor = await session.get(MeasureCursor, tenant_id, with_for_update=True)
    if cursor is None or cursor.folded_until is None or cursor.first_run_at is None:
        return 0
    silent_since = cursor.folded_until - timedelta(days=RECONTACT_DAYS)
    last = (silent_since - _DAY).date()
    first = max(cursor.first_run_at.astimezone(UTC).date(), last - timedelta(days=MOST_DAYS))
    values = {"tenant_id": tenant_id, "first": first, "last": last, "since": silent_since}
    days = (await session.execute(_OVER, values)).scalars().all()
    if days:
        await _keep(session, tenant_id, days, cursor.folded_until)
    return len(days)


async def keep_all_days(sessions: Sessions, tenant_id: str) -> None:
    """Add up every day that is over, a transaction for some at once."""
    while True:
        async with sessions(tenant_id) as session:
            if not await keep_days(session, tenant_id):
                return


async def forget_days(session: AsyncSession, tenant_id: str, days: Iterable[date]) -> None:
    """Something of these days has changed."""
    of_those = col(MeasureDay.day).in_(sorted(set(days)))
    await session.execute(delete(MeasureDay).where(col(MeasureDay.tenant_id) == tenant_id, of_those))


async def _keep(session: AsyncSession, tenant_id: str, days: Sequence[date], as_of: datetime) -> None:
    since, until = _midnight(days[0]), _midnight(days[-1] + _DAY)
    of_days = {"tenant_id": tenant_id, "since": since, "until": until}
    ended = {row.day: row.ended_at for row in await session.execute(_ENDED, of_days)}
    over = {day: max(_midnight(day + _DAY), ended.get(day) or _midnight(day)) for day in days}
    rows = []
    for by in (None, *DIMENSIONS):
        wanted = Wanted(since, until, as_of, by)
        values = {**wanted.values(tenant_id), "step_s": _DAY.total_seconds()}
        for row in (await session.execute(text(statement(wanted)), values)).mappings():
            figures = {name: value for name, value in row.items() if name not in {"point", "slice"}}
            rows.append(((since + row["point"] * _DAY).date(), by or WHOLE, row["slice"], figures))
    kept = [
        {
            "tenant_id": tenant_id,
            "day": day,
            "cut": cut,
            "name": name,
            "over_from": over[day] + timedelta(days=RECONTACT_DAYS),
            "figures": figures,
        }
        for day, cut, name, figures in [*rows, *_empty(days, rows)]
        if day in over
    ]
    await session.execute(insert(MeasureDay), kept)


def _empty(days: Sequence[date], rows: Sequence[tuple[date, str, str, Any]]) -> list[tuple[date, str, str, Any]]:
    """Days without a run are kept, too."""
    found = {day for day, cut, _, _ in rows if cut == WHOLE}
    return [(day, WHOLE, "", {}) for day in days if day not in found]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
