"""Letting a connector fall back to draft-only, and act again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import append
from graph.settlement.models import ConnectorState


async def set_draft_only(
    session: AsyncSession,
    tenant_id: str,
    connector: str,
    *,
    reason: str | None,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> bool:
    """Let a connector fall back to draft-only with a reason, or act again with none. True where that changed anything.

    The change leaves an event. In the session's transaction, as its last write.
    """
    falls = reason is not None
    row = {
        "tenant_id": tenant_id,
        "connector": connector,
        "is_draft_only": falls,
        "reason": reason,
        "scopes": [],
        "changed_at": now,
    }
    statement = insert(ConnectorState).values(row)
    changed = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "connector"],
            set_={name: row[name] for name in ("is_draft_only", "reason", "changed_at")},
            where=col(ConnectorState.is_draft_only).is_not(falls),
        ).returning(col(ConnectorState.connector)),
    )
    if changed.scalar_one_or_none() is None:
        return False
    kind = "connector.draft_only" if falls else "connector.restored"
    body = {"connector": connector} | ({"reason": reason} if falls else {})
    await append(session, tenant_id=tenant_id, at=now, kind=kind, actor=actor, new_id=new_id, body=body)
    return True
