from __future__ import annotations

import itertools

import pytest

from graph.verdicts import Course, Decided, Verdicts, approvers_of, course
from policies.decision import Decision
from policies.document import Approvals
from policies.proposal import Candidate
from policies.vocabulary import ActionKind, Intent, Mode, Reason, Verdict
from tests.graph.cases import a_decision, a_refund

ALLOW, ASK, DENY = Verdict.ALLOW, Verdict.NEEDS_APPROVAL, Verdict.DENY


def verdicts(*decisions: Decision) -> Verdicts:
    return Verdicts(tuple(Decided(a_refund(), decision) for decision in decisions))


@pytest.mark.parametrize(
    ("verdict", "mode", "expected"),
    [
        (ALLOW, Mode.AUTO, Course("act")),
        (ALLOW, Mode.POLICY_AUTONOMY, Course("act")),
        (ALLOW, Mode.EXECUTE_WITH_AUDIT, Course("act")),
        (ALLOW, Mode.APPROVE, Course("review", Reason.NEEDS_APPROVAL, "duplicate-charge")),
        (ASK, Mode.AUTO, Course("review", Reason.NEEDS_APPROVAL, "duplicate-charge")),
        (ALLOW, Mode.DRAFT, Course("hand_off", Reason.NEEDS_APPROVAL, "duplicate-charge")),
        (ALLOW, Mode.SUGGEST, Course("hand_off", Reason.NEEDS_APPROVAL, "duplicate-charge")),
        (ASK, Mode.SHADOW, Course("hand_off", Reason.NEEDS_APPROVAL, "duplicate-charge")),
        (DENY, Mode.AUTO, Course("hand_off", Reason.POLICY_DENIED, "duplicate-charge")),
        (DENY, Mode.DRAFT, Course("hand_off", Reason.POLICY_DENIED, "duplicate-charge")),
    ],
)
def test_verdict_and_mode_together_lead_somewhere(verdict: Verdict, mode: Mode, expected: Course) -> None:
    assert course(verdicts(a_decision(verdict, mode))) == expected


def test_the_most_restrictive_decision_leads_in_whatever_order_they_stand() -> None:
    kinds = [
        a_decision(ALLOW),
        a_decision(ASK, rule="ask"),
        a_decision(ALLOW, Mode.DRAFT, rule="draft"),
        a_decision(DENY, rule="no"),
    ]
    for count, (goto, rule) in ((4, ("hand_off", "no")), (3, ("hand_off", "draft")), (2, ("review", "ask"))):
        for order in itertools.permutations(kinds[:count]):
            led = course(verdicts(*order))
            assert (led.goto, led.rule) == (goto, rule)


def test_the_deciding_rules_own_cause_is_the_reason() -> None:
    for decision in (a_decision(ASK, cause=Reason.SUSPECTED_ABUSE), a_decision(DENY, cause=Reason.SUSPECTED_ABUSE)):
        assert course(verdicts(decision)).reason is Reason.SUSPECTED_ABUSE


def test_without_a_decision_there_is_nothing_to_hold_back() -> None:
    assert course(Verdicts(())) == Course("act")


ROLES = Approvals(roles=("agent", "cs_lead", "ops_lead"))


@pytest.mark.parametrize(
    ("asked", "may"),
    [
        ((), ()),
        ((("cs_lead",),), ("cs_lead", "ops_lead")),
        ((("agent",),), ("agent", "cs_lead", "ops_lead")),
        ((("agent",), ("ops_lead",)), ("ops_lead",)),
        ((("cs_lead", "ops_lead"), ("ops_lead",)), ("ops_lead",)),
        ((("auditor",),), ("auditor",)),
        ((("auditor",), ("agent",)), ("admin",)),
    ],
)
def test_who_may_approve_every_action_may_answer_and_whoever_is_more_senior(
    asked: tuple[tuple[str, ...], ...], may: tuple[str, ...]
) -> None:
    for order in itertools.permutations(asked):
        decisions = [a_decision(ASK, approvers=roles) for roles in order]
        assert approvers_of(verdicts(a_decision(ALLOW, approvers=("agent",)), *decisions), ROLES) == may


def test_only_what_changes_something_outside_is_executed() -> None:
    reply = Decided(Candidate(ActionKind.REPLY, Intent.POLICY_QUESTION), a_decision())
    label = Decided(Candidate(ActionKind.RETURN_LABEL, Intent.RETURN_OR_EXCHANGE), a_decision())
    refund = Decided(a_refund(), a_decision())
    assert Verdicts((reply, label, refund)).executable == (refund,)


def test_a_row_says_what_was_decided_in_minor_units() -> None:
    row = Decided(a_refund(1980, "jpy"), a_decision()).row()
    assert (row["amount_minor"], row["currency"], row["verdict"], row["section"]) == (
        1980,
        "jpy",
        "allow",
        "refund-policy#3.2",
    )
