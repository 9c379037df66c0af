"""The week on one page: work, evaluations, cost, hostile attempts, alerts, incidents, autonomy. Figures only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.alerts.rules import Unit, spelled
from app.identity.accounts import Act
from graph.audit.log import append

WEEK: Final = timedelta(days=7)
ANOMALY_PERCENT: Final = 130
"""Cost of so much of the week before, or more, is pointed out."""

_RUNS: Final = text(
    """
    SELECT coalesce(outcome, 'under_way') AS outcome, count(*) AS runs, coalesce(sum(cost_usd_micros), 0) AS cost
      FROM run WHERE tenant_id = :tenant AND started_at > :since AND started_at <= :until GROUP BY 1 ORDER BY 1
    """
)
_EVENTS: Final = text(
    """
    SELECT kind || CASE WHEN kind = 'policy.gate' THEN CASE body ->> 'passed' WHEN 'true' THEN '.passed'
                        ELSE '.failed' END ELSE '' END AS kind, count(*) AS counted
      FROM audit_event WHERE tenant_id = :tenant AND kind = ANY(:kinds) AND at > :since AND at <= :until
     GROUP BY 1 ORDER BY 1
    """
)
_ALERTS: Final = text(
    """
    SELECT rule, count(*) AS counted FROM alert
     WHERE tenant_id = :tenant AND raised_at > :since AND raised_at <= :until GROUP BY 1 ORDER BY 1
    """
)
_HOSTILE: Final = text(
    """
    SELECT coalesce((SELECT sum(bad) FROM tally WHERE tenant_id = :tenant AND measure = 'injections'
                      AND minute > :since AND minute <= :until), 0) AS injections,
           coalesce((SELECT sum(count) FROM security_event WHERE tenant_id = :tenant
                      AND minute > :since AND minute <= :until), 0) AS knocks
    """
)
KINDS: Final[Mapping[str, str]] = {
    "policy.gate.passed": "gates passed",
    "policy.gate.failed": "gates not passed",
    "policy.published": "policies published",
    "policy.canary_started": "canaries started",
    "policy.rolled_back": "policies taken back",
    "models.changed": "changes of models or prompts",
    "autonomy.recorded": "reports of the suites recorded",
    "autonomy.proposed": "cells proposed to move up",
    "autonomy.applied": "cells moved up",
    "autonomy.demoted": "cells moved down by themselves",
    "incident.opened": "incidents opened",
    "incident.closed": "incidents closed",
    "scenario.kept": "candidate scenarios kept",
    "breaker.tripped": "breakers tripped",
    "refund.orphan": "refunds that nobody intended",
    "effect.human": "effects that nobody could resolve",
}


@dataclass(frozen=True, slots=True)
class Digest:
    """Figures of a week. Cost is in millionths of a US dollar; `events` are by the names of `KINDS`."""

    since: datetime
    until: datetime
    runs: Mapping[str, int]
    cost_usd_micros: int
    cost_before_usd_micros: int
    events: Mapping[str, int]
    alerts: Mapping[str, int]
    injections: int
    refused_knocks: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all happened."""
        return not (self.runs or self.events or self.alerts or self.injections or self.refused_knocks)

    @property
    def is_costly(self) -> bool:
        """Whether the cost is out of the ordinary."""
        return bool(
            self.cost_before_usd_micros and self.cost_usd_micros * 100 >= self.cost_before_usd_micros * ANOMALY_PERCENT
        )

    def form(self) -> dict[str, object]:
        """For a program."""
        return {**asdict(self), "since": self.since.isoformat(), "until": self.until.isoformat()}

    def lines(self) -> Iterator[str]:
        """For a person."""
        yield f"{self.since:%Y-%m-%d} to {self.until:%Y-%m-%d}, {sum(self.runs.values())} runs"
        yield from (f"- {outcome.replace('_', ' ')}: {count}" for outcome, count in self.runs.items())
        before = spelled(self.cost_before_usd_micros, Unit.MONEY)
        points = ": look at it" if self.is_costly else ""
        yield f"- models cost {spelled(self.cost_usd_micros, Unit.MONEY)}, the week before {before}{points}"
        yield f"- messages that tried to instruct the agent: {self.injections}; refused knocks: {self.refused_knocks}"
        yield from (f"- {KINDS[kind]}: {count}" for kind, count in self.events.items())
        yield from (f"- alert {rule.replace('_', ' ')}: {count}" for rule, count in self.alerts.items())


async def gather(session: AsyncSession, tenant_id: str, until: datetime, span: timedelta = WEEK) -> Digest:
    """The figures of the span that ends at `until`."""
    values = {"tenant": tenant_id, "since": until - span, "until": until}
    runs = (await session.execute(_RUNS, values)).all()
    earlier = (await session.execute(_RUNS, {**values, "since": until - 2 * span, "until": until - span})).all()
    kinds = sorted({kind.removesuffix(".passed").removesuffix(".failed") for kind in KINDS})
    events = await session.execute(_EVENTS, {**values, "kinds": kinds})
    alerts = await session.execute(_ALERTS, values)
    hostile = (await session.execute(_HOSTILE, values)).one()
    return Digest(
        since=until - span,
        until=until,
        runs={row.outcome: int(row.runs) for row in runs},
        cost_usd_micros=sum(int(row.cost) for row in runs),
        cost_before_usd_micros=sum(int(row.cost) for row in earlier),
        events={row.kind: int(row.counted) for row in events},
        alerts={row.rule: int(row.counted) for row in alerts},
        injections=int(hostile.injections),
        refused_knocks=int(hostile.knocks),
    )


async def tell(session: AsyncSession, tenant_id: str, digest: Digest, act: Act) -> None:
    """Put the digest into the log, whence places that want it hear of it, in the session's transaction."""
    body = {"said": "\n".join(digest.lines()), "figures": digest.form()}
    await append(
        session, tenant_id=tenant_id, at=act.now, kind="digest.made", actor=act.actor, new_id=act.new_id, body=body
    )
