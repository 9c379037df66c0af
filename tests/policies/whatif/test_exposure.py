"""The worst day follows from limits and tiers alone."""

from __future__ import annotations

import pytest

from policies.whatif.exposure import worst_day
from tests.policies.whatif.pasts import POLICY
from tests.policies.writing import parsed

DAY = "[{id: day, window: 1d, amount: {usd: 2000, eur: 1000}}]"


@pytest.mark.parametrize(
    ("limits", "worst"),
    [
        (DAY, {"eur": 100_000, "usd": 200_000}),
        ("[{id: hour, window: 1h, amount: {usd: 100, eur: 1}}]", {"eur": 2400, "usd": 240_000}),
        ("[{id: odd, window: 7h, amount: {usd: 100, eur: 1}}]", {"eur": 400, "usd": 40_000}),
        ("[{id: week, window: 7d, amount: {usd: 2000, eur: 1}}]", {"eur": 100, "usd": 200_000}),
        ("[{id: count, window: 1d, count: 3}]", {"eur": 12_000, "usd": 15_000}),
        ("[{id: day, window: 1d, amount: {usd: 2000}}]", {"eur": 0, "usd": 200_000}),
    ],
)
def test_the_tightest_limit_of_the_tenant_bounds_the_day(limits: str, worst: dict[str, int]) -> None:
    assert worst_day(parsed(POLICY.replace(DAY, limits)), ["usd", "eur"]) == worst


def test_without_a_limit_nothing_bounds_the_day() -> None:
    text = POLICY.replace(f"limits:\n  tenant: {DAY}\n", "")
    assert worst_day(parsed(text), ["usd", "gbp"]) == {"usd": None, "gbp": 0}


def test_limits_of_one_customer_do_not_bound_the_shop() -> None:
    assert worst_day(parsed(POLICY.replace("tenant:", "customer:")), ["usd"]) == {"usd": None}


def test_a_tier_without_an_amount_covers_every_currency() -> None:
    text = POLICY.replace(", at_most: {usd: 50, eur: 40}", "")
    assert worst_day(parsed(text.replace(DAY, "[{id: n, window: 1d, count: 3}]")), ["usd"]) == {"usd": None}


def test_where_no_tier_acts_nothing_leaves() -> None:
    assert worst_day(parsed(POLICY.replace("mode: auto", "mode: approve")), ["usd"]) == {"usd": 0}
