"""Money, facts and the words of the trade."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policies.errors import FactError, MoneyError, Problem
from policies.facts import CATALOGUE, Facts
from policies.money import MAX_MINOR, Money, exponent
from policies.proposal import Candidate, Choice, Proposal
from policies.vocabulary import ActionKind, Intent


@pytest.mark.parametrize(
    ("literal", "currency", "minor"),
    [("24.90", "usd", 2490), ("1200", "jpy", 1200), ("1.234", "bhd", 1234), ("-5", "eur", -500), ("1e2", "usd", 10000)],
)
def test_amounts_are_read_exactly(literal: str, currency: str, minor: int) -> None:
    assert Money.parse(literal, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("literal", "currency"),
    [
        ("24.905", "usd"),
        ("0.5", "jpy"),
        ("fifty", "usd"),
        ("inf", "usd"),
        ("nan", "usd"),
        ("1e40", "usd"),
        ("1", "usb"),
    ],
)
def test_what_is_no_amount_is_refused(literal: str, currency: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(literal, currency)


def test_money_stays_in_its_currency_and_in_bounds() -> None:
    assert Money(5, "usd") + Money(6, "usd") == Money(11, "usd")
    assert Money(5, "usd") - Money(6, "usd") == Money(-1, "usd")
    assert Money(5, "usd") < Money(6, "usd")
    assert Money(6, "usd") <= Money(6, "usd")
    assert (str(Money(2490, "usd")), str(Money(7, "jpy")), Money(1234, "bhd").major) == (
        "24.90 USD",
        "7 JPY",
        Decimal("1.234"),
    )
    assert [exponent(currency) for currency in ("usd", "jpy", "kwd")] == [2, 0, 3]
    with pytest.raises(MoneyError, match="cannot mix"):
        _ = Money(1, "usd") + Money(1, "eur")
    with pytest.raises(MoneyError, match="not an integer"):
        Money(minor=True, currency="usd")
    with pytest.raises(MoneyError, match="is beyond"):
        Money(MAX_MINOR + 1, "usd")


def test_facts_are_checked_against_the_catalogue() -> None:
    facts = Facts({"charge.disputed": False, "charge.age_days": 3, "charge.currency": "usd", "request.brand": None})
    assert len(facts) == 3
    assert dict(facts) == dict(facts.by_name)
    assert "charge.age_days" in repr(facts)
    assert facts == Facts({"charge.currency": "usd", "charge.age_days": 3, "charge.disputed": False})
    assert hash(facts) == hash(Facts(dict(facts)))
    assert facts.with_values(charge__age_days=4)["charge.age_days"] == 4
    assert facts.digest == Facts(dict(facts)).digest == facts.digest
    assert facts.digest != facts.with_values(charge__age_days=4).digest


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("charge.disputed", 1),
        ("charge.age_days", True),
        ("charge.amount_minor", 4.5),
        ("charge.currency", "usb"),
        ("request.brand", 5),
        ("request.brand", "\ud800"),
        ("charge.age_days", 10**18),
        ("charge.amount_minor", -(10**18)),
        ("charge.colour", "red"),
    ],
)
def test_a_fact_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(FactError):
        Facts({name: value})


def test_the_vocabulary_is_a_fact_s_own_list() -> None:
    assert CATALOGUE["action.kind"].check(ActionKind.REFUND) == "refund"
    assert Facts({"request.intent": Intent.OTHER})["request.intent"] == "other"


def test_a_proposal_holds_choices_and_nothing_written_by_a_model() -> None:
    candidate = Candidate(ActionKind.REFUND, Intent.OTHER, amount=Money(1, "usd"))
    assert Proposal((Choice(Intent.OTHER, 0),)).choices[0].candidate == 0
    assert candidate.item_key == "whole"


def test_a_problem_is_one_sentence() -> None:
    assert str(Problem("p.yaml", 2, 3, "wrong")) == "p.yaml:2:3: wrong"
    assert str(Problem("p.yaml", 2, 3, "wrong", "a", "b", "mend it")) == "p.yaml:2:3: wrong; did you mean 'b'?; mend it"
