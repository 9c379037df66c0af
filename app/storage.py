"""Where the database is: the addresses from the settings, or the embedded server, started and migrated.

Promises: after `open_storage` the database answers and has the schema of this code. Refuses an external database of
another version: whoever runs it decides when it is migrated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import create_engine, pool
from sqlalchemy.exc import SQLAlchemyError

from app.db import CONNECT_TIMEOUT_S, parse_url, unreachable
from app.embedded import EmbeddedServer
from app.errors import DatabaseError
from app.migrate import Migrated, current_version, migrate, newest_version
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Storage:
    """Addresses of one database: for the application, and for the account that owns the tables."""

    app_url: str
    admin_url: str
    is_embedded: bool


@contextmanager
def open_storage(settings: Settings) -> Iterator[Storage]:
    """The database, for as long as the block lasts; the embedded one is started, migrated, and left in the end.

    Synchronous: open it before the event loop starts, or in a thread.

    Raises:
        DatabaseError: it cannot be reached, or it is not migrated to the version of this code.
    """
    with locate(settings) as storage:
        if storage.is_embedded:
            migrate(storage.admin_url)
        else:
            _demand_current(storage)
        yield storage


def migrate_storage(settings: Settings) -> Migrated:
    """Bring the database of these settings to the newest version.

    Raises:
        DatabaseError: it cannot be reached, or the account lacks a right.
    """
    with locate(settings) as storage:
        return migrate(storage.admin_url, login=parse_url(storage.app_url).username)


@contextmanager
def locate(settings: Settings) -> Iterator[Storage]:
    """The database as it is, whatever its version."""
    if settings.database_url is None:
        if settings.database_admin_url is not None:
            raise DatabaseError("database_admin_url is set without database_url; set COUNTERSIGN_DATABASE_URL too")
        with EmbeddedServer(settings.data_dir) as server:
            yield Storage(app_url=server.app_url(), admin_url=server.admin_url(), is_embedded=True)
        return
    app_url = settings.database_url.get_secret_value()
    admin = settings.database_admin_url
    yield Storage(app_url=app_url, admin_url=admin.get_secret_value() if admin else app_url, is_embedded=False)


def _demand_current(storage: Storage) -> None:
    url = parse_url(storage.app_url)
    engine = create_engine(url, poolclass=pool.NullPool, connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    try:
        with engine.connect() as connection:
            found = current_version(connection)
    except SQLAlchemyError as error:
        raise unreachable(url, error) from error
    if found != newest_version():
        raise DatabaseError(
            f"the database has schema version {found!r} and this code needs {newest_version()!r}; "
            "run `countersign migrate`"
        )
