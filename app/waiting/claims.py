"""Who has an item of the queue: taken, given, extended, released; and free again when its time is over.

A claim keeps two people from doing the same work. It is no lock: an answer counts whoever gives it, and counts once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.identity.accounts import Act
from app.waiting.models import ReviewClaim
from graph.audit.log import append, spelled


@dataclass(frozen=True, slots=True)
class Claimed:
    """It is theirs until then."""

    account_id: str
    until: datetime


@dataclass(frozen=True, slots=True)
class TakenBy:
    """Somebody else has it. Nothing was changed."""

    account_id: str
    until: datetime


async def claim(
    session: AsyncSession, tenant_id: str, item_id: str, account_id: str, *, span: timedelta, act: Act
) -> Claimed | TakenBy:
    """Let an account have an item; who has it already has it longer. In the session's transaction, with its event.

    Of two who take it at once, one does: the row is theirs who wrote it.
    """
    until = act.now + span
    row = {
        "tenant_id": tenant_id,
        "item_id": item_id,
        "account_id": account_id,
        "given_by": act.actor,
        "claimed_at": act.now,
        "ends_at": until,
    }
    statement = insert(ReviewClaim).values(row)
    taken = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "item_id"],
            set_={name: row[name] for name in ("account_id", "given_by", "claimed_at", "ends_at")},
            where=(col(ReviewClaim.ends_at) <= act.now) | (col(ReviewClaim.account_id) == account_id),
        ).returning(col(ReviewClaim.account_id))
    )
    if taken.scalar_one_or_none() is None:
        holder = await session.get_one(ReviewClaim, (tenant_id, item_id), populate_existing=True)
        return TakenBy(holder.account_id, holder.ends_at)
    body = {"item_id": item_id, "account_id": account_id, "until": spelled(until)}
    await _tell(session, tenant_id, "review.claimed", act, body)
    return Claimed(account_id, until)


async def release(session: AsyncSession, tenant_id: str, item_id: str, account_id: str | None, *, act: Act) -> bool:
    """Let an item be free again; false where the account did not have it. Without an account, whoever has it loses it.

    In the session's transaction, with its event.
    """
    gone = delete(ReviewClaim).where(col(ReviewClaim.tenant_id) == tenant_id, col(ReviewClaim.item_id) == item_id)
    if account_id is not None:
        gone = gone.where(col(ReviewClaim.account_id) == account_id)
    holder = (await session.execute(gone.returning(col(ReviewClaim.account_id)))).scalar_one_or_none()
    if holder is None:
        return False
    await _tell(session, tenant_id, "review.released", act, {"item_id": item_id, "account_id": holder})
    return True


async def claims(session: AsyncSession, tenant_id: str, *, now: datetime) -> dict[str, ReviewClaim]:
    """Every claim that still counts, by item."""
    query = select(ReviewClaim).where(col(ReviewClaim.tenant_id) == tenant_id, col(ReviewClaim.ends_at) > now)
    return {one.item_id: one for one in (await session.execute(query)).scalars()}


async def sweep(session: AsyncSession, tenant_id: str, *, now: datetime) -> None:
    """Drop claims that are over. Nobody has to be told: the queue shows them as free already."""
    over = delete(ReviewClaim).where(col(ReviewClaim.tenant_id) == tenant_id, col(ReviewClaim.ends_at) <= now)
    await session.execute(over)


async def _tell(session: AsyncSession, tenant_id: str, kind: str, act: Act, body: Mapping[str, object]) -> None:
    await session.flush()
    await append(session, tenant_id=tenant_id, at=act.now, kind=kind, actor=act.actor, new_id=act.new_id, body=body)
