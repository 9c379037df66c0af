"""Corrections as bug reports: what people said no to, rewrote or stopped, grouped by reason, request and rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


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
    """Corrections that are alike: a bug report. `runs` are pairs of run and ticket, the newest first."""

    cause: Cause
    reason_code: str
    intent: str
    action: str
    rule: str
    section: str
    runs: tuple[tuple[str, str], ...]
    newest: datetime

    @property
    def tickets(self) -> tuple[str, ...]:
        """The tickets, each once, the newest first."""
        return tuple(dict.fromkeys(ticket_id for _, ticket_id in self.runs))


_CORRECTED: Final = text(
    """
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
    )
    SELECT said.*, run.ticket_id, coalesce(run.actions -> 0 ->> 'intent', run.intents ->> 0, 'other') AS intent,
           coalesce(run.actions -> 0 ->> 'kind', '') AS action, coalesce(run.actions -> 0 ->> 'rule', '') AS rule,
           coalesce(run.actions -> 0 ->> 'section', '') AS section
      FROM said JOIN run ON run.tenant_id = :tenant AND run.run_id = said.run_id
     WHERE CAST(:run_id AS text) IS NULL OR said.run_id = :run_id
     ORDER BY said.at DESC, said.run_id LIMIT 5000
    """
)


async def corrections(
    session: AsyncSession, tenant_id: str, *, since: datetime, run_id: str | None = None
) -> list[Corrected]:
    """What people corrected since a time, the newest first; of one run where it is named."""
    rows = await session.execute(_CORRECTED, {"tenant": tenant_id, "since": since, "run_id": run_id})
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


def grouped(corrected: list[Corrected]) -> list[Group]:
    """The corrections in groups, the largest first. Pure."""
    found: dict[tuple[str, ...], list[Corrected]] = {}
    for one in corrected:
        key = (one.cause.value, one.reason_code, one.intent, one.action, one.rule)
        found.setdefault(key, []).append(one)
    groups = [
        Group(
            cause=members[0].cause,
            reason_code=members[0].reason_code,
            intent=members[0].intent,
            action=members[0].action,
            rule=members[0].rule,
            section=members[0].section,
            runs=tuple((one.run_id, one.ticket_id) for one in members),
            newest=members[0].at,
        )
        for members in found.values()
    ]
    return sorted(groups, key=lambda group: (-len(group.runs), group.intent, group.cause.value, group.reason_code))
