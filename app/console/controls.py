"""What stops the agent, and what it has left: switches, breakers, limits of money, budgets of runs. As it is now.

Read from our own tables in one transaction. Switching off is at once: what is held and may not be sent any more is
stopped in the same request, and does not wait for a worker to look.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.breakers.models import TrippedBreaker
from graph.breakers.money import is_of_breaker
from graph.breakers.standing import standing
from graph.breakers.trips import ACTS, LIMIT_PREFIX, Watched, covers, scope_of
from graph.rulebook import deciding, load_policy
from graph.settlement.models import Effect, EffectState, Switch
from graph.tenancy import EVERY_TENANT
from policies.breakers import Breaker, Measure
from policies.decision import LimitScope, RunBudget
from policies.document import LimitRule, Policy
from policies.vocabulary import Tool

A_DAY: Final = timedelta(days=1)
WRITES: Final = ACTS | {Tool.ZENDESK_UPDATE}
"""Tools that change something outside."""

_PENDING: Final = (EffectState.HELD.value, EffectState.SENDING.value, EffectState.UNKNOWN.value)
_USED: Final = text(
    """
    SELECT currency, sum(amount_minor) AS minor, count(*) AS refunds FROM (
      SELECT currency, amount_minor FROM reservation
       WHERE tenant_id = :tenant_id AND limit_id = :limit_id AND scope_key = 'tenant'
         AND (spent_at IS NULL OR spent_at > :since)
      UNION ALL
      SELECT currency, amount_minor FROM foreign_refund
       WHERE tenant_id = :tenant_id AND made_at > :since AND status NOT IN ('failed', 'canceled')
    ) AS drawn GROUP BY currency
    """,
)
"""What a limit of the tenant holds, summed as the database itself sums it where it refuses (migration 0004)."""
_SPENT: Final = text(
    """
    SELECT count(*) AS runs, count(*) FILTER (WHERE reason = 'budget_exhausted') AS exhausted,
           coalesce(sum(tool_calls), 0) AS tool_calls, coalesce(sum(model_calls), 0) AS model_calls,
           coalesce(sum(input_tokens + output_tokens), 0) AS tokens,
           coalesce(sum(cost_usd_micros), 0) AS cost_usd_micros
      FROM run WHERE tenant_id = :tenant_id AND started_at > :since
    """,
)


@dataclass(frozen=True, slots=True)
class Pending:
    """Effects of a tool that have not come to an end: held ones can be stopped, the others are on their way."""

    held: int = 0
    runs_held: int = 0
    held_minor: Mapping[str, int] | None = None
    on_their_way: int = 0


@dataclass(frozen=True, slots=True)
class ToolState:
    """A tool, and who stopped it: here, or for every tenant. `last` is the newest change here, also one to `on`."""

    tool: Tool
    off: Switch | None
    off_everywhere: Switch | None
    last: Switch | None
    pending: Pending

    @property
    def is_off(self) -> bool:
        """Whether it may not be used."""
        return self.off is not None or self.off_everywhere is not None


@dataclass(frozen=True, slots=True)
class BreakerState:
    """A breaker that the policy states, or that once tripped. `covers` counts what is held and would be stopped."""

    breaker_id: str
    stated: Breaker | None
    row: TrippedBreaker | None
    covers: int

    @property
    def is_tripped(self) -> bool:
        """Whether what it covers is only drafted."""
        return self.row is not None and self.row.is_tripped


@dataclass(frozen=True, slots=True)
class LimitState:
    """What a limit of all refunds holds in one currency within its window. A cap of None is none."""

    limit_id: str
    is_breaker: bool
    window_s: int
    automatic_only: bool
    currency: str
    used_minor: int
    cap_minor: int | None
    used_count: int
    cap_count: int | None

    @property
    def used_percent(self) -> int:
        """Of the cap that is nearer, at most a hundred."""
        shares = [
            used * 100 // cap
            for used, cap in ((self.used_minor, self.cap_minor), (self.used_count, self.cap_count))
            if cap
        ]
        return min(100, max(shares, default=0))


@dataclass(frozen=True, slots=True)
class Spent:
    """What the runs that began within a day used, and how many of them reached a budget."""

    runs: int
    exhausted: int
    tool_calls: int
    model_calls: int
    tokens: int
    cost_usd_micros: int


@dataclass(frozen=True, slots=True)
class Controls:
    """Everything that stops the agent, and what it has left. Without a published policy there are no budgets."""

    tools: Sequence[ToolState]
    breakers: Sequence[BreakerState]
    limits: Sequence[LimitState]
    budgets: RunBudget | None
    spent: Spent
    at: datetime


async def read_controls(session: AsyncSession, tenant_id: str, now: datetime) -> Controls:
    """How all of it stands now."""
    published = (await deciding(session, tenant_id)).published
    policy = None if published is None else await load_policy(session, tenant_id, published)
    waiting = await _waiting(session, tenant_id)
    spent = (await session.execute(_SPENT, {"tenant_id": tenant_id, "since": now - A_DAY})).one()
    return Controls(
        tools=await _tools(session, tenant_id, waiting),
        breakers=await _breakers(session, tenant_id, waiting),
        limits=[] if policy is None else await _limits(session, tenant_id, policy, now),
        budgets=None if policy is None else policy.budgets,
        spent=Spent(*(int(value) for value in spent)),
        at=now,
    )


async def _waiting(session: AsyncSession, tenant_id: str) -> Sequence[Effect]:
    query = select(Effect).where(col(Effect.tenant_id) == tenant_id, col(Effect.state).in_(_PENDING))
    return (await session.execute(query.order_by(col(Effect.effect_id)))).scalars().all()


async def _tools(session: AsyncSession, tenant_id: str, waiting: Sequence[Effect]) -> list[ToolState]:
    query = select(Switch).where(col(Switch.tenant_id).in_([tenant_id, EVERY_TENANT]))
    rows = {(row.tenant_id, row.tool): row for row in (await session.execute(query)).scalars()}
    states = []
    for tool in Tool:
        here, everywhere = rows.get((tenant_id, tool.value)), rows.get((EVERY_TENANT, tool.value))
        states.append(
            ToolState(
                tool=tool,
                off=here if here is not None and here.is_off else None,
                off_everywhere=everywhere if everywhere is not None and everywhere.is_off else None,
                last=here,
                pending=_pending([one for one in waiting if one.tool == tool.value]),
            )
        )
    return states


def _pending(effects: Sequence[Effect]) -> Pending:
    held = [one for one in effects if one.state == EffectState.HELD.value]
    money: dict[str, int] = defaultdict(int)
    for one in held:
        if one.amount_minor is not None and one.currency is not None:
            money[one.currency] += one.amount_minor
    return Pending(len(held), len({one.run_id for one in held}), dict(sorted(money.items())), len(effects) - len(held))


async def _breakers(session: AsyncSession, tenant_id: str, waiting: Sequence[Effect]) -> list[BreakerState]:
    stated, rows = await standing(session, tenant_id)
    unapproved = [
        one
        for one in waiting
        if one.state == EffectState.HELD.value and one.watched is not None and one.approval_id is None
    ]
    return [
        BreakerState(
            breaker_id=name,
            stated=stated.get(name),
            row=rows.get(name),
            covers=_covered(stated.get(name), rows.get(name), unapproved),
        )
        for name in sorted({*stated, *rows})
    ]


def _covered(stated: Breaker | None, row: TrippedBreaker | None, held: Sequence[Effect]) -> int:
    """How much of it the breaker covers: as it was when it tripped, else as the policy states it."""
    if row is not None and (row.is_tripped or stated is None):
        tool, scope = row.tool, scope_of(row)
    elif stated is not None:
        tool, scope = stated.tool.value if stated.tool is not None else None, stated.scope
    else:
        return 0
    return sum(covers(tool, scope, one.tool, Watched.read(one.watched or {})) for one in held)


async def _limits(session: AsyncSession, tenant_id: str, policy: Policy, now: datetime) -> list[LimitState]:
    """Limits of all refunds together, and breakers of money, which are held as such. Of single customers: none."""
    limits = [one for one in policy.limits if one.scope is LimitScope.TENANT]
    limits += [
        LimitRule(LIMIT_PREFIX + one.breaker_id, LimitScope.TENANT, one.window_s, one.amounts, None)
        for one in policy.breakers
        if one.measure is Measure.MONEY
    ]
    return [state for limit in limits for state in _states(limit, await _drawn(session, tenant_id, limit, now))]


async def _drawn(
    session: AsyncSession, tenant_id: str, limit: LimitRule, now: datetime
) -> Mapping[str, tuple[int, int]]:
    """Money and number of refunds by currency."""
    since = now - timedelta(seconds=limit.window_s)
    rows = await session.execute(_USED, {"tenant_id": tenant_id, "limit_id": limit.limit_id, "since": since})
    return {row.currency: (int(row.minor), int(row.refunds)) for row in rows}


def _states(limit: LimitRule, drawn: Mapping[str, tuple[int, int]]) -> list[LimitState]:
    """One for each currency that is drawn on; else the first that is stated, so that a limit at rest is seen, too."""
    currencies = sorted(drawn) or list(limit.amounts or ())[:1]
    return [
        LimitState(
            limit_id=limit.limit_id.removeprefix(LIMIT_PREFIX),
            is_breaker=is_of_breaker(limit.limit_id),
            window_s=limit.window_s,
            automatic_only=limit.automatic_only,
            currency=currency,
            used_minor=drawn.get(currency, (0, 0))[0],
            cap_minor=(limit.amounts or {}).get(currency),
            used_count=sum(refunds for _, refunds in drawn.values()),
            cap_count=limit.count,
        )
        for currency in currencies
    ]
