"""The difference of two policies: its regions in words, its direction, and examples that `decide` repeats."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.analysis.answer import answer_of
from policies.analysis.compare import Comparison, compare
from policies.analysis.effect import Direction, effect_of
from policies.analysis.report import comparison_form, comparison_text
from policies.analysis.words import effect_text
from policies.document import Policy
from policies.evaluate import decide
from policies.facts import Facts
from policies.parse import parse_policy
from policies.shelf import from_library, shipped_text
from tests.policies.shipped import shipped
from tests.policies.writing import parsed

SMALL = """
    segments: [standard, wholesale]
    autonomy:
      tiers:
        auto: {mode: auto, at_most: {usd: 20}, hold: 600s}
        approve: {mode: approve}
      matrix:
        - {action: refund, tier: auto}
        - {action: refund, segment: wholesale, tier: approve}
    rules:
      - id: duplicate
        effect: allow
        reason: The later of two equal charges.
        when: {action.kind: refund, request.intent: duplicate_charge, charge.age_days: {at_most: 30}}
    limits:
      tenant: [{id: day, window: 1d, amount: {usd: 1000}}]
"""


RISK = "risk: {approve_at: 5, factors: [{id: f, points: 5, reason: F., when:"


def changed(old: str, new: str) -> Policy:
    """The small policy with one change."""
    assert old in SMALL
    return parsed(SMALL.replace(old, new))


def difference(old: str, new: str) -> Comparison:
    return compare(parsed(SMALL), changed(old, new))


def said(comparison: Comparison) -> list[str]:
    return [
        f"{region.where}: {effect_text(region.before)} -> {effect_text(region.after)}" for region in comparison.regions
    ]


def test_a_raised_threshold_is_told_as_the_amounts_that_it_lets_through() -> None:
    comparison = difference("usd: 20", "usd: 35")
    (line,) = said(comparison)
    assert line == (
        "refund of duplicate_charge, requester.segment not wholesale, 20.01 to 35.00 USD: "
        "approve (agent) -> auto after 600 s"
    )
    assert comparison.direction is Direction.LOOSENS


def test_the_same_change_backwards_tightens() -> None:
    assert compare(changed("usd: 20", "usd: 35"), parsed(SMALL)).direction is Direction.TIGHTENS


@pytest.mark.parametrize(
    ("old", "new", "way"),
    [
        ("at_most: 30", "at_most: 31", "loosens"),
        ("at_most: 30", "at_most: 29", "tightens"),
        ("at_most: 30", "between: [1, 40]", "both"),
        ("hold: 600s", "hold: 60s", "loosens"),
        ("hold: 600s", "hold: 900s", "tightens"),
        ("usd: 1000", "usd: 900", "tightens"),
        ("usd: 1000", "usd: 1100", "loosens"),
        ("window: 1d", "window: 2d", "tightens"),
        ("window: 1d", "window: 1h", "loosens"),
        ("effect: allow", "effect: deny", "tightens"),
        ("segment: wholesale, tier: approve", "segment: wholesale, tier: auto", "loosens"),
        ("The later of two equal charges.", "Another reason.", "neither"),
        ("mode: auto,", "mode: execute_with_audit,", "tightens"),
        ("mode: auto,", "mode: policy_autonomy,", "loosens"),
    ],
)
def test_a_change_goes_one_way_or_both(old: str, new: str, way: str) -> None:
    assert difference(old, new).direction.value == way


@pytest.mark.parametrize(
    ("more", "way"),
    [
        ("budgets: {tool_calls: 9}", "tightens"),
        ("privacy: {never_read: [requester.phone]}", "tightens"),
        ("privacy: {forbidden_providers: [claude]}", "tightens"),
        ("domains: {links: [help.example.com]}", "loosens"),
        ("canary: {share_percent: 10}", "tightens"),
        ("approvals: {expire_after: 24h}", "tightens"),
        ("approvals: {expire_after: 96h}", "loosens"),
        ("approvals: {roles: [ops_lead, agent]}", "both"),
        ("approvals: {four_eyes_above: {usd: 500}}", "tightens"),
        ("tools: {deny: [kb.search]}", "tightens"),
        ("questions: {wait: 2d}", "neither"),
        ("questions: {max: 3}", "loosens"),
        ('logging: {trace_export: "s3://bucket"}', "loosens"),
        ("logging: {retention_days: 30}", "neither"),
        ("channels: [email]", "tightens"),
        ("verification: [{type: schema, schema: answer.json}]", "tightens"),
    ],
)
def test_what_is_added_beside_the_rules_has_a_direction_too(more: str, way: str) -> None:
    before, after = parsed(SMALL), parsed(f"{SMALL}    {more}\n")
    assert compare(before, after).direction.value == way
    backwards = {"tightens": "loosens", "loosens": "tightens"}.get(way, way)
    assert compare(after, before).direction.value == backwards


def test_a_rule_for_some_days_changes_those_days_only() -> None:
    added = "valid: {from: 2026-11-27, until: 2026-11-30}, when: {charge.payment_method: wallet}}"
    comparison = difference("limits:", f"  - {{id: wallets, effect: deny, reason: Not now., {added}\n    limits:")
    assert comparison.direction is Direction.TIGHTENS
    assert all("from 2026-11-27 until 2026-11-30" in line for line in said(comparison))
    assert all(region.worked.example.now.date().isoformat() == "2026-11-27" for region in comparison.regions)


def test_every_example_is_decided_as_its_region_says() -> None:
    text = shipped_text().replace("usd: 50,", "usd: 65,", 1).replace("{at_least: 2}", "{at_least: 3}", 1)
    before, after = shipped(), parse_policy(text, name="later.yaml", resolve=from_library)
    comparison = compare(before, after)
    assert comparison.regions
    for region in comparison.regions:
        example = region.worked.example
        for policy, decision, effect in (
            (before, region.worked.before, region.before),
            (after, region.worked.after, region.after),
        ):
            assert decide(policy, Facts(example.facts), now=example.now) == decision
            found = effect_of(answer_of(decision))
            assert (found.mode, found.approvers, found.hold_s) == (effect.mode, effect.approvers, effect.hold_s)


def test_a_comparison_that_takes_too_long_says_so_and_counts_as_loosening() -> None:
    comparison = compare(parsed(SMALL), changed("usd: 20", "usd: 10"), bound=100)
    assert comparison.unproven is not None
    assert "more than 100 steps" in comparison.unproven
    assert comparison.direction is Direction.BOTH


def test_nothing_differs_between_two_spellings_of_one_policy() -> None:
    comparison = compare(shipped(), parse_policy(shipped_text() + "\n# a comment\n", name="again.yaml"))
    assert (comparison.direction, comparison.regions, comparison.settings) == (Direction.NEITHER, (), ())


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        ("segments:", "languages: [en]\n    segments:", "request.language"),
        ("hold: 600s", "hold: 600s, min_confidence_percent: 70", "request.confidence_percent"),
        ("limits:", f"{RISK} {{order.age_days: {{above: 9}}}}}}]}}\n    limits:", "order.age_days"),
        ("limits:", f"{RISK} {{charge.amount: {{above: {{usd: 9}}}}}}}}]}}\n    limits:", "charge.amount_minor"),
    ],
)
def test_a_change_is_told_by_the_fact_that_it_is_about(old: str, new: str, fact: str) -> None:
    assert all(fact in dict(region.conditions) for region in difference(old, new).regions)
    assert difference(old, new).direction is Direction.TIGHTENS


def test_factors_that_stay_are_not_what_the_change_is_about() -> None:
    kept = "{id: kept, points: 5, reason: K., when: {order.age_days: {above: 9}}}"
    new = "{id: new, points: 5, reason: N., when: {charge.age_days: {above: 9}}}"
    before, after = (
        parsed(f"{SMALL}    risk: {{approve_at: 5, factors: [{factors}]}}\n") for factors in (kept, f"{kept}, {new}")
    )
    told = {fact for region in compare(before, after).regions for fact, _ in region.conditions}
    assert ("charge.age_days" in told, "order.age_days" in told) == (True, False)


def test_a_wider_limit_is_told_with_its_numbers() -> None:
    before, after = (parsed(SMALL.replace("usd: 1000", f"usd: {usd}")) for usd in (1000, 1200))
    (line,) = said(compare(before, after))
    assert "within day (100000 minor units in 86400 s) -> auto after 600 s within day (120000 minor units" in line


def test_a_limit_of_counts_is_told_with_its_count() -> None:
    before, after = (parsed(SMALL.replace("amount: {usd: 1000}", f"count: {count}")) for count in (5, 4))
    comparison = compare(before, after)
    assert "within day (5 times in 86400 s)" in said(comparison)[0]
    assert comparison.direction is Direction.TIGHTENS


def test_days_without_a_beginning_and_facts_that_must_be_known_have_words() -> None:
    method = "when: {charge.payment_method: {one_of: [card, bank_debit, wallet, other]}}"
    rule = f"{{id: w, effect: deny, reason: No., if_unknown: skip, valid: {{until: 2026-11-30}}, {method}}}"
    lines = said(difference("limits:", f"  - {rule}\n    limits:"))
    assert all("until 2026-11-30" in line and "charge.payment_method known" in line for line in lines)
    assert lines


def test_other_channels_go_both_ways() -> None:
    before, after = (parsed(f"{SMALL}    channels: [{channel}]\n") for channel in ("email", "web"))
    assert compare(before, after).direction is Direction.BOTH


def test_the_text_of_a_comparison_tells_settings_and_what_is_left_out() -> None:
    comparison = compare(parsed(SMALL), parsed(f"{SMALL}    budgets: {{tool_calls: 9}}\n"))
    assert comparison_text(replace(comparison, more_regions=3)).endswith(
        "and 3 more sets of cases\n\ntightens: budgets.tool_calls: no bound -> 9"
    )
    setting = {"name": "budgets.tool_calls", "before": "no bound", "after": "9", "direction": "tightens"}
    assert comparison_form(comparison)["settings"] == [setting]


def test_the_text_of_a_comparison_that_was_not_made_says_why() -> None:
    text = comparison_text(compare(parsed(SMALL), changed("usd: 20", "usd: 10"), bound=100))
    assert "not compared, so it counts as loosening: the analysis takes more than 100 steps" in text
