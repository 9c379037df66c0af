"""The tables that our libraries bring: LangGraph's checkpoints and PgQueuer's queue. Each installs and updates its own.

Promises: safe to repeat after every update of a library; checkpoints are under forced row-level security by the tenant
with which each thread's id begins. Queue rows carry ids only and are exempt, because a worker of all tenants must see
them. Refuses nothing; a library that cannot install its tables raises what it raises.
"""

from __future__ import annotations

import asyncio
from typing import Final

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from pgqueuer.adapters.drivers.psycopg import PsycopgDriver
from pgqueuer.adapters.persistence.queries import Queries
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed, Identifier, Literal

from app.db import APPLICATION_ROLE
from app.schema import CHECKPOINT_TABLES, QUEUE_TABLES, STAMPED, libraries_here

_OWN_THREADS: Final = SQL("split_part(thread_id, ':', 1) = current_setting('countersign.tenant', true)")


def install_library_tables(admin_url: str) -> None:
    """Create or update the libraries' tables, then protect them and grant the application what it needs.

    Not in one transaction: LangGraph builds its indexes concurrently (https://github.com/langchain-ai/langgraph,
    `langgraph.checkpoint.postgres.base.MIGRATIONS`), which PostgreSQL refuses inside of one.
    """
    with psycopg.connect(admin_url, autocommit=True, prepare_threshold=0, row_factory=dict_row) as connection:
        PostgresSaver(connection).setup()
    asyncio.run(_install_queue(admin_url))
    with psycopg.connect(admin_url, autocommit=True) as owner, owner.transaction():
        for statement in _protection():
            owner.execute(statement)


async def _install_queue(admin_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        queries = Queries(PsycopgDriver(connection))
        if await queries.schema_is_installed():
            await queries.upgrade()
        else:
            async with connection.transaction():  # whole or not at all: half an installation could not be upgraded
                await queries.install()


def _protection() -> list[Composed]:
    role = Identifier(APPLICATION_ROLE)
    statements = [SQL("GRANT SELECT ON checkpoint_migrations TO {}").format(role)]
    for name in CHECKPOINT_TABLES:
        table = Identifier(name)
        statements += [
            SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(table),
            SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(table),
            SQL("DROP POLICY IF EXISTS own_threads ON {}").format(table),
            SQL("CREATE POLICY own_threads ON {0} USING ({1}) WITH CHECK ({1})").format(table, _OWN_THREADS),
            SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(table, role),
        ]
    for name in QUEUE_TABLES:
        statements.append(SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(Identifier(name), role))
    for name in QUEUE_TABLES:
        statements.append(SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(Identifier(f"{name}_id_seq"), role))
    statements.append(SQL("COMMENT ON TABLE {} IS {}").format(Identifier(STAMPED), Literal(libraries_here())))
    return statements
