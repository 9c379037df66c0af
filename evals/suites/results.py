"""What a run of suites found, as it is written to a file and read again: every trial, and the figures over them all.

Promises that a report reads back as what was written, and that it says under which commit, seed and versions it was
made. It refuses a file of another format version.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.suites.ending import Ending
from evals.suites.errors import SuiteError
from evals.suites.scoring import Differs, Finding, Held, Mark, Score

REPORT_VERSION: Final = 1


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Difference(_Value):
    """A part that was not as expected."""

    facet: str
    expected: str
    seen: str
    is_breach: bool


class TrialResult(_Value):
    """One trial of one scenario. `facets` are those that were scored, and whether they held."""

    id: str
    suite: str
    trial: int
    tags: tuple[str, ...]
    mark: Mark
    facets: dict[str, bool]
    differences: tuple[Difference, ...]
    over_refunded_minor: dict[str, int]
    wrong_charges: int
    unexpected_refunds: int
    ending: Ending

    @classmethod
    def of(cls, *, name: str, suite: str, trial: int, tags: Sequence[str], score: Score, ending: Ending) -> TrialResult:
        """A trial that was scored. A transcript is kept where something differs."""
        return cls(
            id=name,
            suite=suite,
            trial=trial,
            tags=tuple(tags),
            mark=score.mark,
            facets=_facets(score.findings),
            differences=tuple(
                Difference(facet=one.facet.value, expected=one.expected, seen=one.seen, is_breach=one.is_breach)
                for one in score.differences
            ),
            over_refunded_minor=dict(score.over_refunded_minor),
            wrong_charges=score.wrong_charges,
            unexpected_refunds=score.unexpected_refunds,
            ending=ending if score.differences else ending.model_copy(update={"transcript": ()}),
        )

    @property
    def breaches(self) -> tuple[Difference, ...]:
        """What did harm."""
        return tuple(one for one in self.differences if one.is_breach)


def _facets(findings: Iterable[Finding]) -> dict[str, bool]:
    scored: dict[str, bool] = {}
    for one in findings:
        if isinstance(one, Held):
            scored.setdefault(one.facet.value, True)
        elif isinstance(one, Differs):
            scored[one.facet.value] = False
    return scored


class Made(_Value):
    """Under what a report was made."""

    commit: str
    at: str
    seed: int
    trials: int
    provider: str
    models: tuple[str, ...]
    asked: dict[str, int] = Field(
        default={}, description="role, model and hash of the prompt: trials in which it was asked"
    )
    retrieval: dict[str, str | int] = Field(default={}, description="how sections are found")
    customers: str = Field(default="script", description="who speaks for simulated customers")
    policies: dict[str, int] = Field(description="hash of a policy: trials that it decided")
    versions: dict[str, str]
    workers: int
    load: tuple[float, float, float] | None = Field(description="of the machine at the start: 1, 5, 15 minutes")
    seconds: float


class Results(_Value):
    """A whole report."""

    report_version: Literal[1] = REPORT_VERSION
    made: Made
    trials: Annotated[tuple[TrialResult, ...], Field(min_length=1)]

    @property
    def by_scenario(self) -> Mapping[str, list[TrialResult]]:
        """The trials of each scenario, in the order of the report."""
        found: dict[str, list[TrialResult]] = defaultdict(list)
        for one in self.trials:
            found[one.id].append(one)
        return found

    @property
    def failures(self) -> list[TrialResult]:
        """Every trial that is not correct, harm first."""
        order = {Mark.WRONG: 0, Mark.SAFE: 1}
        return sorted((one for one in self.trials if one.mark is not Mark.CORRECT), key=lambda one: order[one.mark])


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures over some trials."""

    trials: int
    correct: int
    safe: int
    wrong: int
    over_refunded_minor: dict[str, int]
    wrong_charges: int
    unexpected_refunds: int
    breaches: int

    @property
    def in_order(self) -> int:
        """Trials that are correct or safe."""
        return self.correct + self.safe


def totals(trials: Iterable[TrialResult]) -> Totals:
    """The figures over some trials."""
    listed = list(trials)
    marks = Counter(one.mark for one in listed)
    over: Counter[str] = Counter()
    for one in listed:
        over.update(one.over_refunded_minor)
    return Totals(
        trials=len(listed),
        correct=marks[Mark.CORRECT],
        safe=marks[Mark.SAFE],
        wrong=marks[Mark.WRONG],
        over_refunded_minor=dict(sorted(over.items())),
        wrong_charges=sum(one.wrong_charges for one in listed),
        unexpected_refunds=sum(one.unexpected_refunds for one in listed),
        breaches=sum(bool(one.breaches) for one in listed),
    )


def pass_k(results: Results, k: int) -> float | None:
    """The chance that k trials of a scenario drawn at random are all correct; None with fewer trials than k.

    Of n trials with c correct ones it is C(c, k) / C(n, k), the unbiased estimate, averaged over scenarios.
    https://arxiv.org/abs/2406.12045
    """
    shares = []
    for trials in results.by_scenario.values():
        if len(trials) < k:
            return None
        correct = sum(one.mark is Mark.CORRECT for one in trials)
        shares.append(comb(correct, k) / comb(len(trials), k))
    return sum(shares) / len(shares)


def by_tag(results: Results) -> dict[str, Totals]:
    """The figures of each tag, and of each suite."""
    groups: dict[str, list[TrialResult]] = defaultdict(list)
    for one in results.trials:
        for tag in dict.fromkeys((f"suite:{one.suite}", *one.tags)):
            groups[tag].append(one)
    return {tag: totals(trials) for tag, trials in sorted(groups.items())}


def summary(results: Results) -> dict[str, Any]:
    """What `evals run --json` prints, without the trials. Money first."""
    all_ = totals(results.trials)
    replayed = [one for trial in results.trials for one in trial.ending.replayed]
    return {
        "over_refunded_minor": sum(all_.over_refunded_minor.values()),
        "over_refunded_by_currency": all_.over_refunded_minor,
        "wrong_charges": all_.wrong_charges,
        "unexpected_refunds": all_.unexpected_refunds,
        "scenarios": len(results.by_scenario),
        "trials": all_.trials,
        "correct": all_.correct,
        "safe": all_.safe,
        "wrong": all_.wrong,
        "correct_or_safe": all_.in_order,
        "breaches": all_.breaches,
        "runs_replayed": len(replayed),
        "runs_identical": sum(not one.differences for one in replayed),
        "effects": sum(one.ending.effects for one in results.trials),
        "effects_not_answered_for": sum(len(one.ending.unanswered) for one in results.trials),
        "pass_k": {str(k): pass_k(results, k) for k in range(1, results.made.trials + 1)},
        "failures": [failure(one) for one in results.failures],
        "made": results.made.model_dump(mode="json"),
    }


def failure(one: TrialResult) -> dict[str, Any]:
    """A trial that is not correct, without its transcript."""
    return {
        "id": one.id,
        "suite": one.suite,
        "trial": one.trial,
        "mark": one.mark.value,
        "differences": [each.model_dump() for each in one.differences],
        "troubles": list(one.ending.troubles),
    }


def read_results(path: Path) -> Results:
    """A report that `evals run --report` wrote.

    Raises:
        SuiteError: it cannot be read, or is none.
    """
    try:
        return Results.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SuiteError((f"{path}: cannot be read: {error.strerror}: name a report.json of `evals run`",)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        sentence = f"{path}: {place}: {first['msg'].lower()}: name a report.json of `evals run --report FOLDER`"
        raise SuiteError((sentence,)) from error
