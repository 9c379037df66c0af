"""Reminding of questions that nobody has answered while the time for it runs out. Once each, in the log.

The reminder is the event. Whoever is told of events elsewhere hears of it there; whether they do changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.identity.accounts import Act
from graph.audit.log import NewEvent, append_all, spelled
from graph.settlement.models import Approval, ApprovalState

AT_ONCE = 100


async def remind(session: AsyncSession, tenant_id: str, *, before: timedelta, act: Act) -> list[str]:
    """Remind of what expires within `before`, in the session's transaction; the ids of the questions."""
    query = (
        select(Approval)
        .where(
            col(Approval.tenant_id) == tenant_id,
            col(Approval.state) == ApprovalState.PENDING.value,
            col(Approval.reminded_at).is_(None),
            col(Approval.expires_at) > act.now,
            col(Approval.expires_at) <= act.now + before,
        )
        .order_by(col(Approval.expires_at), col(Approval.approval_id))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    found = list((await session.execute(query)).scalars())
    events = []
    for approval in found:
        approval.reminded_at = act.now
        body = {
            "approval_id": approval.approval_id,
            "expires_at": spelled(approval.expires_at),
            "approvers": list(approval.approvers),
        }
        run_id, ticket_id = approval.run_id, approval.ticket_id
        events.append(
            NewEvent(act.new_id("evt"), act.now, "approval.reminded", act.actor, run_id, ticket_id, body=body)
        )
    await session.flush()
    await append_all(session, tenant_id, events)
    return [approval.approval_id for approval in found]
