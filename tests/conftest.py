"""A real PostgreSQL for the tests: one embedded server for all workers, one fresh database for each test that asks.

A test that takes `database` gets a clone of a migrated template, connected as the application's role; `admin_url` is
the same database for its owner, who sees every tenant. Nothing outside of this machine can be reached.
"""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from app.db import Database
from app.embedded import EmbeddedServer
from app.migrate import migrate

ROOT = Path(__file__).parent.parent
SCHEMA_SOURCES = (
    "app/migrate.py",
    "app/migrations/**/*.py",
    "app/**/models.py",
    "graph/**/*models.py",
    "graph/rulebook.py",
    "graph/tenancy.py",
    "kb/models.py",
    "requirements.txt",
)
"""Files that shape the schema."""

KEPT_TEMPLATES = 3
CLONES = count()


def _refuse_the_network(event: str, arguments: tuple[object, ...]) -> None:
    if event != "socket.connect" or os.environ.get("COUNTERSIGN_LIVE") == "1":  # tests/live, where somebody asks for it
        return
    address = arguments[1]
    if not isinstance(address, tuple):
        return  # a Unix socket
    host = str(address[0])
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise RuntimeError(f"a test tried to connect to {address!r}; tests talk to this machine only")


sys.addaudithook(_refuse_the_network)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", default=4, type=int, help="requests to each operation of the API")
    parser.addoption("--trials", default=20, type=int, help="races of a person who refunds the same charge by hand")


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """The embedded server; every worker of this checkout and user joins the same one."""
    place = hashlib.sha256(f"{ROOT}{os.getuid()}".encode()).hexdigest()[:8]
    with EmbeddedServer(Path(tempfile.gettempdir()) / f"countersign-tests-{place}", durable=False) as embedded:
        yield embedded


@pytest.fixture(scope="session")
def template(server: EmbeddedServer) -> str:
    """A migrated, empty database. It is made again when a file that shapes the schema changes."""
    digest = hashlib.sha256()
    for pattern in SCHEMA_SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.read_bytes())
    name = f"template_{digest.hexdigest()[:12]}"
    lock_path = Path(tempfile.gettempdir()) / f"{server.socket_folder.parent.name}.template"
    with lock_path.open("ab") as lock, psycopg.connect(server.admin_url("postgres"), autocommit=True) as admin:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows = admin.execute("SELECT datname, datistemplate FROM pg_database ORDER BY oid").fetchall()
        known = [(str(row[0]), bool(row[1])) for row in rows]
        if (name, True) not in known:
            _drop(admin, name)
            admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
            migrate(server.admin_url(name))
            admin.execute(SQL("ALTER DATABASE {} IS_TEMPLATE true").format(Identifier(name)))
        _sweep(admin, [known_name for known_name, _ in known if known_name != name])
    return name


@contextmanager
def a_clone(server: EmbeddedServer, template: str) -> Iterator[str]:
    """A fresh database, gone afterwards; its name."""
    name = f"test_{os.getpid()}_{next(CLONES)}"
    with psycopg.connect(server.admin_url("postgres"), autocommit=True) as admin:
        admin.execute(
            SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(Identifier(name), Identifier(template))
        )
        yield name
        _drop(admin, name)


@pytest.fixture
def database_name(server: EmbeddedServer, template: str) -> Iterator[str]:
    """A fresh database of this test's own, gone afterwards."""
    with a_clone(server, template) as name:
        yield name


@pytest.fixture
def database_url(server: EmbeddedServer, database_name: str) -> str:
    """Address of the test's database for the application."""
    return server.app_url(database_name)


@pytest.fixture
def admin_url(server: EmbeddedServer, database_name: str) -> str:
    """Address of the test's database for its owner: row-level security does not hold."""
    return server.admin_url(database_name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The test's database, as the application sees it: `async with database.tenant(tenant) as session`."""
    opened = Database(database_url, pool_size=5)
    yield opened
    await opened.close()


@pytest.fixture
def tenant() -> str:
    """A tenant. Another one, to show that they are apart, is any other lower-case name."""
    return "demo"


def _drop(admin: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    admin.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))


def _sweep(admin: psycopg.Connection[tuple[object, ...]], names: list[str]) -> None:
    """Remove what killed test runs left, and templates of schemas long gone."""
    for name in names:
        if name.startswith("test_") and not psutil.pid_exists(int(name.split("_")[1])):
            _drop(admin, name)
    for name in [name for name in names if name.startswith("template_")][:-KEPT_TEMPLATES]:
        admin.execute(SQL("ALTER DATABASE {} IS_TEMPLATE false").format(Identifier(name)))
        _drop(admin, name)
