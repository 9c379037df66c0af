"""What every table of ours gets besides its columns: forced row-level security, and the grants it needs and no more.

Used by the steps in `versions`, so what these functions do is part of released steps: a change here is a new function.
https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from __future__ import annotations

from typing import Final

from alembic import op

from app.db import APPLICATION_ROLE

APPEND: Final = "SELECT, INSERT"
"""What was written stays as it was written."""

ERASE: Final = "SELECT, INSERT, DELETE"
"""Never changed, but erased when a person's data must go."""

KEEP: Final = "SELECT, INSERT, UPDATE"
"""Rows live on as a record."""

CHANGE: Final = "SELECT, INSERT, UPDATE, DELETE"
"""Rows come and go."""

_OWN_ROWS: Final = "tenant_id = current_setting('countersign.tenant', true)"
"""True for the rows of the tenant of this transaction; without a tenant it is null, so no row exists."""


def protect(table: str, privileges: str) -> None:
    """Force row-level security on a table with a `tenant_id`, and grant the application `privileges` on it.

    Forced, because without it the owner of a table sees every row.
    """
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_rows ON {table} USING ({_OWN_ROWS}) WITH CHECK ({_OWN_ROWS})")
    op.execute(f"GRANT {privileges} ON {table} TO {APPLICATION_ROLE}")


def share_rows_of_everyone(table: str) -> None:
    """Let every tenant read the rows of tenant `*`. Nobody but the owner of the database writes them."""
    op.execute(f"CREATE POLICY rows_of_everyone ON {table} FOR SELECT USING (tenant_id = '*')")
