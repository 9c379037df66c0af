"""The log as lines of JSON: every public field of every event, so that anybody can compute its hash again.

A line without its `leaf_hash`, written as canonical JSON (RFC 8785) and prefixed with a zero byte, has that SHA-256.
Sealed values never leave: a line carries their commitments.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import spelled
from graph.audit.models import AuditEvent

BATCH: Final = 1000


async def event_lines(session: AsyncSession, tenant_id: str, *, run_id: str | None = None) -> AsyncIterator[str]:
    """Each event of a tenant, or of one of its runs, in the order of their numbers."""
    query = select(AuditEvent).where(col(AuditEvent.tenant_id) == tenant_id).order_by(col(AuditEvent.seq)).limit(BATCH)
    if run_id is not None:
        query = query.where(col(AuditEvent.run_id) == run_id)
    after = -1
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
