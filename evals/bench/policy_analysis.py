"""Rows `policy_check` and `policy_diff`: seconds for all that is proved about a policy of 200 rules that was read.

The difference is that from the same policy with a raised threshold.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from evals.bench.policy_decide import RULES, policy_with
from evals.bench.rows import Row, Sample
from policies.analysis.check import examine
from policies.analysis.compare import compare
from policies.canonical import content_hash
from policies.document import Policy

GOAL_S: Final = 3.0
RAISED_USD: Final = 6_000


def policy_check(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Seconds for all findings."""
    policy = policy_with(RULES)
    spent: list[float] = []
    found = 0
    for number in range(2 if is_quick else 7):
        started = time.perf_counter()
        found = len(examine(policy))
        spent.append(time.perf_counter() - started)
        say(f"policy_check round {number + 1}: {spent[-1]:.2f} s")
    parts = {"rules": float(len(policy.rules)), "findings": float(found)}
    return [Row("policy_check", Sample.of(spent), "s", None, GOAL_S, is_limit=True, parts=parts)]


def policy_diff(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Seconds for the difference."""
    before = policy_with(RULES)
    after = raised(before)
    spent: list[float] = []
    regions = 0
    for number in range(2 if is_quick else 7):
        started = time.perf_counter()
        regions = len(compare(before, after).regions)
        spent.append(time.perf_counter() - started)
        say(f"policy_diff round {number + 1}: {spent[-1]:.2f} s")
    parts = {"rules": float(len(after.rules)), "regions": float(regions)}
    return [Row("policy_diff", Sample.of(spent), "s", None, GOAL_S, is_limit=True, parts=parts)]


def raised(policy: Policy) -> Policy:
    """The policy with another amount for automatic refunds."""
    tiers = tuple(
        replace(tier, at_most={**tier.at_most, "usd": RAISED_USD}) if tier.at_most else tier
        for tier in policy.autonomy.tiers
    )
    changed = replace(policy, autonomy=replace(policy.autonomy, tiers=tiers))
    return replace(changed, content_hash=content_hash(changed))
