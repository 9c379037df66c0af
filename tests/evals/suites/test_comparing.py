"""Two runs of the same scenarios, the gate over them, and reports that read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.commanding import Commanding
from evals.command import app
from evals.gates.scenarios import Bounds, judge
from evals.suites.compare_command import differing
from evals.suites.comparing import compared
from evals.suites.errors import SuiteError
from evals.suites.results import pass_k, read_results
from evals.suites.scoring import Mark
from evals.suites.showing import written
from tests.evals.suites.endings import a_report, a_trial, an_ending

DUE = {"outcome": "resolved", "refunds": [{"charge": "second", "amount": "24.90"}]}
RIGHT, CAREFUL = an_ending("resolved", ("second", 2490)), an_ending("waiting_for_review")
TWICE = an_ending("resolved", ("second", 2490), ("second", 2490))


def test_flips_are_listed_and_new_harm_stands_first() -> None:
    a = a_report(
        a_trial("x", DUE, RIGHT), a_trial("y", DUE, RIGHT), a_trial("z", DUE, CAREFUL), a_trial("old", DUE, RIGHT)
    )
    b = a_report(a_trial("x", DUE, CAREFUL), a_trial("y", DUE, TWICE), a_trial("z", DUE, RIGHT))
    found = compared(a, b)
    assert [(flip.id, flip.before, flip.after) for flip in found.flips] == [
        ("y", Mark.CORRECT, Mark.WRONG),
        ("x", Mark.CORRECT, Mark.SAFE),
        ("z", Mark.SAFE, Mark.CORRECT),
    ]
    assert [flip.id for flip in found.new_breaches] == ["y"]
    assert found.only_in_a == ("old",)
    assert found.correct.mean == pytest.approx(-1 / 3)
    assert found.correct.low < found.correct.mean < found.correct.high


def test_reports_without_a_common_scenario_are_refused() -> None:
    with pytest.raises(SuiteError, match="no scenario in common"):
        compared(a_report(a_trial("x", DUE, RIGHT)), a_report(a_trial("y", DUE, RIGHT)))


def test_all_trials_must_be_right_for_pass_k() -> None:
    trials = [a_trial("x", DUE, ending, trial) for trial, ending in enumerate((RIGHT, RIGHT, RIGHT, CAREFUL))]
    report = a_report(*trials, each=4)
    assert [pass_k(report, k) for k in (1, 2, 4, 5)] == [0.75, 0.5, 0.0, None]


def test_the_gate_blocks_harm_losses_and_dearer_runs() -> None:
    names = [f"s{number}" for number in range(40)]
    base = a_report(*(a_trial(name, DUE, RIGHT) for name in names))
    assert judge(base, base, Bounds()).passed
    harmed = a_report(*(a_trial(name, DUE, TWICE if name == "s7" else RIGHT) for name in names))
    verdict = judge(harmed, base, Bounds())
    assert not verdict.passed
    assert any("new harm in s7" in block for block in verdict.figures["blocks"])  # type: ignore[attr-defined]
    lost = a_report(*(a_trial(name, DUE, CAREFUL if name in names[:4] else RIGHT) for name in names))
    assert not judge(lost, base, Bounds()).passed
    assert judge(lost, None, Bounds()).passed
    fewer = a_report(*(a_trial(name, DUE, RIGHT) for name in names[:39]))
    assert not judge(fewer, base, Bounds()).passed
    cheap = a_report(*(a_trial(name, DUE, an_ending("resolved", ("second", 2490), cost=100)) for name in names))
    dear = a_report(*(a_trial(name, DUE, an_ending("resolved", ("second", 2490), cost=200)) for name in names))
    assert not judge(dear, cheap, Bounds()).passed
    assert judge(cheap, dear, Bounds()).passed


def test_what_two_runs_were_made_with_otherwise_is_named() -> None:
    report = a_report(a_trial("x", DUE, RIGHT))
    other = report.made.model_copy(
        update={"policies": {"b" * 64: 1}, "asked": {"draft claude-sonnet-5-5 0123": 1}, "retrieval": {"pool": 9}}
    )
    assert list(differing(report.made, report.made)) == []
    assert [one.split(" ->")[0].split()[0] for one in differing(report.made, other)] == [
        "models",
        "policies",
        "retrieval",
    ]


def test_a_report_reads_back_and_its_page_holds_the_transcript(tmp_path: Path) -> None:
    ending = TWICE.model_copy(update={"transcript": ("<b>it was paid twice</b>",)})
    report = a_report(a_trial("x", DUE, ending), a_trial("y", DUE, RIGHT))
    written(report, tmp_path)
    assert read_results(tmp_path / "report.json") == report
    page = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;it was paid twice&lt;/b&gt;" in page
    assert "<script" not in page
    assert page.count("<svg") >= 4
    assert "over-refunded, minor units | 2490 usd" in (tmp_path / "report.md").read_text()
    said = CliRunner().invoke(app, ["gate", "--candidate", str(tmp_path / "report.json"), "--json"], obj=Commanding())
    assert said.exit_code == 1
    assert json.loads(said.stdout)["gates"][0]["figures"]["over_refunded_minor"] == 2490
    report_twice = [str(tmp_path / "report.json")] * 2
    said = CliRunner().invoke(app, ["compare", *report_twice, "--json"], obj=Commanding())
    assert json.loads(said.stdout)["differs"] == []
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    said = CliRunner().invoke(app, ["compare", str(broken), str(broken)], obj=Commanding())
    assert said.exit_code == 2
    assert said.stderr.count("\n") == 1
