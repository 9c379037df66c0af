"""The gate `scenarios`: what a run of the suites must hold, by itself and against the run before.

Blocks on any harm that the baseline did not do, on money that was not due at all, and on correctness, cost or calls
that are worse beyond the bounds. Time is bounded loosely, because two runs rarely have the same machine for themselves.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from evals.suites.comparing import Comparison, compared
from evals.suites.results import Results, totals
from policies.gates.verdict import GateVerdict

GATE: Final = "scenarios"
NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much worse a run may be than the one before.

    Args:
        correct_loss: of the share of correct trials, where the loss is more than chance.
        lost_scenarios: that were correct and are not, whatever chance says.
        cost_ratio: of the model cost.
        calls_ratio: of the calls of tools.
        work_ratio: of the time in the nodes.
    """

    correct_least: float = 0.85
    in_order_least: float = 0.97
    correct_loss: float = 0.02
    lost_scenarios: int = 3
    cost_ratio: float = 1.25
    calls_ratio: float = 1.25
    work_ratio: float = 3.0


def judge(candidate: Results, baseline: Results | None, bounds: Bounds) -> GateVerdict:
    """Whether the candidate passes.

    Args:
        candidate: the run in question.
        baseline: the run before; without one only what holds by itself is looked at.
        bounds: how much worse it may be.
    """
    against = None if baseline is None else compared(baseline, candidate)
    blocks = [*_by_itself(candidate, bounds)]
    if against is not None:
        blocks += _against(against, bounds)
    found = totals(candidate.trials)
    figures: dict[str, object] = {
        "scenarios": len(candidate.by_scenario),
        "correct": found.correct,
        "safe": found.safe,
        "wrong": found.wrong,
        "trials": found.trials,
        "over_refunded_minor": sum(found.over_refunded_minor.values()),
        "wrong_charges": found.wrong_charges,
        "unexpected_refunds": found.unexpected_refunds,
        "commit": candidate.made.commit,
        "baseline": None if baseline is None else baseline.made.commit,
        "blocks": blocks[:NAMED],
        "bounds": [f"{name} {value}" for name, value in asdict(bounds).items()],
    }
    return GateVerdict(GATE, passed=not blocks, figures=figures)


def _by_itself(candidate: Results, bounds: Bounds) -> list[str]:
    found = totals(candidate.trials)
    blocks = []
    if found.over_refunded_minor:
        blocks.append(f"over-refunded, in minor units: {found.over_refunded_minor}")
    if found.wrong_charges:
        blocks.append(f"refunds on a wrong charge: {found.wrong_charges}")
    if found.unexpected_refunds:
        blocks.append(f"refunds where none is due: {found.unexpected_refunds}")
    if found.in_order < bounds.in_order_least * found.trials:
        blocks.append(f"correct or safe: {found.in_order} of {found.trials}, at least {bounds.in_order_least} is asked")
    if found.correct < bounds.correct_least * found.trials:
        blocks.append(f"correct: {found.correct} of {found.trials}, at least {bounds.correct_least} is asked")
    return blocks


def _against(against: Comparison, bounds: Bounds) -> list[str]:
    blocks = [f"new harm in {flip.id}: {'; '.join(flip.saw)}" for flip in against.new_breaches]
    lost = [flip for flip in against.flips if flip.is_worse]
    if len(lost) > bounds.lost_scenarios:
        blocks.append(f"{len(lost)} scenarios are worse than before: {', '.join(flip.id for flip in lost[:NAMED])}")
    if against.correct.mean < -bounds.correct_loss and against.correct.high < 0:
        blocks.append(f"correct is worse by {-against.correct.mean:.3f}, which is more than chance")
    if against.only_in_a:
        blocks.append(
            f"{len(against.only_in_a)} scenarios of the baseline were not run: {against.only_in_a[0]} and so on"
        )
    if against.cost_ratio is not None and against.cost_ratio > bounds.cost_ratio:
        blocks.append(f"model cost is {against.cost_ratio:.2f} times what it was, at most {bounds.cost_ratio}")
    if against.calls_ratio > bounds.calls_ratio:
        blocks.append(
            f"calls of tools are {against.calls_ratio:.2f} times what they were, at most {bounds.calls_ratio}"
        )
    if against.work_ratio > bounds.work_ratio:
        blocks.append(f"time in the nodes is {against.work_ratio:.2f} times what it was, at most {bounds.work_ratio}")
    return blocks
