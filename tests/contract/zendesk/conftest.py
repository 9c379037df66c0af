"""A fresh world per test, behind servers that are started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.sandbox.zendesk.limits import Limits
from tests.contract.zendesk.builders import Make, Stage, World


@pytest.fixture(scope="session")
def stages() -> Iterator[tuple[Stage, Stage]]:
    made = (Stage(), Stage())
    for stage in made:
        stage.start()
    yield made
    for stage in made:
        stage.stop()


@pytest.fixture
def world_of(stages: tuple[Stage, Stage]) -> Iterator[Make]:
    worlds: list[World] = []

    def make(*, limits: Limits | None = None, webhooks: bool = True) -> World:
        worlds.append(World(*stages, limits=limits, webhooks=webhooks))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def world(world_of: Make) -> World:
    return world_of()
