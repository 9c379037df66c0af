"""The log as lines of JSON: every public field of every event, so that anybody can compute its hash again.

A line without its `leaf_hash`, written as canonical JSON (RFC 8785) and prefixed with a zero byte, has that SHA-256.
Sealed values never leave: a line carries their commitments.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import spelled
from graph.audit.models import AuditEvent

BATCH: Final = 1000


async def event_lines(
    session: AsyncSession,
    tenant_id: str,
    *,
    run_id: str | None = None,
    ticket_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: int = -1,
) -> AsyncIterator[str]:
    """Each event of a tenant, or of one of its runs or tickets, in the order of their numbers.

    Args:
        session: a transaction of the tenant.
        tenant_id: whose log.
        run_id: of this run only.
        ticket_id: of this ticket only.
        since: whose business time is not before.
        until: whose business time is before.
        after: whose number is greater, so that an export goes on where another stopped.
    """
    query = select(AuditEvent).where(col(AuditEvent.tenant_id) == tenant_id).order_by(col(AuditEvent.seq)).limit(BATCH)
    if run_id is not None:
        query = query.where(col(AuditEvent.run_id) == run_id)
    if ticket_id is not None:
        query = query.where(col(AuditEvent.ticket_id) == ticket_id)
    if since is not None:
        query = query.where(col(AuditEvent.at) >= since)
    if until is not None:
        query = query.where(col(AuditEvent.at) < until)
    while events := (await session.execute(query.where(col(AuditEvent.seq) > after))).scalars().all():
        for event in events:
            yield event_line(event)
        after = events[-1].seq
        session.expunge_all()  # a long log must not stay in memory


def event_line(event: AuditEvent) -> str:
    """One event."""
    return json.dumps(
        {
            "v": 1,
            "tenant_id": event.tenant_id,
            "seq": event.seq,
            "event_id": event.event_id,
            "at": spelled(event.at),
            "kind": event.kind,
            "actor": event.actor,
            "run_id": event.run_id,
            "ticket_id": event.ticket_id,
            "body": event.body,
            "commitments": event.commitments,
            "leaf_hash": event.leaf_hash.hex(),
        },
        ensure_ascii=False,
    )
