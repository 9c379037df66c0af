"""The migrated schema is the schema of the code, it protects every tenant, and migrating again changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Identifier
from sqlalchemy import create_engine

from app.db import parse_url
from app.embedded import EmbeddedServer
from app.errors import DatabaseError
from app.migrate import Migrated, migrate
from app.schema import EXEMPT_TABLES, STAMPED, current_version, is_current, newest_version
from app.tables import metadata

TENANT_TABLES = sorted(metadata().tables)
NEVER_DELETED = (
    "approval",
    "audit_block",
    "audit_checkpoint",
    "audit_event",
    "audit_head",
    "charge_ledger",
    "effect",
    "inbox_event",
    "run",
)

COLUMNS = """
    SELECT format('%%s.%%s %%s %%s %%s %%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                  a.attnotnull, a.attgenerated, pg_get_expr(d.adbin, d.adrelid))
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
    WHERE c.relname = ANY(%(tables)s) AND a.attnum > 0 AND NOT a.attisdropped"""
CONSTRAINTS = """
    SELECT format('%%s.%%s %%s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE conrelid::regclass::text = ANY(%(tables)s)"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename = ANY(%(tables)s)"


@pytest.fixture
def empty_database(server: EmbeddedServer) -> Iterator[str]:
    """A database in which nothing was ever done."""
    with psycopg.connect(server.admin_url("postgres"), autocommit=True) as admin:
        row = admin.execute("SELECT 'test_' || pg_backend_pid() || '_empty'").fetchone()
        assert row is not None
        name = Identifier(row[0])
        admin.execute(SQL("CREATE DATABASE {}").format(name))
        yield server.admin_url(row[0])
        admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def described(url: str, query: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(query.encode(), {"tables": TENANT_TABLES}).fetchall()
        return sorted(str(row[0]) for row in rows)


@pytest.mark.parametrize("query", [COLUMNS, CONSTRAINTS, INDEXES], ids=["columns", "constraints", "indexes"])
def test_the_migrated_schema_is_the_one_the_code_declares(admin_url: str, empty_database: str, query: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
    engine = create_engine(parse_url(empty_database))
    metadata().create_all(engine)
    engine.dispose()
    assert described(admin_url, query) == described(empty_database, query)


def test_migrating_again_changes_nothing(admin_url: str) -> None:
    assert migrate(admin_url) == Migrated(before=newest_version(), after=newest_version())


def test_processes_that_migrate_at_once_do_not_disturb_each_other(empty_database: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: migrate(empty_database), range(4)))
    assert sorted(one.changed for one in done) == [False, False, False, True]


async def test_migrating_works_beside_an_event_loop(empty_database: str) -> None:
    assert (await asyncio.to_thread(migrate, empty_database)).changed


def test_a_database_of_newer_code_is_refused(admin_url: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="migrated by newer code"):
        migrate(admin_url)


def test_an_account_without_the_right_is_told_what_it_lacks(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS visitor")
        connection.execute("CREATE ROLE visitor LOGIN")
    with pytest.raises(DatabaseError, match="permission denied to grant role"):
        migrate(empty_database.replace("//postgres@", "//visitor@"))


def test_row_level_security_is_forced_on_every_table_but_those_without_a_tenant(admin_url: str) -> None:
    with psycopg.connect(admin_url) as connection:
        rows = connection.execute(
            "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
    assert sorted(row[0] for row in rows if not row[1]) == sorted(EXEMPT_TABLES)
    assert set(TENANT_TABLES) <= {row[0] for row in rows}


def test_every_table_of_ours_has_a_tenant_first_in_its_key() -> None:
    for table in metadata().sorted_tables:
        assert next(iter(table.primary_key)).name == "tenant_id", table.name


def test_the_application_owns_nothing_and_cannot_create_anything(admin_url: str, database_url: str) -> None:
    with psycopg.connect(admin_url) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, (SELECT count(*) FROM pg_class WHERE relowner = r.oid)"
            " FROM pg_roles r WHERE rolname = 'countersign_app'"
        ).fetchone()
    assert row == (False, False, False, 0)
    with psycopg.connect(database_url) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute("CREATE TABLE mine (a int)")


@pytest.mark.parametrize("table", NEVER_DELETED)
def test_rows_that_prove_something_cannot_be_deleted_by_the_application(database_url: str, table: str) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(SQL("DELETE FROM {}").format(Identifier(table)))


def test_an_event_of_the_log_cannot_be_changed_by_the_application(database_url: str) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute("UPDATE audit_event SET actor = 'nobody'")


def test_a_migrated_database_is_known_as_current_and_one_of_another_library_is_not(admin_url: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        assert is_current(connection)
        connection.execute(f"COMMENT ON TABLE {STAMPED} IS 'pgqueuer 0.1'")
        assert not is_current(connection)
        migrate(admin_url)
        assert is_current(connection)
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        assert not is_current(connection)


def test_an_empty_database_is_of_no_version(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        assert current_version(connection) is None
        assert not is_current(connection)
