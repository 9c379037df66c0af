"""The one door to PostgreSQL: an engine whose every transaction belongs to one tenant, and the checkpointer's pools.

Promises: whatever account the address names, queries run as the role `countersign_app`, which owns nothing, so forced
row-level security holds; the tenant is set inside the transaction and gone with it; leaving a block commits it, an
error rolls it back. Refuses a session without a tenant, and a tenant whose name could mean something to PostgreSQL.

https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from selectors import EVENT_READ, DefaultSelector
from typing import Any, Final

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy import URL, TextClause, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.errors import DatabaseError
from app.naming import check_tenant

APPLICATION_ROLE: Final = "countersign_app"
"""The role that every query of the application runs as. Migrations create it and grant it what it needs."""

CONNECT_TIMEOUT_S: Final = 10
CHECKPOINT_POOL_SIZE: Final = 4
PREPARED_STATEMENTS: Final = 500
"""Kept by the server for each connection; a run has about a hundred, and each is some kilobytes there."""


class Database:
    """Sessions for one database, for the life of one event loop.

    Args:
        url: `postgresql://user:password@host:port/database`, any libpq parameter after `?`.
        pool_size: connections kept open for sessions; as many again may be opened for a moment.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self._url = parse_url(url)
        self._engine: AsyncEngine = create_async_engine(
            self._url,
            pool_size=pool_size,
            max_overflow=pool_size,
            # The connection that was used last knows the most statements by heart.
            pool_use_lifo=True,
            # The driver begins nothing by itself: `_begun` does, in the same message that names the tenant.
            isolation_level="AUTOCOMMIT",
            connect_args={"options": _options(), "connect_timeout": CONNECT_TIMEOUT_S},
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        event.listen(self._engine.sync_engine, "connect", _remember_statements)
        self._checkpoint_pools: dict[str, AsyncConnectionPool[AsyncConnection[dict[str, Any]]]] = {}
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def tenant(self, tenant_id: str) -> AsyncIterator[AsyncSession]:
        """One transaction in which exactly this tenant's rows exist; committed at the end of the block.

        Rows of tenant `*` can be read too, where a table has any.

        Raises:
            DatabaseError: no connection could be made; nothing was done.
        """
        check_tenant(tenant_id)
        async with self._entered(tenant_id) as session:
            yield session

    @asynccontextmanager
    async def _entered(self, tenant_id: str) -> AsyncIterator[AsyncSession]:
        """A transaction that has its tenant. Beginning it is one message to the server, which finds a dead connection.

        A restarted server costs one more attempt here, instead of a question before every transaction.
        """
        for attempt in (1, 2):
            async with self._sessions() as session:
                try:
                    await session.execute(_begun(tenant_id))
                except (SQLAlchemyError, OSError) as error:
                    stale = isinstance(error, DBAPIError) and error.connection_invalidated
                    if attempt == 1 and stale:
                        continue
                    raise unreachable(self._url, error) from error
                yield session
                await session.commit()
                return

    async def checkpoint_pool(self, tenant_id: str) -> AsyncConnectionPool[AsyncConnection[dict[str, Any]]]:
        """The tenant's own connections for LangGraph's `AsyncPostgresSaver`, which commits by itself.

        They are in autocommit with rows as dictionaries and without prepared statements, as the saver asks
        (https://reference.langchain.com/python/langgraph.checkpoint.postgres), and carry the tenant from their start,
        so that row-level security holds outside of our transactions too. Opened at the first call, closed by `close`.
        """
        check_tenant(tenant_id)
        async with self._opening:
            if tenant_id not in self._checkpoint_pools:
                self._checkpoint_pools[tenant_id] = await self._open_checkpoint_pool(tenant_id)
            return self._checkpoint_pools[tenant_id]

    @asynccontextmanager
    async def checkpoint_connection(self, tenant_id: str) -> AsyncIterator[AsyncConnection[dict[str, Any]]]:
        """One connection like those of `checkpoint_pool`, for whoever works for a tenant once and never again."""
        check_tenant(tenant_id)
        arguments = _checkpoint_arguments(tenant_id)
        connection = await AsyncConnection.connect(psycopg_url(self._url), **arguments)
        async with connection:
            yield connection

    async def _open_checkpoint_pool(self, tenant_id: str) -> AsyncConnectionPool[AsyncConnection[dict[str, Any]]]:
        arguments = _checkpoint_arguments(tenant_id)
        pool: AsyncConnectionPool[AsyncConnection[dict[str, Any]]] = AsyncConnectionPool(
            psycopg_url(self._url),
            connection_class=AsyncConnection[dict[str, Any]],
            min_size=1,
            max_size=CHECKPOINT_POOL_SIZE,
            open=False,
            check=_check,
            timeout=CONNECT_TIMEOUT_S,
            kwargs=arguments,
        )
        try:
            # One connection of its own first: a pool keeps trying until its time is over, and says less in the end.
            await (await AsyncConnection.connect(psycopg_url(self._url), **arguments)).close()
            await pool.open(wait=True, timeout=CONNECT_TIMEOUT_S)
        except (PoolTimeout, OperationalError) as error:
            await pool.close()
            raise unreachable(self._url, error) from error
        return pool

    async def close(self) -> None:
        """Close every connection. The object cannot be used afterwards."""
        for pool in self._checkpoint_pools.values():
            await pool.close()
        self._checkpoint_pools.clear()
        await self._engine.dispose()


@lru_cache(maxsize=1_000)
def _begun(tenant_id: str) -> TextClause:
    """A transaction of the tenant, whose name was checked. Without the second command no row of anybody exists.

    The tenant is local to the transaction, so a pooled connection never carries it to its next user. Two commands in
    one message: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
    """
    return text(f"BEGIN; SET LOCAL countersign.tenant = '{tenant_id}'")


def _remember_statements(connection: Any, _: object) -> None:  # noqa: ANN401 - SQLAlchemy's own around the driver's
    """Keep all that a worker says prepared: with the driver's hundred, a run would prepare some of its own anew."""
    connection.driver_connection.prepared_max = PREPARED_STATEMENTS


async def _check(connection: AsyncConnection[dict[str, Any]]) -> None:
    """Ask the server only where it has said something unasked: an ended server's last word, or the end of the line.

    Asking each time took as long as the question after it. Whoever finds a line dead all the same comes back later, as
    after an outage in the middle of a step.

    Raises:
        OperationalError: the connection is dead.
    """
    with DefaultSelector() as selector:
        selector.register(connection.fileno(), EVENT_READ)
        if selector.select(0):
            await AsyncConnectionPool.check_connection(connection)


def parse_url(url: str) -> URL:
    """The address in SQLAlchemy's form, for psycopg.

    Raises:
        DatabaseError: it is not the address of a PostgreSQL database.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise DatabaseError(
            f"a database address that cannot be read, of {len(url)} characters; "
            "write it as postgresql://user:password@host:5432/database"
        ) from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise DatabaseError(
            f"a database address for {parsed.get_backend_name()!r}; "
            "write the address of a PostgreSQL as postgresql://user:password@host:5432/database"
        )
    return parsed.set(drivername="postgresql+psycopg")


def psycopg_url(url: URL) -> str:
    """The same address as libpq reads it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def unreachable(url: URL, error: BaseException) -> DatabaseError:
    """One clear line about a database that did not answer; the password is left out."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=True)
    return DatabaseError(
        f"the database at {address!r} cannot be used: {first_line(error)}; "
        "check COUNTERSIGN_DATABASE_URL, and that `countersign migrate` ran"
    )


def first_line(error: BaseException) -> str:
    """The first line of what the database said; the lines below repeat the statement, and its values with it."""
    cause = error.orig if isinstance(error, SQLAlchemyError) and hasattr(error, "orig") else error
    lines = str(cause).strip().splitlines() or [type(error).__name__]
    return lines[0].strip()


def _checkpoint_arguments(tenant_id: str) -> dict[str, Any]:
    return {
        "autocommit": True,
        "prepare_threshold": 0,
        "row_factory": dict_row,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "options": _options(tenant_id),
    }


def _options(tenant_id: str | None = None) -> str:
    settings: Mapping[str, str] = {"role": APPLICATION_ROLE} | (
        {"countersign.tenant": tenant_id} if tenant_id is not None else {}
    )
    return " ".join(f"-c {name}={value}" for name, value in settings.items())
