"""The score of triage: what counts as right, and how sure so few tickets allow one to be."""

from __future__ import annotations

import pytest

from graph.models.scoring import NEEDS_PERSON, NO_MONEY_BACK, Score, Tally
from graph.models.triage import IntentScore, PersonReason, Triage
from policies.vocabulary import Intent


def understood(intent: Intent, *reasons: PersonReason) -> Triage:
    return Triage(intents=(IntentScore(intent, 80),), person_reasons=reasons)


def test_any_accepted_intent_is_right_and_counts_under_the_first() -> None:
    score = Score()
    score.add(understood(Intent.REFUND_STATUS), ["refund_request", "refund_status"])
    score.add(understood(Intent.OTHER), ["refund_request", "refund_status"])
    assert (score.by_label["refund_request"].right, score.by_label["refund_request"].total) == (1, 2)


@pytest.mark.parametrize(("intent", "right"), [(Intent.POLICY_QUESTION, 1), (Intent.DUPLICATE_CHARGE, 0)])
def test_a_ticket_that_must_not_pay_is_right_with_any_intent_that_pays_nothing(intent: Intent, right: int) -> None:
    score = Score()
    score.add(understood(intent), [NO_MONEY_BACK])
    assert score.whole.right == right


def test_a_ticket_for_a_person_is_right_when_a_person_gets_it() -> None:
    score = Score()
    score.add(understood(Intent.OTHER, PersonReason.UNSURE), [NEEDS_PERSON])
    score.add(understood(Intent.OTHER), [NEEDS_PERSON])
    assert (score.whole.right, score.whole.total, score.whole.to_person) == (1, 2, 1)


def test_a_ticket_that_triage_is_unsure_of_is_counted_apart() -> None:
    score = Score()
    score.add(understood(Intent.CANCEL_ORDER, PersonReason.UNSURE), ["cancel_order"])
    score.add(understood(Intent.CANCEL_ORDER, PersonReason.LEGAL), ["cancel_order"])
    score.add(understood(Intent.COMPLAINT), ["cancel_order"])
    assert (score.whole.right, score.whole.answered, score.whole.answered_right) == (2, 2, 1)


def test_an_intent_that_pays_is_found_where_due_and_a_false_alarm_elsewhere() -> None:
    part = Score()
    part.add(understood(Intent.DUPLICATE_CHARGE), ["duplicate_charge"])
    part.add(understood(Intent.COMPLAINT), ["duplicate_charge"])
    part.add(understood(Intent.DUPLICATE_CHARGE), ["unauthorized_charge", "duplicate_charge"])
    part.add(understood(Intent.DUPLICATE_CHARGE), [NO_MONEY_BACK])
    part.add(understood(Intent.OTHER), [NO_MONEY_BACK])
    spotted = part.by_part["all tickets"].spotted[Intent.DUPLICATE_CHARGE]
    assert (spotted.found, spotted.due, spotted.false_alarms, spotted.others) == (1, 2, 1, 2)


@pytest.mark.parametrize(("reasons", "opened"), [((), 1), ((PersonReason.UNSURE,), 0)])
def test_a_path_to_money_is_open_only_where_no_person_looks(reasons: tuple[PersonReason, ...], opened: int) -> None:
    score = Score()
    score.add(understood(Intent.REFUND_REQUEST, *reasons), ["other", NEEDS_PERSON])
    part = score.by_part["all tickets"]
    assert (part.opened, part.without_money) == (opened, 1)


def test_confidence_is_measured_against_the_share_that_is_right() -> None:
    score = Score()
    for accepted in ("complaint", "complaint", "complaint", "other"):
        score.add(understood(Intent.COMPLAINT), [accepted])
    assert score.by_part["all tickets"].calibration_error == pytest.approx(0.05)  # 0.80 is stated, 0.75 are right


def test_the_interval_is_wilsons_and_never_leaves_nought_to_one() -> None:
    low, high = Tally(right=9, total=10).interval
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert Tally().interval == (0.0, 1.0)
    low, high = Tally(right=5, total=5).interval
    assert high == 1.0
    assert low < 0.6


def test_the_table_has_a_line_for_each_label_one_for_all_and_the_parts_below() -> None:
    score = Score()
    score.add(understood(Intent.CANCEL_ORDER), ["cancel_order"], "shop")
    score.add(understood(Intent.REFUND_STATUS), ["refund_status"], "bank")
    labels, parts = list(score.lines())[:3], list(score.lines())[3:]
    assert [line.split()[0] for line in labels] == ["cancel_order", "refund_status", "all"]
    assert [line for line in parts if line and not line.startswith(" ")] == ["bank", "shop"]
    assert [line for line in parts if "refund_status: found     1 of     1" in line]
