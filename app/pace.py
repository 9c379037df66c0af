"""Tasks that one process of many does, now and then: the row of a task goes to whoever asks first once it is time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_PACE: Final = text(
    """
    INSERT INTO pace (tenant_id, task, done_at) VALUES (:tenant_id, :task, :now)
    ON CONFLICT (tenant_id, task) DO UPDATE SET done_at = excluded.done_at WHERE pace.done_at <= :not_since
    RETURNING task
    """,
)


async def is_time(session: AsyncSession, tenant_id: str, task: str, now: datetime, every: timedelta) -> bool:
    """Whether this process is the one to do it now: the row of the task goes to one of them."""
    values = {"tenant_id": tenant_id, "task": task, "now": now, "not_since": now - every}
    return (await session.execute(_PACE, values)).scalar_one_or_none() is not None
