"""The policy that ships: its cases, its sections, and what no amount and no order of rules may change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.analysis.check import examine
from policies.conditions import All, Condition, Within
from policies.document import Policy, Rule
from policies.evaluate import decide
from policies.explain import bounded_leaves
from policies.facts import CATALOGUE, Facts, FactType, FactValue
from policies.tables import RANK, may_hold
from policies.vocabulary import ActionKind, Intent, Verdict
from tests.policies.shipped import (
    NOW,
    ShippedCase,
    article,
    base_facts,
    cases_of,
    files_with_cases,
    shipped,
    shipped_cases,
)

T = TypeVar("T")

POLICY = shipped()
SEVERITY = {Verdict.ALLOW: 0, Verdict.NEEDS_APPROVAL: 1, Verdict.DENY: 2}


@pytest.mark.parametrize(
    ("policy", "case"),
    [pytest.param(name, case, id=f"{name}-{case.name}") for name in files_with_cases() for case in cases_of(name)],
)
def test_case_is_decided_as_its_file_says(policy: str, case: ShippedCase) -> None:
    decision = decide(article(policy), Facts(case.facts), now=NOW)
    seen = {
        "verdict": decision.verdict.value,
        "mode": decision.mode.value,
        "rule": decision.rule,
        "section": decision.section,
        "approvers": list(decision.approvers),
        "hold_s": decision.hold_s,
        "cause": decision.cause,
        "four_eyes": decision.four_eyes,
        "risk_score": decision.risk_score,
    }
    assert {key: seen[key] for key in case.expected} == case.expected


@pytest.mark.parametrize("name", files_with_cases())
def test_every_rule_decides_a_case(name: str) -> None:
    decided = {case.expected.get("rule") for case in cases_of(name)}
    assert {rule.rule_id for rule in own_rules(article(name))} - decided == set()


def own_rules(policy: Policy) -> list[Rule]:
    """The rules that no ruleset brings: those are tried by the ruleset's own cases."""
    rulesets = [article(check.target) for check in policy.verification if check.kind == "policy"]
    brought = {rule.rule_id for ruleset in rulesets for rule in ruleset.rules}
    return [rule for rule in policy.rules if rule.rule_id not in brought]


def bounds_of(policy: Policy) -> Iterator[tuple[str, Condition, str, str | None, int]]:
    """Each threshold of rules, risk factors and tiers: whose it is, where it holds, fact, currency, bound."""
    parts = [(rule.rule_id, rule.condition) for rule in own_rules(policy)]
    parts += [(factor.factor_id, factor.condition) for factor in policy.risk.factors]
    for name, condition in parts:
        for leaf in bounded_leaves(condition):
            intervals = {None: leaf.interval} if isinstance(leaf, Within) else dict(leaf.intervals)
            for currency, interval in intervals.items():
                for bound in {interval.low, interval.high}:
                    if bound is not None:
                        yield name, condition, leaf.fact.name, currency, bound
    for tier in policy.autonomy.tiers:
        for currency, bound in (tier.at_most or {}).items():
            yield tier.name, All(()), "action.amount_minor", currency, bound


@pytest.mark.parametrize("name", files_with_cases())
def test_every_bound_is_tried_one_below_on_it_and_one_above(name: str) -> None:
    untried: dict[tuple[str, str, str | None], set[int]] = {}
    for part, condition, fact, currency, bound in bounds_of(article(name)):
        tried = {case.facts.get(fact) for case in cases_of(name) if speaks_about(condition, currency, case)}
        # No count is below zero.
        wanted = {number for number in (bound - 1, bound, bound + 1) if number >= 0 or CATALOGUE[fact].unit != "count"}
        if wanted - tried:
            untried[(part, fact, currency)] = wanted - tried
    assert untried == {}


def speaks_about(condition: Condition, currency: str | None, case: ShippedCase) -> bool:
    known = {key: case.facts[key] for key in ("action.kind", "request.intent") if case.facts.get(key) is not None}
    return may_hold(condition, Facts(known)) and currency in {None, case.facts.get("action.currency")}


def test_every_section_that_is_cited_exists_in_the_shops_documents() -> None:
    shop = resources.files("kb") / "library" / "demo-shop"
    for rule in POLICY.rules:
        if rule.section is not None:
            document, _, number = rule.section.partition("#")
            text = (shop / f"{document}.md").read_text(encoding="utf-8")
            assert re.search(rf"\{{#{re.escape(number)}\}}", text), rule.section


def test_nothing_about_the_shipped_policy_calls_for_a_remark() -> None:
    assert [finding for finding in examine(POLICY) if not finding.is_note] == []


