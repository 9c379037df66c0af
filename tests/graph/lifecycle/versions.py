from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import text

from app.db import Database
from graph.lifecycle.desk import Compared, Desk, Wish
from graph.lifecycle.gates import record
from graph.lifecycle.models import PolicySchedule
from graph.lifecycle.publishing import Act, Answer
from graph.lifecycle.requirements import REQUIRED_GATES
from graph.rulebook import Deciding, PolicyVersion, deciding

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def policy_text(at_most: int, *, name: str = "refunds", more: str = "") -> str:
    """A policy that refunds alone up to an amount."""
    return f"""
policy: {name}
segments: [standard]
autonomy:
  tiers:
    auto: {{mode: auto, at_most: {{usd: {at_most}}}}}
    approve: {{mode: approve}}
  matrix:
    - {{action: refund, tier: auto}}
limits:
  tenant:
    - {{id: day, window: 1d, amount: {{usd: 2000}}}}
rules:
  - id: duplicate
    effect: allow
    reason: The later of two charges goes back.
    when: {{action.kind: refund, charge.is_later_twin: true}}
{more}"""


@dataclass
class Office:
    """People, the clock and one tenant's versions."""

    database: Database
    tenant: str
    moment: datetime = START
    numbers: Any = field(default_factory=lambda: count(1))

    @property
    def desk(self) -> Desk:
        return Desk(lambda: self.database.tenant(self.tenant), self.tenant)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self.numbers):06d}"

    def passes(self, **time: float) -> None:
        self.moment += timedelta(**time)

    def act(self, actor: str = "ada", why: str = "an exercise") -> Act:
        return Act(actor, self.moment, why, self.new_id)

    async def wishes(
        self, source: str, *, actor: str = "ada", approver: str | None = None, gated: bool = False, **wish: Any
    ) -> Answer | PolicySchedule:
        """Somebody writes a policy and wishes it to decide, with what others said before."""
        compared = await self.written(source, actor=actor)
        if gated:
            await self.gate(compared.version)
        if approver is not None:
            await self.desk.approve(compared, self.act(approver))
        return await self.desk.publish(compared, Wish(**wish), self.act(actor))

    async def written(self, source: str, *, actor: str = "ada") -> Compared:
        return await self.desk.compared(await self.desk.draft(source, self.act(actor)))

    async def gate(self, version: PolicyVersion, *, passed: bool = True) -> None:
        async with self.database.tenant(self.tenant) as session:
            for gate in REQUIRED_GATES:
                await record(session, self.tenant, version.policy_hash, gate, {}, self.act("ci"), passed=passed)

    async def deciding(self) -> Deciding:
        async with self.database.tenant(self.tenant) as session:
            return await deciding(session, self.tenant)

    async def states(self) -> dict[str, str]:
        return {one.policy_hash: one.state for one in await self.desk.versions()}

    async def events(self, kind: str = "policy.") -> list[tuple[str, str, dict[str, Any]]]:
        query = text("SELECT kind, actor, body FROM audit_event WHERE kind LIKE :kind ORDER BY seq")
        async with self.database.tenant(self.tenant) as session:
            return [(row.kind, row.actor, row.body) for row in await session.execute(query, {"kind": f"{kind}%"})]
