"""Requests of one moment share a transaction, and nobody fails, waits or hears a yes because of another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from app.web.storing import MOST_WAITING, Overrun, Storing
from graph.intake.receive import Arrival, Received

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Counted:
    """Sessions of the tenant, and how many there were."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.opened = 0

    @asynccontextmanager
    async def __call__(self, tenant_id: str) -> AsyncIterator[AsyncSession]:
        self.opened += 1
        async with self.database.tenant(tenant_id) as session:
            yield session


@pytest.fixture
def sessions(database: Database) -> Counted:
    return Counted(database)


@pytest.fixture
def storing(sessions: Counted) -> Storing:
    ids = count()
    return Storing(sessions, lambda: NOW, lambda kind: f"{kind}-{next(ids)}")


def arrival(number: int, ticket_id: str = "7") -> Arrival:
    return Arrival(source="zendesk", event_id=f"evt-{number}", kind="comment_added", ticket_id=ticket_id)


async def test_many_at_once_are_few_transactions_and_one_job_a_ticket(
    storing: Storing, sessions: Counted, tenant: str
) -> None:
    arrivals = [arrival(number % 40, str(number % 40 % 5)) for number in range(60)]
    received = await asyncio.gather(*(storing.store(tenant, one) for one in arrivals))
    assert received.count(Received.STORED) == 40
    assert sessions.opened == 1
    async with sessions.database.tenant(tenant) as session:
        rows = (await session.execute(text("SELECT deliveries FROM inbox_event"))).scalars().all()
        jobs = (await session.execute(text("SELECT count(*) FROM pgqueuer"))).scalar_one()
    assert sorted(rows) == [1] * 20 + [2] * 20
    assert jobs == 5


async def test_what_the_database_refuses_is_refused_alone(storing: Storing, sessions: Counted, tenant: str) -> None:
    bad = arrival(2, "a\0b")
    outcomes = await asyncio.gather(
        *(storing.store(tenant, one) for one in (arrival(0), arrival(1), bad, arrival(3))), return_exceptions=True
    )
    assert [outcomes[0], outcomes[1], outcomes[3]] == [Received.STORED] * 3
    assert isinstance(outcomes[2], SQLAlchemyError)
    async with sessions.database.tenant(tenant) as session:
        stored = (await session.execute(text("SELECT event_id FROM inbox_event ORDER BY 1"))).scalars().all()
    assert stored == ["evt-0", "evt-1", "evt-3"]


async def test_who_would_wait_too_long_is_sent_away_and_nothing_of_theirs_is_stored(
    storing: Storing, sessions: Counted, tenant: str
) -> None:
    outcomes = await asyncio.gather(
        *(storing.store(tenant, arrival(number)) for number in range(MOST_WAITING + 10)), return_exceptions=True
    )
    assert sum(isinstance(one, Overrun) for one in outcomes) == 10
    async with sessions.database.tenant(tenant) as session:
        assert (await session.execute(text("SELECT count(*) FROM inbox_event"))).scalar_one() == MOST_WAITING


async def test_who_hangs_up_does_not_take_the_others_along(storing: Storing, tenant: str) -> None:
    waiting = [asyncio.create_task(storing.store(tenant, arrival(number))) for number in range(5)]
    await asyncio.sleep(0)
    waiting[3].cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [one for one in outcomes if one is not Received.STORED] == [outcomes[3]]
    assert isinstance(outcomes[3], asyncio.CancelledError)
    assert await storing.store(tenant, arrival(3)) is Received.DUPLICATE
