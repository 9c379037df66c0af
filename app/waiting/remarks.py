"""What people wrote that the agent would not have been let write: figures for whoever tunes checks and texts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_EDITED: Final = text(
    """
    SELECT count(*) FROM audit_event
     WHERE tenant_id = :tenant AND kind = 'approval.approved' AND at >= :since AND body ->> 'edited' = 'true'
    """
)
_REMARKED: Final = text(
    """
    SELECT remark ->> 'check' AS check_id, count(DISTINCT seq) AS replies
      FROM audit_event, json_array_elements(audit_event.body -> 'remarks') AS remark
     WHERE tenant_id = :tenant AND kind = 'approval.approved' AND at >= :since
     GROUP BY 1 ORDER BY 2 DESC, 1
    """
)


@dataclass(frozen=True, slots=True)
class Edits:
    """How many replies were approved after an edit, and on how many of them each check remarked."""

    replies: int
    remarked: tuple[tuple[str, int], ...]


async def edits(session: AsyncSession, tenant_id: str, *, since: datetime) -> Edits:
    """The edits of all people of the tenant since then, from the log."""
    values = {"tenant": tenant_id, "since": since}
    replies = (await session.execute(_EDITED, values)).scalar_one()
    rows = await session.execute(_REMARKED, values)
    return Edits(int(replies), tuple((row.check_id, row.replies) for row in rows))