def test_limits_and_budgets_are_those_of_the_shop() -> None:
    decision = decide(POLICY, Facts(base_facts()), now=NOW)
    caps = {limit.limit_id: (limit.window_s, limit.cap_minor, limit.cap_count) for limit in decision.limits}
    assert caps == {
        "customer-90d": (90 * 86400, 20000, 2),
        "shop-day": (86400, 200000, None),
        "shop-hour": (3600, 50000, None),
    }
    assert POLICY.approvals.expires_s == 72 * 3600
    assert (POLICY.questions.max_questions, POLICY.questions.wait_s) == (2, 7 * 86400)
    assert POLICY.budgets.spend_usd_micros == 250_000


def test_what_a_person_approves_is_not_counted_against_automatic_limits() -> None:
    assert decide(POLICY, Facts(base_facts(action__amount_minor=5001)), now=NOW).limits == ()


# properties


def values_of(name: str) -> st.SearchStrategy[FactValue]:
    fact = CATALOGUE[name]
    if fact.type is FactType.BOOLEAN:
        return st.booleans()
    if fact.type is FactType.ENUM:
        return st.sampled_from(fact.values)
    if fact.type is FactType.LABEL:
        return st.sampled_from(["en", "fr", "und", "standard", "wholesale", "email", "elsewhere"])
    return st.one_of(st.integers(-5, 120), st.integers(-(10**15), 10**15))


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    """Facts near an ordinary case, some of them replaced or unknown."""
    values = dict(draw(st.sampled_from(CASE_FACTS)))
    for name in draw(st.lists(st.sampled_from(sorted(CATALOGUE)), max_size=8, unique=True)):
        values[name] = draw(st.one_of(st.none(), values_of(name)))
    return Facts(values)


CASE_FACTS = [case.facts for case in shipped_cases()]


@given(any_facts())
@settings(max_examples=200, deadline=None)
def test_any_facts_are_decided_and_never_raise(facts: Facts) -> None:
    decision = decide(POLICY, facts, now=NOW)
    assert decision.reasons[0].rule == decision.rule
    assert decide(POLICY, facts, now=NOW) == decision


@given(any_facts(), st.integers(0, 10_000_000), st.integers(0, 10_000_000))
@settings(max_examples=200, deadline=None)
def test_raising_the_amount_never_loosens_the_decision(facts: Facts, first: int, second: int) -> None:
    low, high = sorted((max(1, first), max(1, second)))
    smaller = decide(POLICY, facts.with_values(action__amount_minor=low), now=NOW)
    larger = decide(POLICY, facts.with_values(action__amount_minor=high), now=NOW)
    assert SEVERITY[larger.verdict] >= SEVERITY[smaller.verdict]
    assert RANK[larger.mode] <= RANK[smaller.mode]
    assert SEVERITY[larger.acts_alone] >= SEVERITY[smaller.acts_alone]


@given(any_facts(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_rules_cells_and_tiers_changes_nothing(facts: Facts, random: Random) -> None:
    def shuffled(items: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(random.sample(items, len(items)))

    autonomy = replace(
        POLICY.autonomy,
        tiers=shuffled(POLICY.autonomy.tiers),
        matrix=shuffled(POLICY.autonomy.matrix),
    )
    other = replace(POLICY, rules=shuffled(POLICY.rules), autonomy=autonomy, content_hash="another order")
    there = decide(other, facts, now=NOW)
    assert replace(there, policy_hash=POLICY.content_hash) == decide(POLICY, facts, now=NOW)


@pytest.mark.parametrize(
    "name",
    [
        "action.amount_minor",
        "action.currency",
        "charge.age_days",
        "charge.currency",
        "charge.disputed",
        "charge.early_fraud_warning",
        "charge.is_later_twin",
        "charge.owned_by_requester",
        "charge.refund_in_flight",
        "charge.refundable_minor",
        "claim.unauthorised",
        "customer.open_disputes",
        "customer.refunds_90d",
        "request.confidence_percent",
        "request.injection_suspected",
        "request.intent",
        "request.sensitive_topic",
        "requester.verified",
    ],
)
def test_a_refund_waits_for_a_person_where_a_fact_is_unknown(name: str) -> None:
    decision = decide(POLICY, Facts({**base_facts(), name: None}), now=NOW)
    assert decision.acts_alone is Verdict.NEEDS_APPROVAL


@pytest.mark.parametrize("kind", list(ActionKind))
@pytest.mark.parametrize("intent", list(Intent))
def test_with_nothing_known_nothing_but_a_hand_over_acts_alone(kind: ActionKind, intent: Intent) -> None:
    facts = Facts({"action.kind": kind, "request.intent": intent, "action.amount_minor": 100, "action.currency": "usd"})
    acts = decide(POLICY, facts, now=NOW).acts_alone is Verdict.ALLOW
    assert acts is (kind is ActionKind.HAND_OFF)
