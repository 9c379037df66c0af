"""What is read off the refunds of a threshold is what deciding anew would say."""

from __future__ import annotations

import pytest

from policies.whatif.comparing import Course, whatif
from policies.whatif.refunds import Refunds, refunds_of
from policies.whatif.thresholds import Threshold, with_threshold
from tests.policies.whatif.pasts import past, policy, refund

USD = Threshold("auto", "usd")
HISTORY = past(
    *(refund(amount, ticket=str(amount)) for amount in (100, 999, 3000, 4999, 5000, 5001, 9000, 20_000)),
    refund(6000, ticket="late", charge__age_days=91),
    refund(6000, ticket="euro", currency="eur"),
    refund(6000, ticket="unverified", requester__verified=False),
    refund(6001, ticket="yes", review="approved"),
    refund(6002, ticket="no", review="rejected"),
)


@pytest.fixture(scope="module")
def refunds() -> Refunds:
    return refunds_of(policy(), HISTORY, USD)


@pytest.mark.parametrize("value", [0, 99, 100, 4999, 5000, 5001, 6001, 6002, 7777, 20_000, 900_000])
def test_a_value_says_what_the_policy_with_it_decides(refunds: Refunds, value: int) -> None:
    compared = whatif(with_threshold(policy(), USD, value), HISTORY, compared_with=policy())
    alone = compared.after.courses[Course.ALONE]
    point = refunds.point(value)
    euros = whatif(with_threshold(policy(), USD, 0), HISTORY).after.courses[Course.ALONE]
    assert point.alone_minor == alone.money_minor.get("usd", 0)
    assert point.alone == alone.decisions - euros.decisions
    tickets, count = refunds.turned(value)
    assert (tickets, count) == (compared.loosened + compared.tightened,) * 2
    shown = refunds.turned_first(value)
    assert len(shown) == count
    assert [one.amount_minor for one in shown] == sorted((one.amount_minor for one in shown), reverse=True)


def test_the_bars_hold_every_refund_once_and_their_blue_is_what_is_paid_alone(refunds: Refunds) -> None:
    for value in (0, 5000, 6001, 900_000):
        bars = refunds.bands(value, [1000, 5000, 6000, 10_000])
        assert sum(bar.alone + bar.asked + bar.refused for bar in bars) == refunds.count == 12
        assert sum(bar.alone for bar in bars) == refunds.point(value).alone
        assert sum(bar.refused for bar in bars) == 1
        assert [bar.above_minor for bar in bars] == [0, 1000, 5000, 6000]
    assert refunds.bands(6001, [6000, 7000])[1].alone == 1
    assert refunds.amount_at(1.0) == 20_000


def test_the_noes_are_bounded_from_above(refunds: Refunds) -> None:
    point = refunds.point(6002)
    assert (point.reviewed, point.agreed) == (2, 1)
    assert point.no_at_most == pytest.approx(0.9747, abs=0.0001)
    assert refunds.point(5000).no_at_most is None


def test_an_empty_history_has_no_refund_and_no_turned_ticket() -> None:
    empty = refunds_of(policy(), past(), USD)
    assert (empty.count, empty.money_minor, empty.point(9000).alone, empty.turned(9000)) == (0, 0, 0, (0, 0))
    assert empty.amount_at(0.97) == 0
    assert [bar.alone for bar in empty.bands(9000, [5000, 10_000])] == [0, 0]
