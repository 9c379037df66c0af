"""The bench of decisions measures what it says: so many rules, real cases, and a row with the goal."""

from __future__ import annotations

from evals.bench.policy_decide import GOAL_US, NOW, decide, policy_of_one_intent, policy_with, shipped_facts
from policies.evaluate import decide as decide_by_policy
from policies.facts import Facts
from policies.vocabulary import Verdict


def test_the_row_tells_the_median_the_tail_and_the_worst_shape() -> None:
    said: list[str] = []
    (row,) = decide(is_quick=True, say=said.append)
    assert (row.name, row.unit, row.goal, row.is_limit) == ("decide", "us", GOAL_US, True)
    assert row.parts["rules"] == 200
    assert 0 < row.value.median <= row.parts["p99_us"]
    assert len(said) == 2


def test_rules_of_a_brand_speak_beside_the_shops_own() -> None:
    policy = policy_with(200)
    facts = next(one for one in shipped_facts() if one["request.brand"] == "north")
    decision = decide_by_policy(policy, Facts(facts), now=NOW)
    named = {match.rule for match in decision.reasons}
    assert any(rule.startswith("north-") for rule in named)
    assert not any(rule.startswith("south-") for rule in named)


def test_in_the_worst_shape_every_rule_is_asked() -> None:
    old = {**shipped_facts()[0], "request.intent": "duplicate_charge", "charge.age_days": 900}
    decision = decide_by_policy(policy_of_one_intent(200), Facts({**old, "customer.refunds_90d": 9}), now=NOW)
    assert decision.verdict is Verdict.NEEDS_APPROVAL
    assert sum(match.rule.startswith("rule-") for match in decision.reasons) == 200
