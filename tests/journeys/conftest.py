"""The model is loaded once for all journeys; each journey has a shop, a database and doubles of its own."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.db import Database
from graph.models.embedding import Embedder, load_embedder
from graph.models.gateway import Gateway
from graph.models.local.model import load_local_model
from tests.journeys.blocking import watched
from tests.journeys.shop import Mind, Shop, opened


@pytest.fixture(scope="session")
def mind() -> Mind:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own deprecations at import
        embedder: Embedder = load_embedder(threads=1)
        return Mind(embedder, Gateway(load_local_model(embedder), None))


@pytest.fixture
async def shop(
    mind: Mind, database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(tmp_path))
    async with opened(mind, database, database_url, tmp_path) as ready:
        with watched() as found:
            yield ready
    assert not found, "an event loop was held up:\n" + "\n".join(found)
