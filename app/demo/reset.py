"""Emptying the demo's tenant, so that each demo starts with new tickets, limits and log. Its knowledge stays.

Other tenants of the folder are not touched. Done as the owner of the tables, because the application may not delete.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import create_engine, pool, text

from app.db import parse_url
from app.tables import metadata

_KEPT: Final = ("kb_",)


def reset_tenant(admin_url: str, tenant_id: str) -> None:
    """Delete everything of one tenant but its documents."""
    engine = create_engine(parse_url(admin_url), poolclass=pool.NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT set_config('countersign.tenant', :tenant, true)"), {"tenant": tenant_id})
            for table in reversed(metadata().sorted_tables):  # what refers to another row goes first
                if not table.name.startswith(_KEPT):
                    connection.execute(table.delete().where(table.c.tenant_id == tenant_id))
            for name in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
                connection.execute(
                    text(f"DELETE FROM {name} WHERE split_part(thread_id, ':', 1) = :tenant"),  # noqa: S608
                    {"tenant": tenant_id},
                )
            connection.execute(
                text("DELETE FROM pgqueuer WHERE convert_from(payload, 'UTF8')::jsonb ->> 0 = :tenant"),
                {"tenant": tenant_id},
            )
    finally:
        engine.dispose()
