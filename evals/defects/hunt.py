"""Each defect planted, and the suites played until the gate would block, from the suites that are near the defect.

The product without a defect is the baseline, scenario by scenario. A defect is caught where the gate blocks: by harm
that the baseline did not do, or by more scenarios that are worse than the gate lets pass. One that plays all suites
and is not blocked is missed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.settings import ModelSettings
from evals.defects.catalogue import Defect
from evals.gates.scenarios import Bounds
from evals.suites.comparing import ScenarioFlip, compared
from evals.suites.files import Filed
from evals.suites.making import made
from evals.suites.place import Variant
from evals.suites.results import Results, TrialResult
from evals.suites.running import Hall

AT_ONCE = 12
"""Scenarios between two looks of the gate."""


@dataclass(frozen=True, slots=True)
class Hunted:
    """A defect, how many scenarios were played with it, and what the gate would block for; nothing where missed."""

    defect: Defect
    played: int
    blocks: tuple[str, ...]
    seconds: float

    @property
    def is_caught(self) -> bool:
        """Whether the gate blocks."""
        return bool(self.blocks)


class Hunt:
    """The suites, and what the product without a defect makes of them, as far as it was asked.

    Args:
        hall: where to play.
        filed: all scenarios.
        baseline: a report of the product without a defect, or nothing: it is then played as needed.
        seed: of everything.
        most: scenarios to play for one defect at most; None plays all.
        workers: processes.
    """

    def __init__(
        self,
        hall: Hall,
        filed: Sequence[Filed],
        *,
        baseline: Results | None,
        seed: int,
        most: int | None,
        workers: int,
    ) -> None:
        self._hall = hall
        self._filed = filed
        self._seed = seed
        self._most = most
        self._workers = workers
        known = () if baseline is None else baseline.trials
        self._clean: dict[str, TrialResult] = {one.id: one for one in known if one.trial == 0}

    def each(self, defects: Iterable[Defect], *, say: Callable[[str], None]) -> Iterator[Hunted]:
        """Hunt one after the other."""
        for defect in defects:
            started = time.monotonic()
            played: list[TrialResult] = []
            blocks: tuple[str, ...] = ()
            for some in _portions(self._in_order(defect)[: self._most]):
                self._know(some)
                played += self._with(defect, some)
                blocks = self._blocks(played)
                if blocks:
                    break
            hunted = Hunted(defect, len(played), blocks, time.monotonic() - started)
            say(f"{'caught' if blocks else 'MISSED'} {defect.name} after {len(played)}: {blocks[0] if blocks else ''}")
            yield hunted

    def _in_order(self, defect: Defect) -> list[Filed]:
        """The suites near the defect first, in the order in which it names them."""
        near = {suite: place for place, suite in enumerate(defect.near)}
        return sorted(self._filed, key=lambda one: near.get(one.suite, len(near)))

    def _know(self, some: Sequence[Filed]) -> None:
        unknown = [one for one in some if one.scenario.id not in self._clean]
        if unknown:
            self._clean |= {one.id: one for one in self._played(unknown)}

    def _with(self, defect: Defect, some: Sequence[Filed]) -> list[TrialResult]:
        edited = [defect.policy_of(one) for one in some]
        with defect.planted():
            return self._played(edited)

    def _played(self, filed: Sequence[Filed]) -> list[TrialResult]:
        return self._hall.play(
            filed,
            trials=1,
            seed=self._seed,
            workers=self._workers,
            variant=Variant(ModelSettings()),
            progress=lambda _: None,
        )

    def _blocks(self, played: Sequence[TrialResult]) -> tuple[str, ...]:
        """What the gate over a whole run blocks for already, whatever the rest of the suites would say."""
        against = compared(_report([self._clean[one.id] for one in played]), _report(played))
        harm = tuple(f"new harm in {_told(flip)}" for flip in against.new_breaches)
        worse = [flip for flip in against.flips if flip.is_worse]
        if len(worse) > Bounds().lost_scenarios:
            return (*harm, f"{len(worse)} scenarios are worse, such as {_told(worse[0])}")
        return harm


def _told(flip: ScenarioFlip) -> str:
    return f"{flip.id}: {'; '.join(flip.saw)}"


def _portions(filed: Sequence[Filed]) -> Iterator[Sequence[Filed]]:
    for start in range(0, len(filed), AT_ONCE):
        yield filed[start : start + AT_ONCE]


def _report(trials: Sequence[TrialResult]) -> Results:
    under = made(
        trials, seed=0, trials=1, variant=Variant(ModelSettings()), workers=None, load=(0.0, 0.0, 0.0), seconds=0.0
    )
    return Results(made=under, trials=tuple(trials))
