"""The most that can leave in one day without a person, as the policy's caps and limits have it.

It is a bound, not a forecast: it holds whatever tickets arrive, because limits are constraints of the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from policies.decision import LimitScope
from policies.document import LimitRule, Policy, Tier
from policies.locked import MOVES_MONEY
from policies.whatif.deciding import ACTS

DAY_S: Final = 86_400


def worst_day(policy: Policy, currencies: Iterable[str]) -> Mapping[str, int | None]:
    """Minor units by currency that could be refunded without a person within any 24 hours; None where unbounded.

    Limits of a single customer do not count: there may be any number of customers.
    """
    tiers = _acting(policy)
    return {currency: _in(policy, tiers, currency) for currency in sorted(currencies)}


def _acting(policy: Policy) -> list[Tier]:
    """Tiers that act and that a cell names for an action that moves money. A lower tier never acts in their place."""
    named = {cell.tier for cell in policy.autonomy.matrix if cell.action is None or cell.action in MOVES_MONEY}
    return [tier for tier in policy.autonomy.tiers if tier.mode in ACTS and tier.name in named]


def _in(policy: Policy, tiers: list[Tier], currency: str) -> int | None:
    largest = [_largest(tier, currency) for tier in tiers]
    possible = [amount for amount in largest if amount != 0]
    silent = any(limit.amounts is not None and currency not in limit.amounts for limit in policy.limits)
    if not possible or silent:
        return 0
    bounded = [amount for amount in possible if amount is not None]
    single = max(bounded) if len(bounded) == len(possible) else None
    return min((cap for limit in policy.limits for cap in _caps(limit, currency, single)), default=None)


def _largest(tier: Tier, currency: str) -> int | None:
    """The largest amount that the tier covers on any day; None without a bound."""
    if tier.at_most is None:
        return None
    return max([tier.at_most.get(currency, 0), *(band.at_most.get(currency, 0) for band in tier.during)])


def _caps(limit: LimitRule, currency: str, single: int | None) -> Iterator[int]:
    if limit.scope is not LimitScope.TENANT:
        return
    windows = max(1, -(-DAY_S // limit.window_s))  # how many of them it takes to cover a day
    if limit.amounts is not None:
        yield limit.amounts[currency] * windows
    if limit.count is not None and single is not None:
        yield limit.count * single * windows
