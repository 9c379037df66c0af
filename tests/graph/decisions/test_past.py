"""Reading the past while whoever asked goes away: whatever had been opened is closed."""

from __future__ import annotations

import asyncio
import gc

from app.db import Database
from graph.decisions.past import read_past


async def test_a_reading_that_is_cancelled_anywhere_leaves_nothing_open(database: Database, tenant: str) -> None:
    async def reads() -> None:
        async with database.tenant(tenant) as session:
            await read_past(session, tenant)

    for turns in range(40):
        reading = asyncio.create_task(reads())
        for _ in range(turns):
            await asyncio.sleep(0.0003)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    gc.collect()  # the driver warns of what nobody closed, and a warning fails the test
    async with database.tenant(tenant) as session:
        assert (await read_past(session, tenant)).is_empty()
