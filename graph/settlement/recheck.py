"""Looking once more at what a refund rests on, right before it is sent: the ticket and the charge as they are now.

A hold ends minutes after the decision, and webhooks may be lost. So a held refund is stopped where the ticket was
changed by anybody, where the charge was disputed, or where somebody else refunded it meanwhile; the run then reads
everything anew. Nothing is sent here, and what cannot be read now is looked at again before anything leaves.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from connectors.errors import ConnectorError, VendorRefused
from graph.settlement.claim import Withdrawn
from graph.settlement.models import Effect, EffectState
from graph.settlement.performers import Performer, Present, Sendable

LOOK_AGAIN_AFTER: Final = timedelta(seconds=10)
LOOK_FOR: Final = timedelta(minutes=10)
"""How long a refund that is due waits for its ticket and its charge to be readable, before a person gets the case."""


async def read_present(performer: Performer, sendable: Sendable) -> Present | Withdrawn | None:
    """What it rests on as it is now; why it must not be sent; or None where that cannot be told at the moment."""
    if performer.present is None:
        return Present()
    try:
        return await asyncio.to_thread(performer.present, sendable)
    except VendorRefused as error:
        return Withdrawn("unreadable", f"what the refund rests on cannot be read any more: {error}")
    except ConnectorError:
        return None


async def differs(session: AsyncSession, effect: Effect, present: Present) -> Withdrawn | None:
    """What changed since the effect was reserved, as far as our books do not explain it."""
    if effect.ticket_stamp is not None and present.ticket_stamp not in {None, effect.ticket_stamp}:
        return Withdrawn("ticket_changed", "the ticket was changed while the refund waited")
    if effect.charge_disputed is False and present.is_disputed:
        return Withdrawn("charge_changed", "a dispute was opened while the refund waited")
    if present.refunded_minor is not None and present.refunded_minor > await _explained_minor(session, effect):
        return Withdrawn("charge_changed", "somebody refunded the charge while the refund waited")
    if present.has_lost_its_twin:
        return Withdrawn("charge_changed", "the other one of the two payments was given back while the refund waited")
    return None


async def _explained_minor(session: AsyncSession, effect: Effect) -> int:
    """What we know to be refunded on the charge, and what refunds of ours that are under way may have added."""
    known = await session.execute(
        text(
            """
            SELECT refunded_minor + (
                     SELECT coalesce(sum(amount_minor), 0) FROM effect
                      WHERE tenant_id = :tenant_id AND charge_id = :charge_id AND kind = 'refund'
                        AND state IN ('sending', 'unknown', 'human'))
              FROM charge_ledger WHERE tenant_id = :tenant_id AND charge_id = :charge_id
            """,
        ),
        {"tenant_id": effect.tenant_id, "charge_id": effect.charge_id},
    )
    return int(known.scalar_one())


async def come_back(session: AsyncSession, effect: Effect, now: datetime, *, after: timedelta, detail: str) -> None:
    """Leave an effect that is due as it is, for as long as `after`; `detail` says to people why."""
    await session.execute(
        update(Effect)
        .where(
            col(Effect.tenant_id) == effect.tenant_id,
            col(Effect.effect_id) == effect.effect_id,
            col(Effect.state).in_(["held", "sending", "unknown"]),
            col(Effect.due_at) <= now,
        )
        .values(due_at=now + after, detail=detail)
        .execution_options(synchronize_session=False),
    )


async def put_off(session: AsyncSession, effect: Effect, now: datetime) -> Withdrawn | None:
    """Leave a held effect as it is and come back to it soon; or say that this has gone on for too long."""
    if effect.put_off_since is not None and now - effect.put_off_since >= LOOK_FOR:
        return Withdrawn("unreadable", "what the refund rests on could not be read for too long")
    await session.execute(
        update(Effect)
        .where(
            col(Effect.tenant_id) == effect.tenant_id,
            col(Effect.effect_id) == effect.effect_id,
            col(Effect.state) == EffectState.HELD.value,
            col(Effect.due_at) <= now,
        )
        .values(due_at=now + LOOK_AGAIN_AFTER, put_off_since=effect.put_off_since or now)
        .execution_options(synchronize_session=False),
    )
    return None
