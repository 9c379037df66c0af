"""Where the database is: the addresses from the settings, or the embedded server, started and migrated.

Promises: after `open_storage` the database answers and has the schema of this code. Refuses an external database of
another version: whoever runs it decides when it is migrated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from app.db import CONNECT_TIMEOUT_S, parse_url, psycopg_url, unreachable
from app.embedded import EmbeddedServer
from app.errors import DatabaseError
from app.schema import current_version, is_current, newest_version
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
            _bring_up_to_date(storage)
        else:
            _demand_current(storage)
        yield storage


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


def _bring_up_to_date(storage: Storage) -> None:
    with psycopg.connect(psycopg_url(parse_url(storage.admin_url)), connect_timeout=CONNECT_TIMEOUT_S) as connection:
        if is_current(connection):
            return
    # Imported here: most starts need none of it, and it takes a second and 20 MB.
    from app.migrate import migrate  # noqa: PLC0415

    migrate(storage.admin_url)


def _demand_current(storage: Storage) -> None:
    url = parse_url(storage.app_url)
    try:
        with psycopg.connect(psycopg_url(url), connect_timeout=CONNECT_TIMEOUT_S) as connection:
            found = current_version(connection)
    except psycopg.Error as error:
        raise unreachable(url, error) from error
    if found != newest_version():
        raise DatabaseError(
            f"the database has schema version {found!r} and this code needs {newest_version()!r}; "
            "run `countersign migrate`"
        )
