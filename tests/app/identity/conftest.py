from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.db import Database
from tests.app.web.door import Door, standing


@pytest.fixture
async def door(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Door]:
    async with standing(database, database_url, tmp_path) as opened:
        opened.client.headers["origin"] = str(opened.client.base_url).rstrip("/")
        yield opened
