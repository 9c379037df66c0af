from __future__ import annotations

import pytest

from graph.models.later import answered, takes_back
from graph.models.triage import Claims, IntentScore, PersonReason, Triage, Want
from policies.vocabulary import Intent

EARLIER = Triage(
    (IntentScore(Intent.ITEM_NOT_RECEIVED, 90),),
    claims=Claims(not_received=True, wants=Want.REFUND),
    language="en",
    injection_suspected=True,
)


def test_a_bare_answer_leaves_the_request_standing_and_fills_it_in() -> None:
    found = Triage(
        (IntentScore(Intent.OTHER, 8),), claims=Claims(order_ids=("1077",)), person_reasons=(PersonReason.UNSURE,)
    )
    together = answered(EARLIER, found)
    assert together.intents == EARLIER.intents
    assert together.claims == Claims(order_ids=("1077",), not_received=True, wants=Want.REFUND)
    assert (together.language, together.person_reasons) == ("en", ())
    assert together.injection_suspected


def test_an_answer_that_asks_for_something_else_stands_by_itself() -> None:
    found = Triage((IntentScore(Intent.CANCEL_SUBSCRIPTION, 90),))
    assert answered(EARLIER, found) is found


def test_a_reason_for_a_person_in_an_answer_is_kept() -> None:
    found = Triage((IntentScore(Intent.OTHER, 8),), person_reasons=(PersonReason.LEGAL, PersonReason.UNSURE))
    assert answered(EARLIER, found).person_reasons == (PersonReason.LEGAL,)


@pytest.mark.parametrize(
    "message",
    [
        "Never mind, it has been solved.",
        "Forget it, my bank says it was a reservation.",
        "Please do not refund it, I found the second order.",
        "don\u2019t cancel it",
        "I no longer want a refund",
        "I changed my mind",
        "Please ignore my request",
        "The problem is already resolved",
    ],
)
def test_a_request_that_is_taken_back_is_noticed(message: str) -> None:
    assert takes_back(message)


@pytest.mark.parametrize(
    "message",
    ["Any news? Please refund me.", "It is order 1077.", "I still want my refund", "Why did you not answer?", ""],
)
def test_a_reminder_is_not_taken_for_a_withdrawal(message: str) -> None:
    assert not takes_back(message)
