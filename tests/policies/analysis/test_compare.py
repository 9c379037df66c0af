"""The difference of two policies: its regions in words, its direction, and examples that `decide` repeats."""

from __future__ import annotations

import pytest

from policies.analysis.answer import answer_of
from policies.analysis.compare import Comparison, compare
from policies.analysis.effect import Direction, effect_of
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
        ("privacy: {never_read: [ticket.tags]}", "tightens"),
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
