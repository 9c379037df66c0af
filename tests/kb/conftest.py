from __future__ import annotations

import pytest

from graph.models.embedding import Embedder, load_embedder


@pytest.fixture(scope="session")
def model() -> Embedder:
    """The embedding model itself; loading it takes seconds."""
    return load_embedder()
