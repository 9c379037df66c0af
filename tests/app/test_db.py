"""Sessions belong to one tenant, and row-level security holds whatever the code forgets."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from pgqueuer.adapters.drivers.psycopg import PsycopgDriver
from pgqueuer.adapters.persistence.queries import Queries
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlmodel import select

from app.db import Database
from app.errors import DatabaseError
from app.models import Tenant
from app.naming import check_tenant
from graph.settlement.models import Switch

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def a_tenant(name: str) -> Tenant:
    return Tenant(tenant_id=name, title=name.title(), created_at=NOW)


async def titles(database: Database, tenant: str) -> list[str]:
    async with database.tenant(tenant) as session:
        return [row.title for row in (await session.execute(select(Tenant))).scalars().all()]


async def test_a_tenant_sees_its_own_rows_only(database: Database) -> None:
    for name in ("first", "second"):
        async with database.tenant(name) as session:
            session.add(a_tenant(name))
    assert await titles(database, "first") == ["First"]
    assert await titles(database, "second") == ["Second"]
    assert await titles(database, "third") == []


async def test_a_tenant_cannot_write_a_row_of_another(database: Database) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.tenant("first") as session:
            session.add(a_tenant("second"))


async def test_an_error_inside_of_the_block_undoes_it(database: Database) -> None:
    async def write_and_stop() -> None:
        async with database.tenant("first") as session:
            session.add(a_tenant("first"))
            await session.flush()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await write_and_stop()
    assert await titles(database, "first") == []


async def test_a_connection_does_not_carry_a_tenant_to_its_next_user(database_url: str) -> None:
    database = Database(database_url, pool_size=1)
    async with database.tenant("first") as session:
        session.add(a_tenant("first"))
    assert await titles(database, "second") == []
    await database.close()


async def test_a_superusers_address_is_used_as_the_role_that_owns_nothing(admin_url: str) -> None:
    database = Database(admin_url, pool_size=1)
    async with database.tenant("first") as session:
        session.add(a_tenant("first"))
    async with database.tenant("second") as session:
        row = (await session.execute(text("SELECT current_user::text, (SELECT count(*) FROM tenant)"))).one()
    await database.close()
    assert tuple(row) == ("countersign_app", 0)


async def test_the_global_switch_is_read_by_every_tenant_and_written_by_none(
    database: Database, admin_url: str
) -> None:
    with psycopg.connect(admin_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO switch (tenant_id, tool, is_off, reason, actor, changed_at)"
            " VALUES ('*', 'stripe.refund', true, 'drill', 'somebody', now())"
        )
    async with database.tenant("first") as session:
        (switch,) = (await session.execute(select(Switch))).scalars().all()
        assert switch.tenant_id == "*"
        changed = await session.execute(text("UPDATE switch SET is_off = false RETURNING tool"))
        assert changed.all() == []
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.tenant("first") as session:
            session.add(Switch(tenant_id="*", tool="zendesk", reason="-", actor="-", changed_at=NOW))


@pytest.mark.parametrize("name", ["", "*", "A", "a b", "a'b", "-a", "a" * 64, "a\n"])
def test_a_tenant_with_a_strange_name_is_refused(name: str) -> None:
    with pytest.raises(DatabaseError, match="use lower-case letters"):
        check_tenant(name)


async def test_checkpoints_of_another_tenant_do_not_exist(database: Database) -> None:
    for tenant in ("first", "second"):
        saver = AsyncPostgresSaver(await database.checkpoint_pool(tenant))
        await saver.aput(
            {"configurable": {"thread_id": f"{tenant}:1", "checkpoint_ns": ""}}, empty_checkpoint(), {}, {}
        )
        found = [one.config["configurable"]["thread_id"] async for one in saver.alist(None)]
        assert found == [f"{tenant}:1"]
        assert await saver.aget_tuple({"configurable": {"thread_id": "third:1"}}) is None


async def test_a_checkpoint_of_another_tenant_cannot_be_written(database: Database) -> None:
    saver = AsyncPostgresSaver(await database.checkpoint_pool("first"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        await saver.aput({"configurable": {"thread_id": "second:1", "checkpoint_ns": ""}}, empty_checkpoint(), {}, {})


async def test_the_queue_works_for_the_application(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        queries = Queries(PsycopgDriver(connection))
        await queries.enqueue("advance", b"demo:1")
        assert [(row.entrypoint, row.count) for row in await queries.queue_size()] == [("advance", 1)]


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("nonsense", "a database address that cannot be read"),
        ("mysql://localhost/x", "a database address for 'mysql'"),
        ("postgresql://app:hunter2@127.0.0.1:1/x", "cannot be used"),
        ("postgresql://app:hunter2@/x?host=/nowhere", "cannot be used"),
    ],
)
async def test_a_wrong_address_is_one_clear_line_without_the_password(url: str, line: str) -> None:
    with pytest.raises(DatabaseError, match=line) as caught:
        await titles(Database(url), "first")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_sessions_go_on_after_the_server_ended_every_connection(database: Database, admin_url: str) -> None:
    await asyncio.gather(*(titles(database, "first") for _ in range(3)))
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )
    assert await asyncio.gather(*(titles(database, "first") for _ in range(3))) == [[], [], []]


async def test_checkpoints_go_on_after_the_server_ended_every_connection(database: Database, admin_url: str) -> None:
    saver = AsyncPostgresSaver(await database.checkpoint_pool("first"))
    assert await saver.aget_tuple({"configurable": {"thread_id": "first:1"}}) is None
    with psycopg.connect(admin_url, autocommit=True) as admin:
        ended = admin.execute(
            """SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        ).fetchone()
    assert ended != (0,)
    assert await saver.aget_tuple({"configurable": {"thread_id": "first:1"}}) is None


async def test_a_database_that_is_gone_is_one_clear_line(server_url_of_nothing: str) -> None:
    database = Database(server_url_of_nothing)
    with pytest.raises(DatabaseError, match="does not exist"):
        async with database.tenant("first"):
            pass
    with pytest.raises(DatabaseError, match="cannot be used"):
        await database.checkpoint_pool("first")
    await database.close()


@pytest.fixture
def server_url_of_nothing(database_url: str) -> str:
    return database_url.replace("/test_", "/nothing_")
