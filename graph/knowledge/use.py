"""Which sections were used: found for a ticket, or the ground of a decision."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_USED: Final = text(
    """
    SELECT DISTINCT listed ->> 'section' FROM audit_event, json_array_elements(body -> 'sections') AS listed
     WHERE tenant_id = :tenant_id AND kind = 'node.completed' AND body ->> 'node' = 'retrieve' AND at >= :since
       AND json_typeof(body -> 'sections') = 'array'
    UNION
    SELECT DISTINCT section FROM decision
     WHERE tenant_id = :tenant_id AND section IS NOT NULL AND decided_at >= :since
    """
)


async def used_sections(session: AsyncSession, tenant_id: str, *, since: datetime) -> frozenset[str]:
    """Ids of the sections that a run found or a decision named since then."""
    found = await session.scalars(_USED, {"tenant_id": tenant_id, "since": since})
    return frozenset(found)
