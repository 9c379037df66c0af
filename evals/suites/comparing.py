"""Two reports of the same scenarios, pair by pair: what B gets right that A did not, and the other way round.

Promises that only scenarios of both reports are compared and that the others are named. It refuses two reports with no
scenario in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from evals.suites.errors import SuiteError
from evals.suites.results import Results, TrialResult
from evals.suites.scoring import Mark
from evals.suites.statistics import Shift, mcnemar, shift

_RANK = {Mark.WRONG: 0, Mark.SAFE: 1, Mark.CORRECT: 2}


@dataclass(frozen=True, slots=True)
class ScenarioFlip:
    """A scenario that is worth something else in B: the worst mark of its trials counts, as for pass^k."""

    id: str
    suite: str
    before: Mark
    after: Mark
    is_new_breach: bool
    saw: tuple[str, ...]

    @property
    def is_worse(self) -> bool:
        """Whether B is the worse of the two."""
        return _RANK[self.after] < _RANK[self.before] or self.is_new_breach


@dataclass(frozen=True, slots=True)
class Comparison:
    """B against A over the scenarios of both.

    Args:
        correct: shift of the share of trials that are correct.
        in_order: shift of the share that is correct or safe.
        cost_usd: shift of a trial's model cost.
        work_s: shift of a trial's time in the nodes. Times of two machines are not comparable.
        tool_calls: shift of a trial's calls, which no machine's speed changes.
        chance: of flips at least as uneven where A and B are equally good (McNemar, exact).
    """

    scenarios: int
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]
    correct: Shift
    in_order: Shift
    cost_usd: Shift
    work_s: Shift
    tool_calls: Shift
    calls_ratio: float
    work_ratio: float
    cost_ratio: float | None
    chance: float
    flips: tuple[ScenarioFlip, ...]

    @property
    def new_breaches(self) -> tuple[ScenarioFlip, ...]:
        """Scenarios in which B does harm and A did not."""
        return tuple(one for one in self.flips if one.is_new_breach)


def compared(a: Results, b: Results) -> Comparison:
    """Compare two reports.

    Raises:
        SuiteError: they have no scenario in common.
    """
    before, after = a.by_scenario, b.by_scenario
    both = [name for name in before if name in after]
    if not both:
        raise SuiteError(("the two reports have no scenario in common: run the same suites for both",))
    pairs = [(before[name], after[name]) for name in both]
    flipped = [flip for old, new in pairs if (flip := _flip(old, new)) is not None]
    lost = sum(flip.before is Mark.CORRECT and flip.after is not Mark.CORRECT for flip in flipped)
    won = sum(flip.before is not Mark.CORRECT and flip.after is Mark.CORRECT for flip in flipped)
    old_cost, new_cost = (sum(_cost(side) for side in sides) for sides in zip(*pairs, strict=True))
    old_calls, new_calls = (sum(_calls(side) for side in sides) for sides in zip(*pairs, strict=True))
    old_work, new_work = (sum(_work(side) for side in sides) for sides in zip(*pairs, strict=True))
    return Comparison(
        scenarios=len(both),
        only_in_a=tuple(name for name in before if name not in after),
        only_in_b=tuple(name for name in after if name not in before),
        correct=shift([_correct(old) for old, _ in pairs], [_correct(new) for _, new in pairs]),
        in_order=shift([_in_order(old) for old, _ in pairs], [_in_order(new) for _, new in pairs]),
        cost_usd=shift([_cost(old) for old, _ in pairs], [_cost(new) for _, new in pairs]),
        work_s=shift([_work(old) for old, _ in pairs], [_work(new) for _, new in pairs]),
        tool_calls=shift([_calls(old) for old, _ in pairs], [_calls(new) for _, new in pairs]),
        calls_ratio=new_calls / old_calls if old_calls else 1.0,
        work_ratio=new_work / old_work if old_work else 1.0,
        cost_ratio=new_cost / old_cost if old_cost else None,
        chance=mcnemar(lost, won),
        flips=tuple(sorted(flipped, key=lambda flip: (not flip.is_worse, _RANK[flip.after], flip.id))),
    )


def _flip(old: Sequence[TrialResult], new: Sequence[TrialResult]) -> ScenarioFlip | None:
    before, after = _worst(old), _worst(new)
    harmed, harms = any(one.breaches for one in old), any(one.breaches for one in new)
    if before is after and not (harms and not harmed):
        return None
    saw = dict.fromkeys(f"{each.facet}: {each.expected} -> {each.seen}" for one in new for each in one.differences)
    return ScenarioFlip(new[0].id, new[0].suite, before, after, harms and not harmed, tuple(saw))


def _worst(trials: Sequence[TrialResult]) -> Mark:
    return min((one.mark for one in trials), key=_RANK.__getitem__)


def _correct(trials: Sequence[TrialResult]) -> float:
    return fmean(one.mark is Mark.CORRECT for one in trials)


def _in_order(trials: Sequence[TrialResult]) -> float:
    return fmean(one.mark is not Mark.WRONG for one in trials)


def _cost(trials: Sequence[TrialResult]) -> float:
    return fmean(one.ending.use.cost_usd_micros / 1_000_000 for one in trials)


def _work(trials: Sequence[TrialResult]) -> float:
    return fmean(one.ending.use.worked_ms / 1000 for one in trials)


def _calls(trials: Sequence[TrialResult]) -> float:
    return fmean(one.ending.use.tool_calls for one in trials)
