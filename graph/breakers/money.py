"""Breakers of money, as limits that the reservation draws on: exact however many workers reserve at once.

The database refuses the reservation that would pass the bound; that refusal trips the breaker.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from graph.breakers.trips import LIMIT_PREFIX, Watched, trip
from policies.breakers import Breaker, Measure
from policies.decision import Limit, LimitScope
from policies.document import Policy


def _of_money(policy: Policy, watched: Watched) -> list[Breaker]:
    return [
        one
        for one in policy.breakers
        if one.measure is Measure.MONEY and one.scope.covers(watched.intent, watched.brand, watched.tier)
    ]


def limits_of(policy: Policy, watched: Watched, currency: str) -> tuple[Limit, ...]:
    """The limits that a refund without a person draws on for the policy's breakers of money."""
    return tuple(
        Limit(LIMIT_PREFIX + one.breaker_id, LimitScope.TENANT, one.window_s, cap_minor=one.amounts[currency])
        for one in _of_money(policy, watched)
        if one.amounts is not None and currency in one.amounts
    )


def without_amount(policy: Policy, watched: Watched, currency: str) -> str | None:
    """The breaker that ought to count this refund and states no amount in its currency, where there is one."""
    silent = (one.breaker_id for one in _of_money(policy, watched) if currency not in (one.amounts or {}))
    return next(silent, None)


def is_of_breaker(limit_id: str) -> bool:
    """Whether the limit holds a breaker of money."""
    return limit_id.startswith(LIMIT_PREFIX)


async def trip_for(
    session: AsyncSession,
    tenant_id: str,
    policy: Policy,
    limit_id: str,
    *,
    now: datetime,
    new_id: Callable[[str], str],
) -> str:
    """Trip the breaker whose limit had no room, in the session's transaction; what happened, for people."""
    breaker = next(one for one in policy.breakers if LIMIT_PREFIX + one.breaker_id == limit_id)
    cause = f"a refund would have passed its amount within {breaker.window_s} s"
    figures = {"amounts": dict(breaker.amounts or {}), "window_s": breaker.window_s}
    await trip(session, tenant_id, breaker, cause=cause, figures=figures, now=now, new_id=new_id)
    return f"breaker {breaker.breaker_id} tripped: {cause}"
