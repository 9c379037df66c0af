"""Which schema a database has, and which this code needs, said without loading what would change it.

What migrates takes a second and 20 MB to import, and a process that finds its database as it should be needs none of
it. Reads only.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psycopg

MIGRATIONS: Final = Path(__file__).parent / "migrations"

CHECKPOINT_TABLES: Final = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
QUEUE_TABLES: Final = ("pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics")
EXEMPT_TABLES: Final = (*QUEUE_TABLES, "checkpoint_migrations", "alembic_version")
"""Tables without a tenant: the queue, and the version numbers of the schema."""

STAMPED: Final = "checkpoint_migrations"
"""The table whose comment says by what the libraries' tables were installed."""

_LIBRARIES: Final = ("langgraph-checkpoint-postgres", "pgqueuer")


def newest_version() -> str:
    """The version that this code needs: the last of its steps, whose files are named by their revision."""
    return max(step.stem[1:5] for step in (MIGRATIONS / "versions").glob("m[0-9]*.py"))


def current_version(connection: psycopg.Connection[Any]) -> str | None:
    """The version a database has; None for an empty one."""
    if not _has_table(connection, "alembic_version"):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row is not None else None


def libraries_here() -> str:
    """What would install the libraries' tables: their versions, and how we protect what they install."""
    ours = hashlib.sha256((MIGRATIONS / "libraries.py").read_bytes()).hexdigest()[:12]
    return ", ".join([*(f"{name} {version(name)}" for name in _LIBRARIES), f"protection {ours}"])


def is_current(connection: psycopg.Connection[Any]) -> bool:
    """Whether migrating would change nothing."""
    if current_version(connection) != newest_version() or not _has_table(connection, STAMPED):
        return False
    row = connection.execute("SELECT obj_description(to_regclass(%s), 'pg_class')", [STAMPED]).fetchone()
    return row is not None and row[0] == libraries_here()


def _has_table(connection: psycopg.Connection[Any], name: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s)", [name]).fetchone()
    return row is not None and row[0] is not None
