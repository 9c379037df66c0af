from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest

from app.db import Database
from tests.app.terminal import Terminal


@pytest.fixture
def terminal(
    database: Database, tenant: str, database_url: str, admin_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Terminal]:
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        monkeypatch.setenv("COUNTERSIGN_DATA_DIR", folder)
        monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", database_url)
        monkeypatch.setenv("COUNTERSIGN_DATABASE_ADMIN_URL", admin_url)
        yield Terminal(database, tenant, admin_url)
