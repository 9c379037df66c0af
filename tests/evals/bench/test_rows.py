"""A row says what was measured beside what, and whether the goal holds."""

from __future__ import annotations

import pytest

from evals.bench.command import UnknownBench, chosen
from evals.bench.load import request_bytes
from evals.bench.rows import Row, Sample, percentile


def test_a_ratio_that_reaches_its_goal_holds() -> None:
    row = Row("run", Sample.of([5.0, 7.0, 6.0]), "runs/s", Sample.of([12.0, 11.0, 13.0]), 0.5)
    assert row.form() == {
        "name": "run",
        "value": 6.0,
        "unit": "runs/s",
        "baseline": 12.0,
        "ratio": 0.5,
        "goal": 0.5,
        "goal_is": "ratio at least",
        "holds": True,
        "spread": [5.0, 7.0],
        "baseline_spread": [11.0, 13.0],
        "parts": {},
    }


def test_a_ratio_below_its_goal_does_not() -> None:
    assert not Row("run", Sample.of([5.9]), "runs/s", Sample.of([12.0]), 0.5).holds


def test_a_limit_bounds_the_value_itself_whatever_the_ratio() -> None:
    assert Row("p99", Sample.of([19.9]), "ms", Sample.of([1.0]), 20, is_limit=True).holds
    assert not Row("p99", Sample.of([20.0]), "ms", Sample.of([50.0]), 20, is_limit=True).holds


def test_nothing_to_compare_with_is_no_ratio_and_does_not_hold() -> None:
    row = Row("run", Sample.of([5.0]), "runs/s", None, 0.5)
    assert (row.ratio, row.holds) == (None, False)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_a_figure_that_was_measured(share: float, expected: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], share) == expected


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="measure first"):
        percentile([], 0.99)


def test_a_request_says_how_long_it_is() -> None:
    assert request_bytes("/x", 80, {"A": "b"}, b"body") == (
        b"POST /x HTTP/1.1\r\nHost: 127.0.0.1:80\r\nContent-Length: 4\r\nA: b\r\n\r\nbody"
    )


def test_a_bench_of_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownBench, match="did you mean 'webhook'"):
        chosen(["webhok"])
