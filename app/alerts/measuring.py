"""Measuring a rule: its figure now, and what it was before, from the tables and the log. Reads only.

Runs count by when they began, so that the index on that time serves every window; answers by when they were given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.alerts.rules import Figure, Rule
from graph.breakers.trips import tripped
from policies.breakers import Measure

_RUNS: Final = {
    "retries": "round(100 * avg(retries))",
    "fan_out": "round(100 * avg(tool_calls))",
    "latency": "percentile_disc(0.95) WITHIN GROUP (ORDER BY worked_ms)",
    "tokens": "percentile_disc(0.95) WITHIN GROUP (ORDER BY input_tokens + output_tokens)",
    "spend": "sum(cost_usd_micros)",
    "escalations": "round(10000.0 * count(*) FILTER (WHERE outcome = 'handed_off') / nullif(count(*), 0))",
}
"""Of each rule over runs its figure in SQL."""

_ENDED: Final = frozenset({"escalations", "latency", "retries", "fan_out", "tokens"})
_ANSWERS: Final = text(
    """
    SELECT round(10000.0 * count(*) FILTER (WHERE state = 'rejected' OR sealed_reply IS NOT NULL)
                 / nullif(count(*), 0)) AS value, count(*) AS counted
      FROM approval WHERE tenant_id = :tenant AND decided_at > :since AND decided_at <= :until
    """
)
_ERRORS: Final = text(
    """
    SELECT split_part(subject, '.', 1) AS subject, sum(bad) AS bad, sum(total) AS total FROM tally
     WHERE tenant_id = :tenant AND measure = :measure AND minute > :since GROUP BY 1 ORDER BY 1
    """
)
_EVENTS: Final = text(
    """
    SELECT kind, count(*) AS counted FROM audit_event
     WHERE tenant_id = :tenant AND kind = ANY(:kinds) AND at > :since GROUP BY 1 ORDER BY 1
    """
)
_ROLLED_BACK: Final = text(
    """
    SELECT body ->> 'taken_back' AS version, body -> 'trigger' AS trigger FROM audit_event
     WHERE tenant_id = :tenant AND kind = 'policy.rolled_back' AND actor = 'canary' AND at > :since ORDER BY seq
    """
)
_DEMOTED: Final = text(
    """
    SELECT concat_ws(' x ', body ->> 'intent', nullif(body ->> 'segment', ''), body ->> 'action') AS cell,
           body ->> 'reason' AS reason
      FROM audit_event WHERE tenant_id = :tenant AND kind = 'autonomy.demoted' AND at > :since ORDER BY seq
    """
)
_DRAFT_ONLY: Final = text(
    "SELECT connector, reason FROM connector_state WHERE tenant_id = :tenant AND is_draft_only ORDER BY 1"
)
_SAFETY: Final = ("refund.orphan", "effect.human")


async def measured(session: AsyncSession, tenant_id: str, rule: Rule, now: datetime) -> list[Figure]:
    """The figures of a rule, one for each subject."""
    if rule.name in _RUNS:
        return [await _of_runs(session, tenant_id, rule, now)]
    return await _OTHERS[rule.name](session, tenant_id, rule, now)


async def _of_runs(session: AsyncSession, tenant_id: str, rule: Rule, now: datetime) -> Figure:
    since = now - rule.window
    value, counted = await _run_figure(session, tenant_id, rule, since, now)
    before = None
    if rule.before is not None:
        was, earlier = await _run_figure(session, tenant_id, rule, since - rule.before, since)
        before = was if earlier >= rule.least else None
    return Figure("", value, counted, before)


async def _run_figure(
    session: AsyncSession, tenant_id: str, rule: Rule, since: datetime, until: datetime
) -> tuple[int, int]:
    ended = " AND state = 'ended'" if rule.name in _ENDED else ""
    query = text(
        f"SELECT {_RUNS[rule.name]} AS value, count(*) AS counted FROM run"  # noqa: S608 - parts of our own
        f" WHERE tenant_id = :tenant AND arm <> 'held_out' AND started_at > :since AND started_at <= :until{ended}"
    )
    row = (await session.execute(query, {"tenant": tenant_id, "since": since, "until": until})).one()
    return int(row.value or 0), int(row.counted)


async def _overrides(session: AsyncSession, tenant_id: str, rule: Rule, now: datetime) -> list[Figure]:
    since = now - rule.window
    row = (await session.execute(_ANSWERS, {"tenant": tenant_id, "since": since, "until": now})).one()
    was = (
        await session.execute(
            _ANSWERS, {"tenant": tenant_id, "since": since - (rule.before or timedelta(0)), "until": since}
        )
    ).one()
    before = int(was.value or 0) if was.counted >= rule.least else None
    return [Figure("", int(row.value or 0), int(row.counted), before)]


async def _errors(session: AsyncSession, tenant_id: str, rule: Rule, now: datetime) -> list[Figure]:
    measure = Measure.MODEL_ERRORS if rule.name == "model_errors" else Measure.TOOL_ERRORS
    values = {"tenant": tenant_id, "measure": measure.value, "since": now - rule.window}
    return [
        Figure(row.subject, int(10_000 * row.bad // row.total), int(row.total), more={"bad": int(row.bad)})
        for row in await session.execute(_ERRORS, values)
        if row.total
    ]


async def _injections(session: AsyncSession, tenant_id: str, rule: Rule, now: datetime) -> list[Figure]:
    values = {"tenant": tenant_id, "measure": Measure.INJECTIONS.value, "since": now - rule.window}
    bad = sum(int(row.bad) for row in await session.execute(_ERRORS, values))
    return [Figure("", bad, 1)]


async def _signatures(session: AsyncSession, tenant_id: str, rule: Rule, now: datetime) -> list[Figure]:
    query = text(
        "SELECT coalesce(sum(count), 0) FROM security_event"
        " WHERE tenant_id = :tenant AND kind <> 'sign_in' AND minute > :since"
    )
    values = {"tenant": tenant_id, "since": now - rule.window}
    return [Figure("", int((await session.execute(query, values)).scalar_one()), 1)]


async def _safety(session: AsyncSession, tenant_id: str, rule: Rule, now: datetime) -> list[Figure]:
    values = {"tenant": tenant_id, "kinds": list(_SAFETY), "since": now - rule.window}
    return [Figure(row.kind, int(row.counted), 1) for row in await session.execute(_EVENTS, values)]


async def _breakers(session: AsyncSession, tenant_id: str, rule: Rule, now: datetime) -> list[Figure]:  # noqa: ARG001
    return [Figure(one.breaker_id, 1, 1, more={"cause": one.cause}) for one in await tripped(session, tenant_id)]


async def _draft_only(session: AsyncSession, tenant_id: str, rule: Rule, now: datetime) -> list[Figure]:  # noqa: ARG001
    rows = await session.execute(_DRAFT_ONLY, {"tenant": tenant_id})
    return [Figure(row.connector, 1, 1, more={"cause": row.reason or ""}) for row in rows]


async def _canary(session: AsyncSession, tenant_id: str, rule: Rule, now: datetime) -> list[Figure]:
    rows = await session.execute(_ROLLED_BACK, {"tenant": tenant_id, "since": now - rule.window})
    return [Figure(row.version[:12], 1, 1, more={"trigger": row.trigger}) for row in rows]


async def _demotions(session: AsyncSession, tenant_id: str, rule: Rule, now: datetime) -> list[Figure]:
    rows = await session.execute(_DEMOTED, {"tenant": tenant_id, "since": now - rule.window})
    newest = {row.cell: row.reason for row in rows}
    return [Figure(cell, 1, 1, more={"cause": reason}) for cell, reason in newest.items()]


Measuring = Callable[[AsyncSession, str, Rule, datetime], Awaitable[list[Figure]]]
_OTHERS: Final[Mapping[str, Measuring]] = {
    "overrides": _overrides,
    "connector_errors": _errors,
    "model_errors": _errors,
    "injections": _injections,
    "signatures": _signatures,
    "safety": _safety,
    "breakers": _breakers,
    "draft_only": _draft_only,
    "canary": _canary,
    "demotions": _demotions,
}
