"""Seeds of the simulation: the money holds in each, and each replays exactly."""

from __future__ import annotations

import pytest

from evals.simulation.play import play
from evals.simulation.schedule import interposed
from evals.simulation.stage import stage_on

pytestmark = pytest.mark.timeout(180)
SEEDS = range(1, 9)


async def test_no_history_loses_or_doubles_money_and_a_seed_replays_exactly(database_url: str, admin_url: str) -> None:
    async with stage_on(database_url, admin_url) as stage:
        with interposed():
            plays = [await play(stage, seed, humans=seed % 2 == 0) for seed in SEEDS]
            again = [await play(stage, seed, humans=seed % 2 == 0) for seed in (1, 2)]
    assert [one for one in plays if one.findings] == []
    assert [one.trace for one in again] == [one.trace for one in plays[:2]]
    assert len({one.trace for one in plays}) == len(plays)
    assert sum(one.kills for one in plays) > 0
    assert sum(one.faults for one in plays) > 0
    assert sum(one.refunds for one in plays) > 0
