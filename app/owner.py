"""Transactions of one command: as the application for a tenant, as the owner of the database for tenant `*`.

Promises: a connection of its own, in which exactly the given tenant's rows exist; committed at the end of the block.
The rows of `*` hold for every tenant, so only the owner writes them; nothing that serves or works opens this door.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import pool, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from app.db import CONNECT_TIMEOUT_S, Database, parse_url, unreachable
from app.storage import Storage
from graph.tenancy import EVERY_TENANT


@asynccontextmanager
async def session_for(storage: Storage, tenant_id: str) -> AsyncIterator[AsyncSession]:
    """One transaction for a tenant, or for `*`.

    Raises:
        DatabaseError: the database cannot be reached, the account may not do this, or no tenant can be called so.
    """
    if tenant_id == EVERY_TENANT:
        async with _owner_session(storage.admin_url) as session:
            yield session
        return
    database = Database(storage.app_url, pool_size=1)
    try:
        async with database.tenant(tenant_id) as session:
            yield session
    finally:
        await database.close()


@asynccontextmanager
async def _owner_session(admin_url: str) -> AsyncIterator[AsyncSession]:
    url = parse_url(admin_url)
    engine = create_async_engine(url, poolclass=pool.NullPool, connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            # Row-level security is forced, so that the owner too sees one tenant at a time.
            connection = await session.connection()
            await connection.execute(
                text("SELECT set_config('countersign.tenant', :tenant, true)"), {"tenant": EVERY_TENANT}
            )
            yield session
    except SQLAlchemyError as error:
        raise unreachable(url, error) from error
    finally:
        await engine.dispose()
