"""A made-up history is the same for the same seed, can be read by everything, and looks like its description."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl
import pytest

from graph.decisions.invented import CURRENCIES, DAYS, HABITS, REFUNDS, invented_history
from policies.whatif.deciding import VERDICTS, decide_all
from policies.whatif.history import prepared
from policies.whatif.reading import read_history
from policies.whatif.spelling import history_lines
from tests.policies.shipped import shipped

UNTIL = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@cache
def made(count: int = 4000, seed: int = 1) -> pl.DataFrame:
    return invented_history(shipped(), count=count, seed=seed, until=UNTIL)


def refunds() -> pl.DataFrame:
    return made().filter(pl.col("action.kind") == "refund")


def test_a_seed_gives_one_history() -> None:
    again = invented_history(shipped(), count=4000, seed=1, until=UNTIL)
    assert again.equals(made())
    assert not made(seed=2).equals(made())


def test_it_can_be_written_read_and_decided_as_it_was_decided() -> None:
    lines = "".join(history_lines(made())).encode().splitlines()
    read = read_history(lines, name="made up")
    answers = decide_all(shipped(), prepared(read))
    assert [VERDICTS[place].value for place in answers.frame["verdict"]] == made()["verdict"].to_list()


def test_intents_and_currencies_have_their_shares() -> None:
    found = refunds()
    assert len(found) / len(made()) == pytest.approx(REFUNDS, abs=0.03)
    for intent, habit in HABITS.items():
        assert (found["request.intent"] == intent.value).mean() == pytest.approx(habit.share, abs=0.03)
    for currency, (share, _) in CURRENCIES.items():
        assert (found["action.currency"] == currency).mean() == pytest.approx(share, abs=0.03)


def test_amounts_have_their_medians() -> None:
    for intent, habit in HABITS.items():
        usd = refunds().filter((pl.col("request.intent") == intent.value) & (pl.col("action.currency") == "usd"))
        median = usd["action.amount_minor"].median()
        assert isinstance(median, float)
        assert median / 100 == pytest.approx(habit.median_usd, rel=0.35)


def test_it_ends_at_the_given_time_and_lasts_half_a_year() -> None:
    at = made()["at"]
    assert at.is_sorted()
    assert UNTIL - timedelta(days=DAYS + 1) <= at[0] <= at[-1] <= UNTIL


def test_people_decide_what_was_left_to_them_and_agree_less_about_larger_refunds() -> None:
    reviewed = refunds().filter(pl.col("review").is_in(["approved", "edited", "rejected"]))
    assert set(reviewed["verdict"]) == {"needs_approval", "allow"} or set(reviewed["verdict"]) == {"needs_approval"}
    large = pl.col("action.amount_minor") > 8000
    shares = [
        (part["review"] == "rejected").mean() for part in (reviewed.filter(~large), reviewed.filter(large)) if len(part)
    ]
    assert len(shares) == 2
    assert isinstance(shares[0], float)
    assert isinstance(shares[1], float)
    assert shares[0] < shares[1] < 0.2


def test_money_left_only_with_a_yes_or_alone() -> None:
    paid = made().filter(pl.col("refunded_minor").is_not_null())
    alone = (pl.col("verdict") == "allow") & (pl.col("mode") == "auto")
    agreed = pl.col("review").is_in(["approved", "edited"])
    assert len(paid.filter(~(alone | agreed))) == 0
    assert paid["refunded_minor"].equals(paid["action.amount_minor"].alias("refunded_minor"))


@pytest.mark.parametrize("count", [1, 2])
def test_a_tiny_history_is_a_history(count: int) -> None:
    assert len(made(count)) == count
