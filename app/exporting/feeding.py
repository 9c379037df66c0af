"""Feeding a sink with the log from its first event on, in order and without a gap, each event until the sink has it.

The sink's row moves after the sink took a batch: an event is sent at least once, with its id and number. Unlike a
notice, none is ever skipped: what a sink refuses, it is offered again until somebody has seen to it. INVARIANT: nothing
waits for a sink, and no transaction is open while one is talked to.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.event_lines import event_line
from app.exporting.redacting import redacted
from app.exporting.sinks import Sink
from app.notices.cursor import Cursor
from connectors.errors import ConnectorError
from graph.audit.log import append
from graph.audit.models import AuditEvent
from graph.tenancy import Sessions
from graph.vault import MasterKeyWithheld, Vault

BATCH: Final = 500
LEASE_S: Final = 60.0
ACTOR: Final = "settings"
NEVER_FED: Final = "it was never fed"
PSEUDONYM_SUBJECT: Final = "installation/export"
"""Whose key makes the pseudonyms of a tenant: the same value has the same one in every sink."""

_STANDING: Final = text(
    """
    SELECT c.next_seq, c.told_at, c.problem,
           coalesce((SELECT size FROM audit_head WHERE tenant_id = :tenant), 0) AS size,
           (SELECT at FROM audit_event WHERE tenant_id = :tenant AND seq = coalesce(c.next_seq, 0)) AS lacks_since
      FROM (SELECT 1) AS one
      LEFT JOIN notice_cursor AS c ON c.tenant_id = :tenant AND c.place = :place
    """
)


@dataclass(frozen=True, slots=True)
class Fed:
    """What came of one look: how many events the sink took, whether more wait, and what is the matter."""

    sent: int = 0
    has_more: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class SinkStanding:
    """How far a sink is: it has `has` of `events`, since `at`; the first event that it lacks is of `lacks_since`."""

    name: str
    has: int
    events: int
    at: datetime | None
    problem: str | None
    lacks_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Feeder:
    """What feeding works with."""

    sessions: Sessions
    vault: Vault
    now: Callable[[], datetime]
    new_id: Callable[[str], str]


def place_of(sink_name: str) -> str:
    """The row of a sink; no notice can have its name."""
    return f"export:{sink_name}"


async def feed(feeder: Feeder, tenant_id: str, sink: Sink, *, at_once: bool = False) -> Fed | None:
    """Give the sink one batch; None where another process is at it, or its pause is not over.

    That a sink is new is an event of the log, before anything leaves for it. Opens transactions of its own.
    """
    cursor, lines, withheld = Cursor(tenant_id, place_of(sink.name)), list[dict[str, Any]](), None
    async with feeder.sessions(tenant_id) as session:
        if await cursor.begin(session, from_the_start=True):
            await _tell_of(session, feeder, tenant_id, sink)
        leased = await cursor.lease(session, lease_s=LEASE_S, at_once=at_once)
        if leased is None:
            return None
        next_seq, attempts = leased
        try:
            lines = await _lines(session, feeder, tenant_id, sink, next_seq)
        except MasterKeyWithheld as error:
            withheld = str(error)
    if withheld is not None:
        await cursor.move(feeder.sessions, was=next_seq, to=next_seq, problem=withheld, attempts=attempts + 1)
        return Fed(problem=withheld)
    if not lines:
        await cursor.move(feeder.sessions, was=next_seq, to=next_seq, pause_s=sink.every_s)
        return Fed()
    try:
        await asyncio.to_thread(sink.taker.take, lines)
    except ConnectorError as error:
        problem = str(error)
        await cursor.move(feeder.sessions, was=next_seq, to=next_seq, problem=problem, attempts=attempts + 1)
        return Fed(problem=problem)
    has_more = len(lines) == BATCH
    await cursor.move(
        feeder.sessions,
        was=next_seq,
        to=lines[-1]["seq"] + 1,
        told_at=feeder.now(),
        pause_s=0.0 if has_more else sink.every_s,
    )
    return Fed(len(lines), has_more)


async def sink_standing(session: AsyncSession, tenant_id: str, sink_name: str) -> SinkStanding:
    """How far one sink is."""
    row = (await session.execute(_STANDING, {"tenant": tenant_id, "place": place_of(sink_name)})).one()
    if row.next_seq is None:
        return SinkStanding(sink_name, 0, row.size, None, NEVER_FED, row.lacks_since)
    return SinkStanding(sink_name, row.next_seq, row.size, row.told_at, row.problem, row.lacks_since)


async def _tell_of(session: AsyncSession, feeder: Feeder, tenant_id: str, sink: Sink) -> None:
    await append(
        session,
        tenant_id=tenant_id,
        at=feeder.now(),
        kind="log.exported",
        actor=ACTOR,
        new_id=feeder.new_id,
        body={"what": "feed", "sink": sink.name, "redaction": sink.redaction.value},
    )


async def _lines(
    session: AsyncSession, feeder: Feeder, tenant_id: str, sink: Sink, next_seq: int
) -> list[dict[str, Any]]:
    """The next batch, as much of it as may leave."""
    query = (
        select(AuditEvent)
        .where(col(AuditEvent.tenant_id) == tenant_id, col(AuditEvent.seq) >= next_seq)
        .order_by(col(AuditEvent.seq))
        .limit(BATCH)
    )
    events = (await session.execute(query)).scalars().all()
    if not events:
        return []
    key = await feeder.vault.key(session, tenant_id=tenant_id, subject_id=PSEUDONYM_SUBJECT, now=feeder.now())
    return [redacted(json.loads(event_line(event)), sink.redaction, key.pseudonym) for event in events]
