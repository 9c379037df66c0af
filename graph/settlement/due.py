"""Which effects wait for a worker: held ones whose time has come, and those whose end is not known yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def due_effects(session: AsyncSession, tenant_id: str, *, now: datetime, limit: int = 100) -> list[str]:
    """Ids of the effects to send now, the longest due first. Those under a live lease are another worker's."""
    found = await session.execute(
        text(
            """
            SELECT effect_id FROM effect
            WHERE tenant_id = :tenant_id AND state IN ('held', 'sending', 'unknown') AND due_at <= :now
              AND (leased_until IS NULL OR leased_until <= clock_timestamp())
            ORDER BY due_at, effect_id LIMIT :limit
            """,
        ),
        {"tenant_id": tenant_id, "now": now, "limit": limit},
    )
    return list(found.scalars())
