"""Legal holds: what a court or a dispute needs must not be erased. Placing and lifting are events of the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import append
from graph.erasure.models import LegalHold

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('erasure/' || :tenant || '/' || :subject, 0))")


async def place(
    session: AsyncSession,
    tenant_id: str,
    subject_id: str,
    *,
    reason: str,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> bool:
    """Keep everything of a person, in the session's transaction. False where they are held already."""
    await lock(session, tenant_id, subject_id)
    placed = await session.execute(
        insert(LegalHold)
        .values(tenant_id=tenant_id, subject_id=subject_id, reason=reason, placed_by=actor, placed_at=now)
        .on_conflict_do_nothing()
        .returning(col(LegalHold.subject_id))
    )
    if placed.one_or_none() is None:
        return False
    body = {"subject_id": subject_id, "reason": reason}
    await append(session, tenant_id=tenant_id, at=now, kind="hold.placed", actor=actor, new_id=new_id, body=body)
    return True


async def lift(
    session: AsyncSession,
    tenant_id: str,
    subject_id: str,
    *,
    reason: str,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> bool:
    """Let a person be erased again, in the session's transaction. False where they were not held."""
    lifted = await session.execute(
        delete(LegalHold)
        .where(col(LegalHold.tenant_id) == tenant_id, col(LegalHold.subject_id) == subject_id)
        .returning(col(LegalHold.subject_id))
    )
    if lifted.one_or_none() is None:
        return False
    body = {"subject_id": subject_id, "reason": reason}
    await append(session, tenant_id=tenant_id, at=now, kind="hold.lifted", actor=actor, new_id=new_id, body=body)
    return True


async def every(session: AsyncSession, tenant_id: str) -> Sequence[LegalHold]:
    """The holds of a tenant, the oldest first."""
    query = select(LegalHold).where(col(LegalHold.tenant_id) == tenant_id)
    return (await session.execute(query.order_by(col(LegalHold.placed_at), col(LegalHold.subject_id)))).scalars().all()


async def hold_on(session: AsyncSession, tenant_id: str, subject_id: str) -> LegalHold | None:
    """The hold on a person, or None."""
    query = select(LegalHold).where(col(LegalHold.tenant_id) == tenant_id, col(LegalHold.subject_id) == subject_id)
    return (await session.execute(query)).scalar_one_or_none()


async def lock(session: AsyncSession, tenant_id: str, subject_id: str) -> None:
    """Let an erasure and a hold of one person follow each other, until the session's transaction ends."""
    await session.execute(_LOCK, {"tenant": tenant_id, "subject": subject_id})
