"""A grader of style is shown with how far it agrees with people, and grades the replies of a report."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from app.commanding import Commanding
from evals.command import app
from evals.style.agreement import CRITERIA, agreement, hand_graded
from evals.style.command import replies_of
from tests.evals.suites.endings import a_report, a_trial, an_ending


def test_agreement_is_counted_by_criterion_and_beyond_chance() -> None:
    people = [one.grade for one in hand_graded()]
    assert len(people) >= 20
    for name in CRITERIA:
        assert 2 <= sum(getattr(one, name) for one in people) <= len(people) - 2, f"{name} hardly varies"
    same = agreement(people, people)
    assert {one.kappa for one in same.values()} == {1.0}
    yes = [replace(one, is_kind=True) for one in people]
    always = agreement(people, yes)["is_kind"]
    assert always.kappa == pytest.approx(0.0)
    assert always.agreed.value > 0.5


def test_each_reply_is_graded_with_the_message_before_it() -> None:
    talk = ("customer: Where is it?", "desk: Which order?", "customer: 1042", "desk: On its way.")
    ending = an_ending("resolved").model_copy(update={"conversation": talk})
    report = a_report(a_trial("x", {"outcome": "resolved"}, ending))
    assert replies_of(report) == [("Where is it?", "Which order?"), ("1042", "On its way.")]


def test_without_a_model_there_is_one_clear_line() -> None:
    said = CliRunner().invoke(app, ["style"], obj=Commanding())
    assert (said.exit_code, said.stderr.count("\n")) == (2, 1)
    assert "PROVIDER=claude" in said.stderr
