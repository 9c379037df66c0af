"""How far somebody elsewhere has been told of the log: one row for each, leased by the process that is telling them.

The row moves only after they took what was sent, so everything is sent at least once; what was leased by a process
that died is free again after the lease. Every function works in a transaction of its own or in the session's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.tenancy import Sessions

FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=15)

_BEGIN: Final = text(
    """
    INSERT INTO notice_cursor (tenant_id, place, next_seq, attempts, skipped)
    SELECT CAST(:tenant AS varchar), CAST(:place AS varchar),
           CASE WHEN :from_the_start THEN 0 ELSE
             coalesce((SELECT size FROM audit_head WHERE tenant_id = CAST(:tenant AS varchar)), 0) END, 0, 0
    ON CONFLICT DO NOTHING
    RETURNING place
    """
)
_LEASE: Final = text(
    """
    UPDATE notice_cursor SET try_at = clock_timestamp() + make_interval(secs => :lease_s)
     WHERE tenant_id = :tenant AND place = :place AND (try_at <= clock_timestamp() OR :at_once)
    RETURNING next_seq, attempts
    """
)
_MOVE: Final = text(
    """
    UPDATE notice_cursor
       SET next_seq = :next_seq, attempts = :attempts, problem = :problem, skipped = skipped + :skipped,
           told_at = coalesce(:told_at, told_at), try_at = clock_timestamp() + make_interval(secs => :pause_s)
     WHERE tenant_id = :tenant AND place = :place AND next_seq = :was
    """
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """One place of one tenant."""

    tenant_id: str
    place: str

    @property
    def _row(self) -> dict[str, Any]:
        return {"tenant": self.tenant_id, "place": self.place}

    async def begin(self, session: AsyncSession, *, from_the_start: bool) -> bool:
        """Make the row where there is none, at the log's first event or behind its last; whether it was made now."""
        made = await session.execute(_BEGIN, {**self._row, "from_the_start": from_the_start})
        return made.one_or_none() is not None

    async def lease(self, session: AsyncSession, *, lease_s: float, at_once: bool = False) -> tuple[int, int] | None:
        """The next event's number and how often it was tried; None where another is at it, or the pause is not over."""
        values = {**self._row, "lease_s": lease_s, "at_once": at_once}
        row = (await session.execute(_LEASE, values)).one_or_none()
        return None if row is None else (row.next_seq, row.attempts)

    async def move(
        self,
        sessions: Sessions,
        *,
        was: int,
        to: int,
        told_at: datetime | None = None,
        problem: str | None = None,
        attempts: int = 0,
        skipped: int = 0,
        pause_s: float | None = None,
    ) -> None:
        """Write down what came of it, unless somebody else moved the row meanwhile. Opens a transaction of its own.

        The next look is after `pause_s`, or after as long as so many attempts in vain deserve.
        """
        wait_s = pause(attempts).total_seconds() if pause_s is None else pause_s
        moved = {"was": was, "next_seq": to, "told_at": told_at, "problem": problem, "attempts": attempts}
        async with sessions(self.tenant_id) as session:
            await session.execute(_MOVE, {**self._row, **moved, "skipped": skipped, "pause_s": wait_s})


def pause(attempts: int) -> timedelta:
    """How long a place that did not answer is left alone: twice as long each time, up to a quarter of an hour.

    >>> [pause(attempts).total_seconds() for attempts in (0, 1, 2, 3, 20)]
    [0.0, 5.0, 10.0, 20.0, 900.0]
    """
    return min(FIRST_PAUSE * 2 ** min(attempts - 1, 20), LONGEST_PAUSE) if attempts else timedelta(0)
