from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from app.db import Database
from graph.queue import AGAIN, enqueue_again, enqueue_tickets


async def test_a_busy_ticket_is_looked_at_once_more_however_many_jobs_found_it_busy(
    database: Database, tenant: str
) -> None:
    for _ in range(3):
        async with database.tenant(tenant) as session:
            await enqueue_tickets(session, tenant, ["1"])
            await enqueue_again(session, tenant, "1", after=timedelta(seconds=30))
    async with database.tenant(tenant) as session:
        rows = (await session.execute(text("SELECT entrypoint, execute_after > now() AS is_later FROM pgqueuer"))).all()
    assert [row.entrypoint for row in rows].count("ticket") == 3
    assert [row.is_later for row in rows if row.entrypoint == AGAIN] == [True]
