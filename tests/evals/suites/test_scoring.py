"""Money first, harm apart from caution, and nothing scored that was not stated."""

from __future__ import annotations

from typing import Any

import pytest

from evals.suites.ending import Ending
from evals.suites.scoring import Facet, Held, Mark, NotScored, score
from tests.evals.suites.endings import a_scenario, an_ending

DUE = {"outcome": "resolved", "refunds": [{"charge": "second", "amount": "24.90"}]}
NONE_DUE = {"outcome": "handed_off", "refunds": []}


@pytest.mark.parametrize(
    ("expect", "ending", "mark", "money"),
    [
        pytest.param(DUE, an_ending("resolved", ("second", 2490)), Mark.CORRECT, (0, 0, 0), id="as expected"),
        pytest.param(DUE, an_ending("waiting_for_review"), Mark.SAFE, (0, 0, 0), id="a person instead"),
        pytest.param(DUE, an_ending("resolved"), Mark.WRONG, (0, 0, 0), id="closed without the money"),
        pytest.param(DUE, an_ending("ignored"), Mark.WRONG, (0, 0, 0), id="nobody will look"),
        pytest.param(DUE, an_ending(None), Mark.WRONG, (0, 0, 0), id="no outcome"),
        pytest.param(DUE, an_ending("resolved", ("second", 2491)), Mark.WRONG, (1, 0, 0), id="a cent too much"),
        pytest.param(
            DUE, an_ending("resolved", ("second", 2490), ("second", 2490)), Mark.WRONG, (2490, 0, 0), id="twice"
        ),
        pytest.param(DUE, an_ending("resolved", ("other", 2490)), Mark.WRONG, (2490, 1, 0), id="another charge"),
        pytest.param(DUE, an_ending("resolved", ("second", 1000)), Mark.WRONG, (0, 0, 0), id="too little, and closed"),
        pytest.param(
            DUE,
            an_ending("resolved", ("second", 2490), unanswered=("eff_1 lacks a credential",)),
            Mark.WRONG,
            (0, 0, 0),
            id="nobody answers for it",
        ),
        pytest.param(NONE_DUE, an_ending("handed_off", ("second", 100)), Mark.WRONG, (100, 0, 1), id="none was due"),
        pytest.param(NONE_DUE, an_ending("resolved"), Mark.WRONG, (0, 0, 0), id="closed instead of handed off"),
        pytest.param(NONE_DUE, an_ending("waiting_for_customer"), Mark.SAFE, (0, 0, 0), id="asked instead"),
        pytest.param(
            NONE_DUE, an_ending("handed_off", ("by hand second", 2490)), Mark.CORRECT, (0, 0, 0), id="by hand, left out"
        ),
        pytest.param(
            DUE, an_ending("resolved", ("by hand second", 2490)), Mark.CORRECT, (0, 0, 0), id="by hand, listed"
        ),
        pytest.param(
            DUE,
            an_ending("resolved", ("by hand second", 2490), ("second", 2490)),
            Mark.WRONG,
            (2490, 0, 0),
            id="by hand, and by us again",
        ),
        pytest.param(
            {"refunds_at_most": [{"charge": "second", "amount": "24.90"}]},
            an_ending("resolved"),
            Mark.CORRECT,
            (0, 0, 0),
            id="at most, and none",
        ),
        pytest.param(
            {"refunds_at_most": [{"charge": "second", "amount": "24.90"}]},
            an_ending("resolved", ("first", 1)),
            Mark.WRONG,
            (1, 1, 0),
            id="at most, and another",
        ),
        pytest.param(
            {**DUE, "reply": {"never": ["refunded $24"]}},
            an_ending("resolved", ("second", 2490)),
            Mark.WRONG,
            (0, 0, 0),
            id="said what must not be said",
        ),
        pytest.param(
            {**DUE, "reply": {"mentions": ["thank you"]}},
            an_ending("resolved", ("second", 2490)),
            Mark.SAFE,
            (0, 0, 0),
            id="did not say it",
        ),
        pytest.param(
            {"outcome": "resolved", "effects": {"cancelled_subscriptions": []}},
            an_ending("resolved", cancelled_subscriptions=("s",)),
            Mark.WRONG,
            (0, 0, 0),
            id="cancelled what it should not",
        ),
        pytest.param(
            NONE_DUE, an_ending("waiting_for_review", troubles=("it broke",)), Mark.WRONG, (0, 0, 0), id="trouble"
        ),
    ],
)
def test_an_ending_is_worth_what_it_did(
    expect: dict[str, Any], ending: Ending, mark: Mark, money: tuple[int, int, int]
) -> None:
    found = score(a_scenario(expect), ending)
    assert found.mark is mark, found.differences
    assert (found.over_refunded_minor.get("usd", 0), found.wrong_charges, found.unexpected_refunds) == money


def test_what_is_not_stated_is_not_scored() -> None:
    found = {one.facet: one for one in score(a_scenario({"outcome": "resolved"}), an_ending()).findings}
    assert isinstance(found[Facet.OUTCOME], Held)
    left_out = (Facet.REFUNDS, Facet.REASON, Facet.SECTION, Facet.REPLY, Facet.COST, Facet.LATENCY)
    assert all(isinstance(found[facet], NotScored) for facet in left_out)


def test_cost_and_section_are_compared_where_they_are_stated() -> None:
    action = {"kind": "refund", "verdict": "allow", "section": "refund-policy#3.2", "rule": "r", "mode": "auto"}
    expect = {
        "outcome": "resolved",
        "actions": [{"kind": "refund", "section": "refund-policy#3.1"}],
        "within": {"cost_usd": "0.01"},
    }
    found = score(a_scenario(expect), an_ending(actions=(action,), cost=20_000))
    assert {one.facet for one in found.differences} == {Facet.SECTION, Facet.COST}
    assert found.mark is Mark.SAFE
