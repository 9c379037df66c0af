"""What is remarked about a policy file, each kind with its rules, a case that shows it, and the place in the file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from policies.analysis.answers import answers_of
from policies.analysis.check import examine
from policies.analysis.promises import broken_promises
from policies.analysis.space import Space
from policies.decision import Decision
from policies.document import Policy
from policies.evaluate import decide
from policies.facts import Facts
from policies.findings import Finding, FindingKind
from policies.vocabulary import Mode, Verdict
from tests.policies.shipped import shipped
from tests.policies.test_commands import run
from tests.policies.writing import parsed, rule

KIND = FindingKind
HEAD = """
    segments: [standard, wholesale]
    autonomy:
      tiers: {auto: {mode: auto, at_most: {usd: 50}}, approve: {mode: approve}}
      matrix:
        - {action: refund, tier: auto}
    rules:
"""
REFUND = "action.kind: refund, request.intent: refund_request"
EARLY = f"- {{id: early, effect: allow, reason: Early., when: {{{REFUND}, charge.age_days: {{at_most: 30}}}}}}"


def file(*rules: str, head: str = HEAD, more: str = "") -> Policy:
    return parsed(head + "".join(f"      {each}\n" for each in rules) + more)


def remarks(policy: Policy) -> list[Finding]:
    return [finding for finding in examine(policy) if not finding.is_note]


def one(policy: Policy, kind: FindingKind) -> Finding:
    (found,) = [finding for finding in examine(policy) if finding.kind is kind]
    return found


def written(rule_id: str, effect: str, when: str, more: str = "") -> str:
    return f"- {{id: {rule_id}, effect: {effect}, reason: Because., when: {{{when}}}{more}}}"


@pytest.mark.parametrize(
    ("text", "kind", "about"),
    [
        ("autonomy: {tiers: {a: {mode: auto}}, matrix: []}", KIND.UNUSED_TIER, "a"),
        ("autonomy: {tiers: {a: {mode: auto}}, matrix: [{tier: a}]}", KIND.UNLIMITED_AUTOMATION, "a"),
        ("verification: [{type: policy, ruleset: r}]", KIND.RULESET_MISSING, "r"),
        (
            (
                "autonomy: {tiers: {a: {mode: auto, at_most: {eur: 5}}}, matrix: [{tier: a}]}\n"
                "limits: {tenant: [{id: day, window: 1d, amount: {usd: 5}}, {id: n, window: 1d, count: 5}]}"
            ),
            KIND.CURRENCY_WITHOUT_LIMIT,
            "day",
        ),
        (
            "rules: [{id: tried, effect: deny, reason: No., when: {action.amount: {at_most: {usd: 5}}}}]",
            KIND.LOOSENS_WITH_AMOUNT,
            "tried",
        ),
        (rule("{action.kind: refund, action.type: reply}"), KIND.DEAD_RULE, "tried"),
        (rule("{order.known: true, all: [{action.kind: refund, action.type: reply}]}"), KIND.DEAD_RULE, "tried"),
        (rule("{charge.age_days: {below: 0}}"), KIND.DEAD_RULE, "tried"),
        (rule("{request.confidence_percent: {at_least: 101}}"), KIND.DEAD_RULE, "tried"),
        (rule("{action.kind: bulk_email}"), KIND.SHADOWED_RULE, "tried"),
        (rule("{charge.age_days: {at_least: 0}}"), KIND.UNREACHABLE_THRESHOLD, "tried"),
        (
            rule("{all: [{charge.age_days: {at_most: 9}}, {charge.age_days: {at_most: 5}}]}"),
            KIND.UNREACHABLE_THRESHOLD,
            "tried",
        ),
        ("policy: y", KIND.NOTHING_ALLOWED, "y"),
    ],
)
def test_what_is_probably_not_meant_is_remarked(text: str, kind: FindingKind, about: str) -> None:
    assert (kind, about) in {(finding.kind, finding.about) for finding in examine(parsed(text))}


@pytest.mark.parametrize(
    "text",
    [
        rule("{all: [{action.kind: refund}, {order.known: true}], action.kind: {one_of: [refund]}}"),
        rule("{any: [{order.known: true}]}"),
        rule("{charge.age_days: {between: [0, 5]}}"),
        rule("{customer.refunds_90d: 0}"),
        rule("{order.days_past_promised: {above: -3}}"),
    ],
)
def test_what_may_be_meant_is_not_remarked(text: str) -> None:
    assert {finding.kind for finding in examine(parsed(text))} == {KIND.DRAFTS_ONLY}


def test_a_rule_that_a_stricter_one_always_goes_before_is_shadowed_by_it() -> None:
    late = written("late", "needs_approval", f"{REFUND}, charge.age_days: {{at_most: 60}}, charge.status: succeeded")
    never = written("stop", "deny", "action.kind: refund, charge.status: {one_of: [succeeded, pending]}")
    found = one(file(EARLY, late, never), KIND.SHADOWED_RULE)
    assert (found.about, found.rules) == ("late", ("late", "stop"))
    assert "rule 'stop' (deny) decides" in found.message
    assert found.example is not None
    assert decide(file(EARLY, late, never), Facts(found.example.facts), now=found.example.now).rule == "stop"


def test_a_rule_may_be_shadowed_by_several_together() -> None:
    wide = written("wide", "allow", f"{REFUND}, charge.age_days: {{at_most: 50}}")
    first = written("first", "deny", "action.kind: refund, charge.age_days: {at_most: 20}")
    second = written("second", "deny", "action.kind: refund, charge.age_days: {between: [15, 70]}")
    elsewhere = written("elsewhere", "deny", "action.kind: refund, charge.age_days: {above: 90}")
    found = one(file(wide, first, second, elsewhere), KIND.SHADOWED_RULE)
    assert found.rules == ("wide", "first", "second")
    assert "'first' (deny) or rule 'second' (deny) decides" in found.message


def test_a_rule_that_adds_nothing_to_an_earlier_shadow_is_not_named() -> None:
    wide = written("wide", "allow", f"{REFUND}, charge.age_days: {{at_most: 50}}")
    first = written("first", "deny", "action.kind: refund, charge.age_days: {at_most: 30}")
    within = written("within", "deny", "action.kind: refund, charge.age_days: {between: [10, 20]}")
    last = written("last", "deny", "action.kind: refund, charge.age_days: {between: [25, 70]}")
    findings = examine(file(wide, first, within, last))
    shadowed = {found.about: found.rules for found in findings if found.kind is KIND.SHADOWED_RULE}
    assert shadowed == {"wide": ("wide", "first", "last"), "within": ("within", "first")}


def test_a_hole_that_no_refund_can_fall_into_is_none() -> None:
    left = "charge.refundable: {at_most: {usd: 10}}"
    small = written("small", "allow", f"{REFUND}, {left}, action.amount: {{at_most: {{usd: 12}}}}")
    large = written("large", "needs_approval", f"{REFUND}, {left}, action.amount: {{above: {{usd: 20}}}}")
    assert KIND.GAP not in {finding.kind for finding in examine(file(small, large))}


def test_tiers_that_pay_no_more_than_the_one_above_them_are_not_used() -> None:
    less = "less: {mode: execute_with_audit, at_most: {usd: 50}}, more: {mode: execute_with_review, at_most: {usd: 40}}"
    policy = file(EARLY, head=HEAD.replace("approve: {", f"{less}, approve: {{"))
    assert {finding.about for finding in examine(policy) if finding.kind is KIND.UNUSED_TIER} == {"less", "more"}


def test_the_bound_of_a_tier_that_no_money_comes_to_is_idle() -> None:
    policy = file(
        written("answer", "allow", "action.kind: reply"), head=HEAD.replace("action: refund", "action: reply")
    )
    found = one(policy, KIND.UNREACHABLE_THRESHOLD)
    assert (found.about, found.tiers) == ("auto", ("auto",))
    assert "at_most 50.00 USD" in found.message


def test_a_rule_that_repeats_a_part_of_another_is_shadowed_by_it() -> None:
    narrow = written("always-early", "allow", f"{REFUND}, charge.age_days: {{at_most: 20}}, charge.has_twin: true")
    found = one(file(EARLY, narrow), KIND.SHADOWED_RULE)
    assert found.rules == ("always-early", "early")


def test_a_rule_that_names_another_section_for_a_part_of_the_cases_is_not_shadowed() -> None:
    narrow = written("a", "allow", f"{REFUND}, charge.age_days: {{at_most: 20}}", ", section: refund-policy#2")
    assert KIND.SHADOWED_RULE not in {finding.kind for finding in examine(file(EARLY, narrow))}


def test_two_rules_that_differ_about_the_same_facts_contradict_each_other() -> None:
    late = written("late", "deny", f"{REFUND}, charge.age_days: {{at_least: 25}}")
    found = one(file(EARLY, late), KIND.CONTRADICTION)
    assert found.rules == ("early", "late")
    assert found.example is not None
    assert found.example.facts["charge.age_days"] == 25


@pytest.mark.parametrize(
    "exception",
    [
        written("late", "deny", f"{REFUND}, charge.age_days: {{above: 30}}"),
        written("never", "deny", f"{REFUND}, charge.age_days: {{between: [10, 12]}}"),
        written(
            "sale", "deny", f"{REFUND}, charge.age_days: {{at_least: 20}}, item.final_sale: true", ", if_unknown: skip"
        ),
    ],
)
def test_an_exception_is_no_contradiction(exception: str) -> None:
    assert KIND.CONTRADICTION not in {finding.kind for finding in examine(file(EARLY, exception))}


def test_numbers_between_answered_ones_that_nothing_answers_are_a_gap() -> None:
    late = written("late", "deny", f"{REFUND}, charge.age_days: {{above: 31}}")
    found = one(file(EARLY, late), KIND.GAP)
    assert found.about == "charge.age_days"
    assert found.message.startswith("no rule answers charge.age_days 31 days,")
    assert found.rules == ("early", "late")
    assert found.example is not None
    decided = decide(file(EARLY, late), Facts(found.example.facts), now=found.example.now)
    assert decided.rule == "no-match"


def test_a_gap_of_an_amount_is_told_in_its_currency() -> None:
    small = written("small", "allow", f"{REFUND}, action.amount: {{at_most: {{usd: 20}}}}")
    large = written("large", "needs_approval", f"{REFUND}, action.amount: {{above: {{usd: 21}}}}")
    assert one(file(small, large), KIND.GAP).message.startswith("no rule answers action.amount 20.01 to 21.00 USD,")


def test_a_line_that_acts_but_that_no_rule_allows_is_a_gap() -> None:
    head = HEAD.replace("matrix:", "matrix:\n        - {action: cancel_payment, intent: cancel_order, tier: auto}")
    assert one(file(EARLY, head=head), KIND.GAP).about == "cancel_order x cancel_payment"


def test_cases_that_might_be_done_alone_and_are_not_answered_are_a_note() -> None:
    (note,) = [finding for finding in examine(file(EARLY)) if finding.is_note]
    assert (note.kind, note.example is not None) == (KIND.UNANSWERED, True)


def test_a_line_that_others_always_go_before_is_remarked() -> None:
    head = HEAD.replace(
        "- {action: refund, tier: auto}",
        "- {action: refund, tier: auto}\n        - {action: refund, tier: approve, valid: {until: 2026-12-31}}\n"
        "        - {action: refund, tier: auto, valid: {until: 2026-11-30}}",
    )
    assert one(file(EARLY, head=head), KIND.UNREACHED_LINE).about == "refund -> auto"


def test_a_threshold_beyond_what_its_tier_pays_is_not_reached() -> None:
    small = written("small", "allow", f"{REFUND}, action.amount: {{at_most: {{usd: 70}}}}")
    found = one(file(small), KIND.UNREACHABLE_THRESHOLD)
    assert found.about == "small"
    assert "action.amount 70.00 USD" in found.message


def test_a_tier_that_pays_more_than_a_limit_lets_through_is_remarked() -> None:
    limit = "    limits: {tenant: [{id: day, window: 1d, amount: {usd: 40}}]}\n"
    found = one(file(EARLY, more=limit), KIND.UNREACHABLE_THRESHOLD)
    assert (found.about, "limit 'day' stops at 40.00 USD" in found.message) == ("auto", True)


def test_work_beyond_the_bound_is_a_finding_of_its_own() -> None:
    found = [finding for finding in examine(shipped(), bound=1_000) if finding.kind is KIND.BOUND_HIT]
    assert "nothing was proved about this file: the analysis takes more than 1,000 steps" in found[0].message


# promises

WISHFUL = (
    written("everything", "allow", "action.kind: {one_of: [refund, cancel_payment]}"),
    written("disputed", "allow", "action.kind: refund, charge.disputed: true"),
    written("strangers", "allow", "action.kind: refund, charge.owned_by_requester: false"),
    written("all-of-it", "allow", "action.kind: refund, charge.refundable: {is: 0}"),
)
LIMITED = "    limits: {tenant: [{id: day, window: 1d, amount: {usd: 400}}]}\n"


def broken(policy: Policy, *, is_locked: bool = True, **instead: Any) -> set[str]:
    space = Space([policy])
    answers = answers_of(policy, space, is_locked=is_locked)
    return {one.promise for one in broken_promises(policy, space, answers, **instead)}


def test_a_file_cannot_talk_its_way_around_what_is_locked() -> None:
    assert broken(file(*WISHFUL, more=LIMITED)) == set()


def test_every_promise_fails_where_the_locked_rules_are_taken_out() -> None:
    found = broken(file(*WISHFUL, more=LIMITED), is_locked=False)
    assert found == {"remaining", "currency", "other-customer", "disputed", "identity"}


def generous(policy: Policy, facts: Facts, *, now: datetime) -> Decision:
    """An evaluator that allows everything, without limits."""
    decision = decide(policy, facts, now=now)
    assert isinstance(decision, Decision)
    return Decision(
        verdict=Verdict.ALLOW,
        mode=Mode.AUTO,
        rule="generous",
        section=None,
        reasons=decision.reasons,
        approvers=(),
        hold_s=0,
        policy_id=decision.policy_id,
        policy_hash=decision.policy_hash,
        input_hash=decision.input_hash,
    )


def test_every_promise_fails_with_an_evaluator_that_allows_everything() -> None:
    hands = written("hands", "allow", "action.kind: {one_of: [bulk_email, refund]}")
    found = broken(file(*WISHFUL, hands, more=LIMITED), decide_=generous)
    assert found == {"remaining", "currency", "other-customer", "disputed", "identity", "human-only", "caps"}


def test_a_broken_promise_is_a_finding_with_the_case() -> None:
    found = [finding for finding in examine(file(*WISHFUL), decide_=generous) if finding.kind is KIND.BROKEN_PROMISE]
    assert "disputed" in {finding.about for finding in found}
    assert all(finding.example is not None and "do not publish" in finding.message for finding in found)


def test_a_larger_refund_that_is_judged_more_mildly_comes_with_both_cases() -> None:
    small = written("small", "deny", f"{REFUND}, action.amount: {{at_most: {{usd: 5}}}}")
    policy = file(EARLY, small)
    found = one(policy, KIND.LOOSENS_WITH_AMOUNT)
    assert found.rules == ("small",)
    assert "one of 1 minor units, which 'small' decides" in found.message
    assert found.example is not None
    larger = decide(policy, Facts(found.example.facts), now=found.example.now)
    assert (larger.verdict is Verdict.DENY, found.example.facts["action.amount_minor"]) == (False, 501)


# the command


def test_a_finding_names_file_line_and_a_case(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "policy: wrong\nrules:\n  - {id: a, effect: allow, reason: A., when: {action.kind: refund}}\n"
        "  - {id: b, effect: deny, reason: B., when: {action.kind: refund}}\n",
        encoding="utf-8",
    )
    status, out, _ = run("check", str(path))
    assert status == 0
    assert f"{path}:3: contradiction: a: allows cases that rule 'b' denies" in out
    assert f"  see b at {path}:4\n  for example on 2026-01-01, facts" in out


def test_a_finding_about_a_tier_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "tiers.yaml"
    path.write_text("policy: x\nautonomy:\n  tiers:\n    spare: {mode: auto}\n  matrix: []\n", encoding="utf-8")
    assert f"{path}:4: unused_tier: spare" in run("check", str(path))[1]
