"""Keeping the ledger of a charge up to what is known at Stripe, and stopping what no longer fits.

Refunds made by hand use a charge up as ours do. A held refund that they leave no room for is stopped, the newest first;
one that is under way keeps its reservation, and the charge counts as full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import NewEvent
from graph.settlement import ledger
from graph.settlement.changes import Change, change_without_event
from graph.settlement.ledger import Charge
from graph.settlement.models import Effect, EffectState
from graph.settlement.requests import ChargeFacts


async def as_facts_say(session: AsyncSession, tenant_id: str, facts: ChargeFacts, charge: Charge) -> Charge:
    """What facts and ledger together say of a locked charge.

    Facts read after the last change, with nothing under way, are the truth. Otherwise the larger figure counts, less
    what may be in both: refunds of ours that had been sent when the facts were read and whose end is not known yet.
    """
    in_doubt = await session.execute(
        text(
            """
            SELECT count(*) AS effects,
                   coalesce(sum(amount_minor) FILTER (WHERE first_sent_at <= :read_at), 0) AS maybe_counted
            FROM effect
            WHERE tenant_id = :tenant_id AND charge_id = :charge_id AND kind = 'refund'
              AND state IN ('sending', 'unknown', 'human')
            """,
        ),
        {"tenant_id": tenant_id, "charge_id": facts.charge_id, "read_at": facts.read_at},
    )
    effects, maybe_counted = in_doubt.one()
    is_newer = facts.read_at > charge.refreshed_at
    if is_newer and not effects:
        refunded = facts.refunded_minor
    else:
        refunded = max(charge.refunded_minor, facts.refunded_minor - int(maybe_counted))
    return Charge(
        charge_id=charge.charge_id,
        captured_minor=max(charge.captured_minor, facts.captured_minor),
        refunded_minor=refunded,
        reserved_minor=charge.reserved_minor,
        refreshed_at=max(charge.refreshed_at, facts.read_at),
    )


async def bring_up_to_date(
    session: AsyncSession,
    tenant_id: str,
    charges: Sequence[Charge],
    *,
    now: datetime,
    new_id: Callable[[str], str],
) -> list[NewEvent]:
    """Write what is known of locked charges, and stop the held refunds that no longer fit them.

    The caller must append the returned events, of the held effects that were stopped, at the end of its transaction.
    """
    misfits = [effect for charge in charges for effect in await _misfits(session, tenant_id, charge)]
    events = await _stop(session, misfits, "somebody refunded the charge meanwhile", now=now, new_id=new_id)
    for charge in charges:
        await ledger.write_charge(
            session,
            tenant_id,
            charge.charge_id,
            captured_minor=charge.captured_minor,
            refunded_minor=charge.refunded_minor,
            refreshed_at=charge.refreshed_at,
        )
    return events


async def stop_held_on(
    session: AsyncSession,
    tenant_id: str,
    charge_id: str,
    *,
    since: datetime,
    detail: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> list[NewEvent]:
    """Stop the refunds of a locked charge that are held and were reserved before `since`, when it was changed.

    The caller must append the returned events at the end of its transaction.
    """
    held = [effect for effect in await _held_on(session, tenant_id, charge_id) if effect.created_at < since]
    return await _stop(session, held, detail, now=now, new_id=new_id)


async def _stop(
    session: AsyncSession,
    effects: Sequence[Effect],
    detail: str,
    *,
    now: datetime,
    new_id: Callable[[str], str],
) -> list[NewEvent]:
    change = Change(EffectState.STOPPED, reason="charge_changed", detail=detail)
    events = [
        await change_without_event(session, effect, change, now=now, actor="settlement", new_id=new_id)
        for effect in effects
    ]
    return [event for event in events if event is not None]


async def _held_on(session: AsyncSession, tenant_id: str, charge_id: str) -> Sequence[Effect]:
    """The held refunds of a charge, newest first."""
    query = (
        select(Effect)
        .where(
            col(Effect.tenant_id) == tenant_id,
            col(Effect.charge_id) == charge_id,
            col(Effect.kind) == "refund",
            col(Effect.state) == EffectState.HELD.value,
        )
        .order_by(col(Effect.created_at).desc(), col(Effect.effect_id).desc())
        .execution_options(populate_existing=True)
    )
    return (await session.execute(query)).scalars().all()


async def _misfits(session: AsyncSession, tenant_id: str, charge: Charge) -> list[Effect]:
    """The held refunds, newest first, that must go for what is refunded and reserved to fit the charge."""
    excess = charge.refunded_minor + charge.reserved_minor - charge.captured_minor
    if excess <= 0:
        return []
    misfits: list[Effect] = []
    for effect in await _held_on(session, tenant_id, charge.charge_id):
        if excess > 0:
            misfits.append(effect)
            excess -= effect.amount_minor or 0
    return misfits
