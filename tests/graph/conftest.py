from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from itertools import count

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from app.db import Database
from app.embedded import EmbeddedServer
from tests.graph.lifecycle.versions import Office

TENANTS = count()


@pytest.fixture(scope="module")
def shared_url(server: EmbeddedServer, template: str) -> Iterator[str]:
    """One database for the tests of a module; each has a tenant of its own, which sees nothing of the others."""
    name = f"test_{os.getpid()}_shared_{next(TENANTS)}"
    with psycopg.connect(server.admin_url("postgres"), autocommit=True) as admin:
        admin.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template)))
        yield server.app_url(name)
        admin.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
async def office(shared_url: str) -> AsyncIterator[Office]:
    database = Database(shared_url, pool_size=3)
    yield Office(database, f"demo-{next(TENANTS)}")
    await database.close()
