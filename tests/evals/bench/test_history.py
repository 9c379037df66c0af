"""Sittings are kept as files, two of them are compared, and all of them are drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from evals.bench.history import HistoryError, Sitting, compare, keep, machine, picture, reached, read, read_all
from evals.bench.rows import Row, Sample


def sitting(commit: str, at: str, *rows: Row) -> Sitting:
    return Sitting(commit, at, quick=True, machine=machine(), rows=[row.form() for row in rows])


RUN = Row("run", Sample.of([5.0, 6.0, 7.0]), "runs/s", Sample.of([12.0, 12.0, 12.0]), 0.5)
P99 = Row("p99", Sample.of([10.0, 12.0, 11.0]), "ms", None, 20, is_limit=True)
BEFORE = sitting("0123456789abcdef", "2026-11-21T10:00:00+00:00", RUN, P99)


def test_a_kept_sitting_reads_back_as_it_was(tmp_path: Path) -> None:
    later = replace(BEFORE, commit="fedcba987654+", at="2026-11-21T11:00:00+00:00")
    keep(tmp_path / "kept", later)
    path = keep(tmp_path / "kept", BEFORE)
    assert path.name == "20261121T100000Z-0123456789ab.json"
    assert read(path) == BEFORE
    assert read_all(tmp_path / "kept") == [BEFORE, later]


def test_rows_are_compared_by_their_ratio_and_limits_by_their_figure() -> None:
    faster = replace(RUN, value=Sample.of([11.0, 12.0, 13.0]))
    slower = replace(P99, value=Sample.of([30.0, 31.0, 32.0]))
    other = Row("webhook", Sample.of([1.0]), "requests/s", Sample.of([2.0]), 0.7)
    after = sitting("b", "2026-11-21T11:00:00+00:00", faster, slower, other)
    assert [(one.name, one.change, one.verdict) for one in compare(BEFORE, after)] == [
        ("run", 2.0, "better"),
        ("p99", pytest.approx(31 / 11), "WORSE"),
        ("webhook", None, "only after"),
    ]


def test_a_shift_within_the_spread_is_none() -> None:
    after = sitting("b", "2026-11-21T11:00:00+00:00", replace(RUN, value=Sample.of([6.5, 7.5, 8.0])))
    assert compare(BEFORE, after)[0].verdict == "the same"


def test_a_figure_that_was_measured_once_shifts_only_by_more_than_half() -> None:
    once = Row("stop", Sample.of([100.0]), "ms", None, 1000, is_limit=True)
    before = sitting("a", "2026-11-21T10:00:00+00:00", once)
    for figure, verdict in ((140.0, "the same"), (160.0, "WORSE"), (40.0, "better")):
        after = sitting("b", "2026-11-21T11:00:00+00:00", replace(once, value=Sample.of([figure])))
        assert compare(before, after)[0].verdict == verdict


def test_a_limit_is_reached_the_more_the_lower_its_figure() -> None:
    assert [reached(row.form()) for row in (RUN, P99)] == [pytest.approx(1.0), pytest.approx(20 / 11, rel=1e-3)]


def test_the_picture_has_every_row_of_every_sitting() -> None:
    drawn = picture([BEFORE, replace(BEFORE, commit="fedcba987654", at="2026-11-21T11:00:00+00:00")])
    words = [one.text for one in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert "run: 1.00 of its goal" in words
    assert "p99: 1.82 of its goal" in words
    assert {"0123456", "fedcba9"} <= set(words)


def test_what_is_no_sitting_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="no sitting is kept in"):
        read_all(tmp_path)
    (tmp_path / "x.json").write_text('{"rows": []}')
    with pytest.raises(HistoryError, match=r"x\.json' is not a sitting"):
        read(tmp_path / "x.json")
    with pytest.raises(HistoryError, match=r"y\.json' cannot be read: No such file"):
        read(tmp_path / "y.json")
