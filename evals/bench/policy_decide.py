"""Row `decide`: one decision of a policy with 200 rules, facts to verdict with its reasons and both hashes.

The policy is the shipped one, its rules repeated for four brands, as a shop with several brands would write it. The
cases are those that ship with it, for each brand. Beside it stands the worst shape: every rule speaks about the same
action and intent, so that no index helps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import yaml

from evals.bench.rows import Row, Sample, percentile
from policies.canonical import content_hash
from policies.conditions import All, Among, Interval, Within
from policies.document import Policy, Rule
from policies.evaluate import decide as decide_by_policy
from policies.facts import CATALOGUE, Facts
from policies.parse import parse_policy
from policies.shelf import library, shipped_text
from policies.vocabulary import ActionKind, Intent, Verdict

GOAL_US: Final = 50.0
RULES: Final = 200
BRANDS: Final = ("east", "north", "south", "west")
NOW: Final = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def decide(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Median microseconds of a decision, and what it costs at the 99th percentile and in the worst shape."""
    rounds, repeats = (2, 1) if is_quick else (9, 20)
    policy, same_intent = policy_with(RULES), policy_of_one_intent(RULES)
    cases = shipped_facts()
    medians: list[float] = []
    tails: list[float] = []
    worst: list[float] = []
    for number in range(rounds):
        spent = measured_us(policy, cases * repeats)
        medians.append(percentile(spent, 0.5))
        tails.append(percentile(spent, 0.99))
        worst.append(percentile(measured_us(same_intent, cases), 0.5))
        say(f"decide round {number + 1} of {rounds}: {medians[-1]:.1f} us")
    parts = {
        "rules": float(len(policy.rules)),
        "cases": float(len(cases)),
        "p99_us": Sample.of(tails).median,
        "one_intent_us": Sample.of(worst).median,
    }
    return [Row("decide", Sample.of(medians), "us", None, GOAL_US, is_limit=True, parts=parts)]


def measured_us(policy: Policy, cases: Sequence[Mapping[str, object]]) -> list[float]:
    """Microseconds of each decision. The facts are new, so their digest is part of it; reading them is not."""
    warm = [Facts(case) for case in cases]
    for facts in warm:
        decide_by_policy(policy, facts, now=NOW)
    spent: list[float] = []
    for facts in (Facts(case) for case in cases):
        started = time.perf_counter_ns()
        decide_by_policy(policy, facts, now=NOW)
        spent.append((time.perf_counter_ns() - started) / 1000)
    return spent


def policy_with(rules: int) -> Policy:
    """The shipped policy with so many rules, each further one an ordinary one for a single brand."""
    shipped = parse_policy(shipped_text(), name="refunds.yaml")
    copies = (_for_brand(rule, brand) for brand in BRANDS for rule in shipped.rules)
    more = tuple(islice(copies, rules - len(shipped.rules)))
    return _identified(replace(shipped, brands=BRANDS, rules=(*shipped.rules, *more)))


def _for_brand(rule: Rule, brand: str) -> Rule:
    asked = Among(CATALOGUE["request.brand"], frozenset({brand}))
    parts = rule.condition.parts if isinstance(rule.condition, All) else (rule.condition,)
    return replace(rule, rule_id=f"{brand}-{rule.rule_id}", condition=All((*parts, asked)))


def policy_of_one_intent(rules: int) -> Policy:
    """So many rules about refunds of duplicate charges, told apart by the charge's age and the customer's refunds."""
    shipped = parse_policy(shipped_text(), name="refunds.yaml")
    made = tuple(
        Rule(
            rule_id=f"rule-{number}",
            section=None,
            effect=Verdict.NEEDS_APPROVAL,
            reason="An old charge of a customer with many refunds.",
            condition=All(
                (
                    Among(CATALOGUE["action.kind"], frozenset({ActionKind.REFUND.value})),
                    Among(CATALOGUE["request.intent"], frozenset({Intent.DUPLICATE_CHARGE.value})),
                    Within(CATALOGUE["charge.age_days"], Interval(low=number + 100)),
                    Within(CATALOGUE["customer.refunds_90d"], Interval(low=number % 7)),
                ),
            ),
        )
        for number in range(rules)
    )
    return _identified(replace(shipped, policy_id="one-intent", rules=made))


def _identified(policy: Policy) -> Policy:
    return replace(policy, content_hash=content_hash(policy))


def shipped_facts() -> list[dict[str, object]]:
    """The facts of the cases that ship with the policy, for two brands with rules of their own and one without."""
    content: dict[str, Any] = yaml.safe_load((library() / "refunds.cases.yaml").read_text(encoding="utf-8"))
    found: list[dict[str, object]] = []
    for case in content["cases"]:
        situation = content["situations"].get(case.get("situation"), {})
        facts = {**content["base"], **situation, **case.get("with", {})}
        found += [{**facts, "request.brand": brand} for brand in ("north", "south", "elsewhere")]
    return found
