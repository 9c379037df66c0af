"""Emptying the demo's tenant, so that each demo starts with new tickets, limits and log. Its knowledge stays.

Other tenants of the folder are not touched. Done as the owner of the tables, because the application may not delete.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import create_engine, pool, text

from app.db import parse_url

_KEPT: Final = ("kb_",)
_TABLES: Final = text(
    """
    SELECT table_name FROM information_schema.columns
     WHERE table_schema = current_schema() AND column_name = 'tenant_id'
     ORDER BY table_name
    """,
)


def reset_tenant(admin_url: str, tenant_id: str) -> None:
    """Delete everything of one tenant but its documents."""
    engine = create_engine(parse_url(admin_url), poolclass=pool.NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT set_config('countersign.tenant', :tenant, true)"), {"tenant": tenant_id})
            for name in connection.execute(_TABLES).scalars().all():
                if not name.startswith(_KEPT):
                    quoted = connection.dialect.identifier_preparer.quote(name)
                    connection.execute(text(f"DELETE FROM {quoted} WHERE tenant_id = :tenant"), {"tenant": tenant_id})  # noqa: S608
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
