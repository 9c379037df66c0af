"""A safeguard taken out is noticed. Here some of them; `countersign plants` tries each."""

from __future__ import annotations

import pytest

from evals.plants.catalogue import PLANTS
from evals.plants.hunt import hunt
from evals.plants.trials import killed_while_sending, over_the_day, repeated_error, two_answers_at_once
from evals.simulation.stage import stage_on

pytestmark = pytest.mark.timeout(180)
SLOW = {killed_while_sending, over_the_day, repeated_error, two_answers_at_once}


async def test_each_safeguard_that_is_taken_out_is_noticed(database_url: str, admin_url: str) -> None:
    quick = [plant for plant in PLANTS if plant.trial not in SLOW]
    async with stage_on(database_url, admin_url) as stage:
        hunted = [one async for one in hunt(stage, quick, say=lambda _: None)]
    assert [(one.plant.name, one.found, one.false_alarm) for one in hunted if not one.is_caught] == []
    assert len(hunted) >= 12
