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
    assert (score.whole.right, score.whole.total, score.whole.unsure) == (1, 2, 1)


def test_the_interval_is_wilsons_and_never_leaves_nought_to_one() -> None:
    low, high = Tally(right=9, total=10).interval
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert Tally().interval == (0.0, 1.0)
    low, high = Tally(right=5, total=5).interval
    assert high == 1.0
    assert low < 0.6


def test_the_table_has_a_line_for_each_label_and_one_for_all() -> None:
    score = Score()
    score.add(understood(Intent.CANCEL_ORDER), ["cancel_order"])
    score.add(understood(Intent.OTHER), ["complaint"])
    assert [line.split()[0] for line in score.lines()] == ["cancel_order", "complaint", "all"]
