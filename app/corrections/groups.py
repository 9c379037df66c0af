"""Corrections as bug reports: what people said no to, rewrote or stopped, grouped by reason, request and rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

MOST_RUNS: Final = 100
"""Runs of a group that are named, the newest ones. How many there are is always said."""
_EVERY: Final = 2**31 - 1


class Cause(StrEnum):
    """How people corrected."""

    REJECTED = "rejected"  # they said no to what they were asked
    EDITED = "edited"  # they said yes, with other words to the customer
    STOPPED = "stopped"  # they took the ticket over while money was held
    JUDGED = "judged"  # they would not have done what was done alone


@dataclass(frozen=True, slots=True)
class Corrected:
    """One corrected run. `reason_code` is empty where nobody gave one."""

    run_id: str
    ticket_id: str
    cause: Cause
    reason_code: str
    intent: str
    action: str
    rule: str
    section: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """Corrections that are alike: a bug report. `runs` are the newest of them, as pairs of run and ticket."""

    cause: Cause
    reason_code: str
    intent: str
    action: str
    rule: str
    section: str
    count: int
    runs: tuple[tuple[str, str], ...]
    newest: datetime

    @property
    def tickets(self) -> tuple[str, ...]:
        """Their tickets, each once, the newest first."""
        return tuple(dict.fromkeys(ticket_id for _, ticket_id in self.runs))


_TOLD: Final = """
    WITH said AS (
      SELECT run_id, CASE state WHEN 'rejected' THEN 'rejected' ELSE 'edited' END AS cause,
             coalesce(reason_code, '') AS reason_code, decided_at AS at
        FROM approval
       WHERE tenant_id = :tenant AND decided_at > :since
         AND (state = 'rejected' OR (sealed_reply IS NOT NULL AND state IN ('approved', 'used')))
      UNION ALL
      SELECT run_id, 'judged', coalesce(reason_code, ''), answered_at FROM review_check
       WHERE tenant_id = :tenant AND kind = 'blind' AND answer = 'reject' AND answered_at > :since
      UNION ALL
      SELECT run_id, 'stopped', '', max(created_at) FROM effect
       WHERE tenant_id = :tenant AND kind = 'refund' AND state = 'stopped' AND reason = 'human_took_over'
         AND created_at > :since
       GROUP BY run_id
    ), told AS (
      SELECT said.*, run.ticket_id, coalesce(run.actions -> 0 ->> 'intent', run.intents ->> 0, 'other') AS intent,
             coalesce(run.actions -> 0 ->> 'kind', '') AS action, coalesce(run.actions -> 0 ->> 'rule', '') AS rule,
             coalesce(run.actions -> 0 ->> 'section', '') AS section
        FROM said JOIN run ON run.tenant_id = :tenant AND run.run_id = said.run_id
    )
"""
_OF_RUN: Final = text(f"{_TOLD} SELECT * FROM told WHERE run_id = :run_id ORDER BY at DESC")  # noqa: S608 - parts of our own
GROUPS: Final = f"""
    {_TOLD}
    SELECT cause, reason_code, intent, action, rule, count(*) AS times, max(at) AS newest,
           (array_agg(section ORDER BY at DESC, run_id))[1] AS section,
           (array_agg(run_id ORDER BY at DESC, run_id))[1:CAST(:most AS int)] AS runs,
           (array_agg(ticket_id ORDER BY at DESC, run_id))[1:CAST(:most AS int)] AS tickets
      FROM told GROUP BY cause, reason_code, intent, action, rule
     ORDER BY count(*) DESC, intent, cause, reason_code, action, rule
    """  # noqa: S608
"""The corrections in groups, in SQL: `tenant`, `since`, and `most` runs of each that are named."""


async def corrected(session: AsyncSession, tenant_id: str, *, since: datetime, run_id: str) -> list[Corrected]:
    """What people corrected of a run since a time, the newest first."""
    rows = await session.execute(_OF_RUN, {"tenant": tenant_id, "since": since, "run_id": run_id})
    return [
        Corrected(
            row.run_id,
            row.ticket_id,
            Cause(row.cause),
            row.reason_code,
            row.intent,
            row.action,
            row.rule,
            row.section,
            row.at,
        )
        for row in rows
    ]


async def grouped(
    session: AsyncSession, tenant_id: str, *, since: datetime, most: int | None = MOST_RUNS
) -> list[Group]:
    """All corrections since a time in groups, the largest first, each with so many of its runs; None names all."""
    rows = await session.execute(text(GROUPS), {"tenant": tenant_id, "since": since, "most": most or _EVERY})
    return [
        Group(
            cause=Cause(row.cause),
            reason_code=row.reason_code,
            intent=row.intent,
            action=row.action,
            rule=row.rule,
            section=row.section,
            count=row.times,
            runs=tuple(zip(row.runs, row.tickets, strict=True)),
            newest=row.newest,
        )
        for row in rows
    ]
