"""One embedding model for the tests of this folder: loading it takes seconds."""

from __future__ import annotations

import warnings

import pytest

from graph.models.embedding import Embedder, load_embedder
from graph.models.local.model import LocalModel, load_local_model


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own deprecations at import
        return load_embedder(threads=1)


@pytest.fixture(scope="session")
def model(embedder: Embedder) -> LocalModel:
    return load_local_model(embedder, shop_currency="usd")
