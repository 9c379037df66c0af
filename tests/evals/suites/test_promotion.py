"""Autonomy is earned by evidence: few trials earn little, and harm takes rungs away."""

from __future__ import annotations

from evals.promotion.ladder import Limits, People, earned, languages
from evals.suites.results import Results, TrialResult
from policies.vocabulary import Mode
from tests.evals.suites.endings import a_report, a_trial, an_ending

DUE = {"outcome": "resolved", "refunds": [{"charge": "second", "amount": "24.90"}]}
RIGHT, TWICE = an_ending("resolved", ("second", 2490)), an_ending("resolved", ("second", 2490), ("second", 2490))


def _trials(right: int, wrong: int = 0, language: str = "en") -> list[TrialResult]:
    made = [a_trial(f"{language}{n}", DUE, RIGHT if n < right else TWICE) for n in range(right + wrong)]
    tags = ("intent:duplicate_charge", "segment:vip", f"language:{language}")
    return [one.model_copy(update={"tags": tags}) for one in made]


def _mode(report: Results, **people: People) -> Mode:
    return next(one.mode for one in earned(report, people, Limits()) if one.group == "duplicate_charge")


def test_rungs_are_earned_by_enough_right_trials() -> None:
    modes = [_mode(a_report(*_trials(number))) for number in (1, 5, 10, 15, 20, 40)]
    ladder = [Mode.SUGGEST, Mode.DRAFT, Mode.APPROVE, Mode.EXECUTE_WITH_REVIEW, Mode.EXECUTE_WITH_AUDIT, Mode.AUTO]
    assert modes == ladder


def test_harm_disagreement_cost_and_a_broken_log_take_rungs_away() -> None:
    assert _mode(a_report(*_trials(40, wrong=8))) is Mode.APPROVE
    assert _mode(a_report(*_trials(40)), duplicate_charge=People(agreed=45, asked=50)) is Mode.APPROVE
    assert _mode(a_report(*_trials(40)), duplicate_charge=People(agreed=500, asked=500)) is Mode.AUTO
    broken = RIGHT.model_copy(update={"log_holds": False})
    trials = _trials(40)
    unaudited = trials[0].model_copy(update={"ending": broken})
    assert _mode(a_report(unaudited, *trials[1:])) is Mode.DRAFT
    dear = [one.model_copy(update={"ending": an_ending("resolved", ("second", 2490), cost=300_000)}) for one in trials]
    assert _mode(a_report(*dear)) is Mode.DRAFT


def test_a_language_below_its_gate_is_for_drafts_only() -> None:
    report = a_report(*_trials(30), *_trials(15, language="de"), *_trials(18, wrong=8, language="fr"))
    assert {gate.language: gate.is_released for gate in languages(report)} == {"en": True, "de": False, "fr": False}
