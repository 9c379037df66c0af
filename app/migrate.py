"""Brings a database to the schema this code needs: our steps, our libraries' tables, the application's role.

Promises: repeating it changes nothing; several processes may start it at once and one does the work; it only goes
forward. Refuses a database that newer code has already migrated. Alembic is driven from here, without `alembic.ini`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from psycopg import sql
from sqlalchemy import Connection, create_engine, pool
from sqlalchemy.exc import SQLAlchemyError

from app.db import APPLICATION_ROLE, CONNECT_TIMEOUT_S, first_line, parse_url, psycopg_url, unreachable
from app.errors import DatabaseError
from app.migrations.libraries import install_library_tables
from app.schema import MIGRATIONS, current_version, newest_version
from app.settings import Settings
from app.storage import locate

LOCK: Final = 4_021_850_114
"""Key of the advisory lock; any number that nothing else in the database uses."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration did: the version before (None for an empty database) and after."""

    before: str | None
    after: str

    @property
    def changed(self) -> bool:
        """Whether a step of ours ran."""
        return self.before != self.after


def migrate(admin_url: str, *, login: str | None = None) -> Migrated:
    """Bring the database to the newest version. Synchronous; call it outside of an event loop or in a thread.

    Args:
        admin_url: an account that may create tables in schema `public` and, the first time, the role and the extension.
        login: the account that the application logs in with; it is allowed to act as the application's role.

    Raises:
        DatabaseError: the database does not answer, the account lacks a right, or newer code migrated it.
    """
    url = parse_url(admin_url)
    plain_url = psycopg_url(url)
    try:
        with _alone(plain_url):
            _prepare_role(plain_url, login)
            with psycopg.connect(plain_url, connect_timeout=CONNECT_TIMEOUT_S) as asked:
                before = current_version(asked)
            engine = create_engine(url, poolclass=pool.NullPool, connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
            with engine.begin() as connection:
                _run_steps(connection)
            install_library_tables(plain_url)
    except CommandError as error:
        raise DatabaseError(
            f"the database was migrated by newer code ({error}); update Countersign before it uses this database"
        ) from error
    except psycopg.OperationalError as error:
        raise unreachable(url, error) from error
    except (psycopg.Error, SQLAlchemyError) as error:
        raise DatabaseError(
            f"the database could not be migrated: {first_line(error)}; "
            "check the rights of the account in COUNTERSIGN_DATABASE_ADMIN_URL"
        ) from error
    return Migrated(before=before, after=newest_version())


def migrate_storage(settings: Settings) -> Migrated:
    """Bring the database of these settings to the newest version.

    Raises:
        DatabaseError: it cannot be reached, or the account lacks a right.
    """
    with locate(settings) as storage:
        return migrate(storage.admin_url, login=parse_url(storage.app_url).username)


def _run_steps(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _prepare_role(admin_url: str, login: str | None) -> None:
    """Create the application's role where it is missing, and let the accounts we connect with act as it."""
    role = sql.Identifier(APPLICATION_ROLE)
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection:
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APPLICATION_ROLE]).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        row = connection.execute("SELECT current_user::text").fetchone()
        assert row is not None
        for account in {str(row[0]), login or APPLICATION_ROLE} - {APPLICATION_ROLE}:
            may_act = connection.execute("SELECT pg_has_role(%s, %s, 'SET')", [account, APPLICATION_ROLE]).fetchone()
            if may_act is None or not may_act[0]:
                connection.execute(sql.SQL("GRANT {} TO {}").format(role, sql.Identifier(account)))


@contextmanager
def _alone(admin_url: str) -> Iterator[None]:
    """One migration at a time for the whole database.

    The lock is tried again and again instead of waited for: a statement that waits holds a snapshot, and building an
    index concurrently would wait for that snapshot for ever.
    """
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection:
        while True:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
            if row is not None and row[0]:
                break
            time.sleep(0.1)
        yield
