"""What `countersign doctor` looks at in the database: version, extension, schema, and that row-level security holds.

Promises: reads the catalogue only. The rules it checks are those of `app.db` and of the migrations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psycopg

from app.db import APPLICATION_ROLE, CONNECT_TIMEOUT_S, parse_url, psycopg_url, unreachable
from app.findings import Check, note, ok, wrong
from app.schema import EXEMPT_TABLES, current_version, newest_version
from app.storage import Storage

OLDEST_SERVER: Final = 150_000
"""PostgreSQL 15, as `server_version_num` counts."""


def database_findings(storage: Storage) -> Iterator[Check]:
    """Every check of the database.

    Raises:
        DatabaseError: it does not answer.
    """
    url = parse_url(storage.admin_url)
    try:
        with psycopg.connect(psycopg_url(url), connect_timeout=CONNECT_TIMEOUT_S) as connection:
            connection.read_only = True
            yield _server(connection, storage)
            yield _extension(connection)
            is_current, finding = _schema(connection)
            yield finding
            if is_current:
                yield _role(connection)
                yield _row_security(connection)
                yield _full_text(connection)
                yield _login(storage)
    except psycopg.Error as error:
        raise unreachable(url, error) from error


def _server(connection: psycopg.Connection[Any], storage: Storage) -> Check:
    version = connection.info.server_version
    words = f"PostgreSQL {version // 10_000}.{version % 10_000}, {'embedded' if storage.is_embedded else 'external'}"
    if version < OLDEST_SERVER:
        return wrong("database", words, "use PostgreSQL 15 or newer")
    return ok("database", words)


def _extension(connection: psycopg.Connection[Any]) -> Check:
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if row is not None:
        return ok("database pgvector", f"{row[0]}")
    row = connection.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'").fetchone()
    if row is not None:
        return wrong("database pgvector", f"{row[0]} is available, not created", "run `countersign migrate`")
    return wrong("database pgvector", "not installed on the server", "install the package pgvector there")


def _schema(connection: psycopg.Connection[Any]) -> tuple[bool, Check]:
    found, newest = current_version(connection), newest_version()
    if found == newest:
        return True, ok("database schema", f"version {found}")
    return False, wrong("database schema", f"version {found or 'none'}, needs {newest}", "run `countersign migrate`")


def _role(connection: psycopg.Connection[Any]) -> Check:
    row = connection.execute(
        "SELECT rolsuper, rolbypassrls, (SELECT count(*) FROM pg_class WHERE relowner = r.oid)"
        " FROM pg_roles r WHERE rolname = %s",
        [APPLICATION_ROLE],
    ).fetchone()
    subject = "database role"
    if row is None:
        return wrong(subject, f"{APPLICATION_ROLE!r} does not exist", "run `countersign migrate`")
    is_superuser, bypasses, owned = row
    if is_superuser or bypasses or owned:
        return wrong(
            subject,
            f"{APPLICATION_ROLE!r} is a superuser, bypasses row-level security or owns {owned} tables",
            f"ALTER ROLE {APPLICATION_ROLE} NOSUPERUSER NOBYPASSRLS, and give its tables to another owner",
        )
    return ok(subject, f"{APPLICATION_ROLE!r} owns nothing and bypasses nothing")


def _row_security(connection: psycopg.Connection[Any]) -> Check:
    rows = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')"
        " AND NOT (relrowsecurity AND relforcerowsecurity)"
        " AND c.relname <> ALL(%s) ORDER BY 1",
        [list(EXEMPT_TABLES)],
    ).fetchall()
    if rows:
        names = ", ".join(row[0] for row in rows)
        return wrong("database tenants", f"row-level security is not forced on {names}", "restore it, or remove them")
    return ok("database tenants", "row-level security is forced on every table")


def _full_text(connection: psycopg.Connection[Any]) -> Check:
    """See `kb.models.USE_FULL_TEXT_INDEX`."""
    row = connection.execute("SELECT proleakproof FROM pg_proc WHERE proname = 'ts_match_vq'").fetchone()
    if row is not None and row[0]:
        return ok("database full text", "search uses its index")
    return note(
        "database full text",
        "search reads every section of a tenant",
        "as a superuser: ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF",
    )


def _login(storage: Storage) -> Check:
    """Whether the application's own address works, as the application uses it."""
    url = parse_url(storage.app_url)
    with psycopg.connect(
        psycopg_url(url), options=f"-c role={APPLICATION_ROLE}", connect_timeout=CONNECT_TIMEOUT_S
    ) as connection:
        row = connection.execute(
            "SELECT session_user::text, rolsuper FROM pg_roles WHERE rolname = session_user"
        ).fetchone()
    assert row is not None
    if row[1] and not storage.is_embedded:
        return note("database login", f"{row[0]!r} is a superuser", "log in as an account that owns nothing")
    return ok("database login", f"{row[0]!r} acts as {APPLICATION_ROLE!r}")
