"""Kill switches: read in the transaction that reserves and again in the one before a request leaves.

A row of tenant `*` holds for every tenant; only the owner of the database can write it. A change is a change of state,
so it leaves an event.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import append
from graph.settlement.models import Switch
from graph.tenancy import EVERY_TENANT


async def read_switch(session: AsyncSession, tenant_id: str, tool: str) -> Switch | None:
    """The switch that stops the tool now, the global one first, or None where it may be used."""
    query = (
        select(Switch)
        .where(
            col(Switch.tenant_id).in_([tenant_id, EVERY_TENANT]),
            col(Switch.tool) == tool,
            col(Switch.is_off).is_(True),
        )
        .order_by(col(Switch.tenant_id) == tenant_id)
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def read_switches(session: AsyncSession, tenant_id: str) -> dict[str, str]:
    """The tools that may not be used now, each with the reason."""
    query = select(col(Switch.tool), col(Switch.reason)).where(
        col(Switch.tenant_id).in_([tenant_id, EVERY_TENANT]),
        col(Switch.is_off).is_(True),
    )
    return {row.tool: row.reason for row in await session.execute(query)}


async def change_switch(
    session: AsyncSession,
    *,
    tenant_id: str,
    tool: str,
    is_off: bool,
    reason: str,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> bool:
    """Switch a tool off or on, in the session's transaction. True where that changed anything.

    `tenant_id` is `*` for all tenants, which only the owner of the database may write.
    """
    if not is_off and await session.get(Switch, (tenant_id, tool)) is None:
        return False  # it was never off, so there is nothing to write down
    changed = await session.execute(
        text(
            """
            INSERT INTO switch (tenant_id, tool, is_off, reason, actor, changed_at)
            VALUES (:tenant_id, :tool, :is_off, :reason, :actor, :now)
            ON CONFLICT (tenant_id, tool) DO UPDATE
            SET is_off = EXCLUDED.is_off, reason = EXCLUDED.reason, actor = EXCLUDED.actor,
                changed_at = EXCLUDED.changed_at
            WHERE switch.is_off <> EXCLUDED.is_off
            RETURNING tool
            """,
        ),
        {"tenant_id": tenant_id, "tool": tool, "is_off": is_off, "reason": reason, "actor": actor, "now": now},
    )
    if changed.one_or_none() is None:
        return False
    await append(
        session,
        tenant_id=tenant_id,
        at=now,
        kind="switch.off" if is_off else "switch.on",
        actor=actor,
        new_id=new_id,
        body={"tool": tool, "reason": reason},
    )
    return True
