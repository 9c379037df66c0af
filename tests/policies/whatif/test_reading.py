"""A history is written and read as JSON Lines; what is wrong is refused with its line, field, value and next step."""

from __future__ import annotations

import json
from random import Random

import polars as pl
import pytest

from evals.policy_columns import history_of
from policies.whatif.history import HistoryError, prepared
from policies.whatif.reading import LONGEST_LINE, read_history
from policies.whatif.spelling import history_lines
from tests.policies.whatif.random_cases import facts_of, time_of

GOOD = {"ticket": "1", "at": "2026-11-21T09:00:00Z", "verdict": "allow", "mode": "auto", "facts": {"order.known": True}}


def line(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def refusal(second: bytes) -> str:
    with pytest.raises(HistoryError) as caught:
        read_history([line(), second], name="past.jsonl")
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def written(history: pl.DataFrame) -> bytes:
    return "".join(history_lines(history)).encode()


def known(history: pl.DataFrame) -> pl.DataFrame:
    """Without facts that are unknown in every row."""
    return history.select(sorted(name for name in history.columns if history[name].null_count() < len(history)))


def test_what_is_written_is_read_as_it_was() -> None:
    rng = Random(1)
    history = history_of([(facts_of(rng), time_of(rng)) for _ in range(300)])
    text = written(history)
    read = read_history(text.splitlines(), name="past.jsonl")
    assert known(read).equals(known(history))
    assert written(read) == text
    assert prepared(read).digest == prepared(read_history(text.splitlines(), name="past.jsonl")).digest


def test_a_history_without_a_known_fact_is_written_with_none_and_read_again() -> None:
    read = read_history([line(facts={})], name="past.jsonl")
    (only,) = written(read).splitlines()
    assert json.loads(only)["facts"] == {}
    assert read_history([only], name="past.jsonl").equals(read)


def test_every_line_is_a_plain_json_object_without_nulls() -> None:
    history = history_of([({"requester.segment": 'a "b" \\ \n\t c', "order.known": False}, time_of(Random(1)))])
    (only,) = written(history).splitlines()
    assert json.loads(only)["facts"] == {"requester.segment": 'a "b" \\ \n\t c', "order.known": False}
    assert b"null" not in only


def test_unknown_facts_may_be_null_or_left_out_and_empty_lines_are_skipped() -> None:
    read = read_history([line(), b"", line(facts={"order.known": None}), b"  \n"], name="past.jsonl")
    assert read["order.known"].to_list() == [True, None]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (b"{", "past.jsonl:2: not JSON ("),
        (b"[1]", "past.jsonl:2: [1] has no object 'facts': write lines like {"),
        (line(facts=[]), "has no object 'facts'"),
        (
            line(verdict="alow"),
            "past.jsonl:2: field 'verdict' cannot be 'alow': give one of allow, needs_approval, deny",
        ),
        (line(mode=1), "field 'mode' cannot be 1: give one of shadow, "),
        (line(at="2026-11-21T09:00:00"), "field 'at' cannot be '2026-11-21T09:00:00': give a time with its zone"),
        (line(at="yesterday"), "field 'at' cannot be 'yesterday'"),
        (line(at="0001-01-01T00:00:00+14:00"), "field 'at' cannot be '0001-01-01T00:00:00+14:00': give a time with"),
        (line(at=None), "past.jsonl:2: field 'at' is missing"),
        (line(ticket=7), "field 'ticket' cannot be 7: give text"),
        (line(reviw="approved"), "unknown field 'reviw'; did you mean 'review'?"),
        (line(zzz=1), "unknown field 'zzz'; known are at, facts, "),
        (line(review="maybe"), "field 'review' cannot be 'maybe': give one of approved, edited, rejected, stopped"),
        (line(refunded_minor=1.5), "field 'refunded_minor' cannot be 1.5: give a whole number of minor units"),
        (line(refunded_minor=True), "field 'refunded_minor' cannot be True"),
        (line(facts={"order.knwon": True}), "unknown fact 'order.knwon': `countersign policy facts` lists the names"),
        (line(facts={"order.known": 1}), "fact 'order.known' cannot be 1: give true or false"),
        (line(facts={"charge.age_days": "3"}), "fact 'charge.age_days' cannot be '3': give a whole number"),
        (line(facts={"charge.age_days": 10**30}), "fact 'charge.age_days' cannot be 1e+30"),
        (line(facts={"action.kind": "refunds"}), "fact 'action.kind' cannot be 'refunds': give one of refund, "),
        (b'{"a":"' + b"x" * LONGEST_LINE + b'"}', f"more than {LONGEST_LINE}: put one decision on a line"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(wrong: bytes, said: str) -> None:
    assert said in refusal(wrong)


def test_a_history_of_nothing_is_empty() -> None:
    assert prepared(read_history([], name="past.jsonl")).kinds == ()


def test_an_amount_that_cannot_be_money_is_refused() -> None:
    read = read_history([line(), line(facts={"action.amount_minor": 10**15})], name="past.jsonl")
    with pytest.raises(HistoryError, match=r"record 2: fact 'action\.amount_minor' is 1000000000000000, beyond"):
        prepared(read)


def test_a_frame_that_is_no_history_is_refused() -> None:
    with pytest.raises(HistoryError, match="without column 'at'"):
        prepared(history_of([]).drop("at"))
