"""Giving checkpoints to those who keep them outside of the database, and noticing where they disagree.

A sink is given the newest checkpoint, not oftener than it wishes; one that it missed is covered by the next, because
each is over the whole log. What failed is tried again from the database, later each time. Nothing waits for a sink.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from connectors.errors import ConnectorError
from connectors.witness.errors import SawAnotherSize
from graph.audit.errors import AuditError, LogBroken
from graph.audit.note import opened
from graph.audit.proof import consistency_proof
from graph.audit.sequence import Signer
from graph.audit.tree import continues
from graph.tenancy import Sessions

CLAIM_S: Final = 60.0
"""A process that took a publication and died leaves it to the others after that."""

LONGEST_PAUSE_S: Final = 300.0

_BEGIN: Final = text(
    """
    INSERT INTO audit_publication (tenant_id, sink, size, attempts) VALUES (:tenant, :sink, 0, 0)
    ON CONFLICT DO NOTHING
    """
)
_TAKE: Final = text(
    """
    UPDATE audit_publication SET try_at = clock_timestamp() + make_interval(secs => :claim)
     WHERE tenant_id = :tenant AND sink = :sink AND (try_at <= clock_timestamp() OR :at_once)
       AND size <> (SELECT max(size) FROM audit_checkpoint WHERE tenant_id = :tenant)
    RETURNING size, attempts
    """
)
_NEWEST: Final = text("SELECT note FROM audit_checkpoint WHERE tenant_id = :tenant ORDER BY size DESC LIMIT 1")
_DONE: Final = text(
    """
    UPDATE audit_publication
       SET size = :size, published_at = :now, attempts = 0, problem = NULL,
           try_at = clock_timestamp() + make_interval(secs => :pause)
     WHERE tenant_id = :tenant AND sink = :sink
    """
)
_FAILED: Final = text(
    """
    UPDATE audit_publication
       SET size = :size, attempts = :attempts, problem = :problem,
           try_at = clock_timestamp() + make_interval(secs => :pause)
     WHERE tenant_id = :tenant AND sink = :sink
    """
)


class Sink(Protocol):
    """Somebody who keeps checkpoints. Its methods block."""

    @property
    def name(self) -> str:
        """What the settings call it."""

    @property
    def every_s(self) -> float:
        """How often it wants one at most, in seconds."""

    def newest(self, origin: str) -> str | None:
        """The note it keeps last, where it can be asked."""

    def keep(self, note: str, *, origin: str, old: int, proof: Sequence[bytes]) -> None:
        """Keep a note that continues the log of `old` events by the proof."""


@dataclass(frozen=True, slots=True)
class PublicationResult:
    """What came of one attempt: the size that is published now, and what is the matter if anything is."""

    size: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Taken:
    note: str
    size: int
    attempts: int


async def publish(
    sessions: Sessions, tenant_id: str, signer: Signer, sink: Sink, *, now: datetime, at_once: bool = False
) -> PublicationResult | None:
    """Give the newest checkpoint to one sink, if it is time. None where there was nothing to do.

    Opens transactions of its own, none of them while the sink is talked to.
    """
    values = {"tenant": tenant_id, "sink": sink.name}
    async with sessions(tenant_id) as session:
        taken = await _take(session, values, at_once=at_once)
    if taken is None:
        return None
    try:
        size = await _hand_over(sessions, tenant_id, signer, sink, taken)
    except (ConnectorError, AuditError) as error:
        seen = error.size if isinstance(error, SawAnotherSize) else taken.size
        attempts = taken.attempts + 1
        pause = min(2.0 ** min(attempts, 10) - 1, LONGEST_PAUSE_S)
        failed = {**values, "size": seen, "attempts": attempts, "problem": str(error), "pause": pause}
        async with sessions(tenant_id) as session:
            await session.execute(_FAILED, failed)
        return PublicationResult(seen, str(error))
    async with sessions(tenant_id) as session:
        await session.execute(_DONE, {**values, "size": size, "now": now, "pause": sink.every_s})
    return PublicationResult(size)


async def _take(session: AsyncSession, values: dict[str, str], *, at_once: bool) -> _Taken | None:
    await session.execute(_BEGIN, values)
    row = (await session.execute(_TAKE, {**values, "claim": CLAIM_S, "at_once": at_once})).one_or_none()
    if row is None:
        return None
    note = (await session.execute(_NEWEST, {"tenant": values["tenant"]})).scalar_one()
    return _Taken(note, row.size, row.attempts)


async def _hand_over(sessions: Sessions, tenant_id: str, signer: Signer, sink: Sink, taken: _Taken) -> int:
    """Compare with what the sink has, where it says so, and let it keep the new one; the size that it has now."""
    keys = signer.keys(tenant_id)
    new, _ = opened(taken.note, keys)
    known = await asyncio.to_thread(sink.newest, new.origin)
    last = opened(known, keys)[0] if known is not None else None
    old = last.size if last is not None else taken.size
    if old > new.size:
        raise LogBroken(f"it has seen {old} events and the log has {new.size}: the log was cut; keep what the sink has")
    async with sessions(tenant_id) as session:
        proof = await consistency_proof(session, tenant_id, old, new.size)
    if last is not None:
        if not continues(old=old, old_root=last.root, new=new.size, new_root=new.root, proof=proof):
            raise LogBroken(f"it keeps another log at {old} events: the log was rewritten; keep what the sink has")
        if last == new:
            return new.size
    await asyncio.to_thread(sink.keep, taken.note, origin=new.origin, old=old, proof=proof)
    return new.size
