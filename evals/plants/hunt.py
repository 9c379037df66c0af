"""Each plant, put in and hunted; and each trial without a plant, which must find nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from evals.plants.catalogue import Plant
from evals.simulation.schedule import interposed
from evals.simulation.stage import Stage


@dataclass(frozen=True, slots=True)
class Hunted:
    """A plant, and what its trial found with it and without it."""

    plant: Plant
    found: str | None
    false_alarm: str | None
    seconds: float

    @property
    def is_caught(self) -> bool:
        """Whether the trial tells a product with the safeguard from one without."""
        return self.found is not None and self.false_alarm is None


async def hunt(stage: Stage, plants: Iterable[Plant], *, say: Callable[[str], None]) -> AsyncIterator[Hunted]:
    """Hunt plants one after the other."""
    with interposed():
        for number, plant in enumerate(plants):
            started = time.monotonic()
            false_alarm = await _tried(stage, plant, 2 * number + 1_000)
            async with plant.taken(stage):
                found = await _tried(stage, plant, 2 * number + 1_001)
            hunted = Hunted(plant, found, false_alarm, time.monotonic() - started)
            say(f"{'caught' if hunted.is_caught else 'MISSED'} {plant.name}: {found or 'nothing was found'}")
            if false_alarm:
                say(f"  without any plant {plant.trial.__name__} found {false_alarm}")
            yield hunted


async def _tried(stage: Stage, plant: Plant, seed: int) -> str | None:
    """The first thing that the trial finds. A trial that the defect breaks has found it, too."""
    stage.begin(seed)
    try:
        found = await plant.trial(stage)
    except Exception as error:  # noqa: BLE001 - whatever a planted defect leads to
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return f"{found[0].kind}: {found[0].detail}" if found else None
