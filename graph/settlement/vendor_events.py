"""What Stripe says by itself: a webhook, or a list that the reconciler read, about one refund.

Events come twice, late and in any order, so every branch may run again without effect, and a refund's status never
moves back. A refund that we did not make uses up its charge like one of ours. One that claims an intent of ours which
we do not have, or had given up, or which has its refund already, means that money moved past us: the tool is switched
off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ScalarSelect, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from connectors.stripe.wire import RefundView
from graph.audit.log import NewEvent, append_all
from graph.settlement import ledger
from graph.settlement.changes import IN_DOUBT, Change, apply, find_effect, read_effect
from graph.settlement.charges import bring_up_to_date, stop_held_on
from graph.settlement.installation import installation_of
from graph.settlement.models import ChargeLedger, Effect, EffectState, ForeignRefund
from graph.settlement.performers import refund_answer
from graph.settlement.switches import change_switch
from policies.vocabulary import Tool

_RANK: Final = {"requires_action": 0, "pending": 0, "succeeded": 1, "canceled": 2, "failed": 2}
"""A status of a higher rank is never replaced by one of a lower, which an older event carries."""

A_SECOND: Final = timedelta(seconds=1)
"""Stripe's times are whole seconds, so what it dates to a second may have happened until its end."""


class Seen(StrEnum):
    """What became of what Stripe said."""

    NOTHING_NEW = "nothing_new"
    SETTLED = "settled"
    STATUS = "status"
    REVERSED = "reversed"
    IMPORTED = "imported"
    ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class Hearing:
    """What hearing needs besides the refund."""

    tenant_id: str
    now: datetime
    new_id: Callable[[str], str]
    actor: str = "stripe"


async def on_refund(session: AsyncSession, refund: RefundView, hearing: Hearing) -> Seen:
    """Take in what Stripe says about a refund, in the session's transaction."""
    effect = await _effect_of(session, refund, hearing.tenant_id)
    if effect is None:
        return await _import(session, refund, hearing)
    state = EffectState(effect.state)
    if state in IN_DOUBT:
        return await _settle(session, effect, refund, hearing)
    if state is EffectState.SETTLED and not refund.status.holds_money:
        return await _reverse(session, effect, refund, hearing)
    if state in {EffectState.RELEASED, EffectState.STOPPED, EffectState.HELD}:
        # We never sent it, or were told that it did not happen, and there it is.
        return await _import(session, refund, hearing)
    return await _note_status(session, effect, refund, hearing)


async def _effect_of(session: AsyncSession, refund: RefundView, tenant_id: str) -> Effect | None:
    if refund.intent_id is None:
        return None
    effect = await find_effect(session, tenant_id, refund.intent_id)
    if effect is None or effect.charge_id != refund.charge_id:
        return None
    # A second refund under one intent is not that intent's refund.
    return effect if effect.vendor_object in {None, refund.refund_id} else None


async def _settle(session: AsyncSession, effect: Effect, refund: RefundView, hearing: Hearing) -> Seen:
    answer = refund_answer(refund)
    columns = {"vendor_object": answer.vendor_object, "vendor_status": answer.vendor_status}
    change = Change(EffectState.SETTLED, reason="seen_at_stripe", columns=columns)
    if not await _apply(session, effect, change, hearing):
        # Its worker was faster; what it wrote is compared with this event now.
        return await on_refund(session, refund, hearing)
    if not refund.status.holds_money:
        return await _reverse(session, await read_effect(session, hearing.tenant_id, effect.effect_id), refund, hearing)
    return Seen.SETTLED


async def _reverse(session: AsyncSession, effect: Effect, refund: RefundView, hearing: Hearing) -> Seen:
    change = Change(
        EffectState.REVERSED,
        reason=refund.failure_reason or refund.status.value,
        detail="the refund failed after it was confirmed: a person must look",
        columns={"vendor_status": refund.status.value},
    )
    return Seen.REVERSED if await _apply(session, effect, change, hearing) else Seen.NOTHING_NEW


async def _apply(session: AsyncSession, effect: Effect, change: Change, hearing: Hearing) -> bool:
    return await apply(session, effect, change, now=hearing.now, actor=hearing.actor, new_id=hearing.new_id)


async def _note_status(session: AsyncSession, effect: Effect, refund: RefundView, hearing: Hearing) -> Seen:
    if not _is_newer(effect.vendor_status, refund.status.value):
        return Seen.NOTHING_NEW
    noted = await session.execute(
        update(Effect)
        .where(
            col(Effect.tenant_id) == effect.tenant_id,
            col(Effect.effect_id) == effect.effect_id,
            col(Effect.vendor_status) == effect.vendor_status,
        )
        .values(vendor_status=refund.status.value)
        .returning(col(Effect.effect_id))
        .execution_options(synchronize_session=False),
    )
    if noted.scalar_one_or_none() is None:
        return Seen.NOTHING_NEW
    event = _event("effect.status", refund, hearing, effect=effect)
    await append_all(session, hearing.tenant_id, [event])
    return Seen.STATUS


async def _import(session: AsyncSession, refund: RefundView, hearing: Hearing) -> Seen:
    """Record a refund that no live intent of ours made, once, and let it use up its charge."""
    if refund.charge_id is None:
        return Seen.NOTHING_NEW
    await ledger.await_first_sight(session, hearing.tenant_id, refund.charge_id)
    is_new = await _record(session, refund, hearing)
    if not is_new and not await _move_status(session, refund, hearing):
        return Seen.NOTHING_NEW
    events = await _use_up_charge(session, refund.charge_id, refund.created_at, hearing)
    if not is_new:
        seen, kind = Seen.STATUS, "refund.status"
    elif refund.intent_id is None or await _is_anothers(session, refund, hearing.tenant_id):
        seen, kind = Seen.IMPORTED, "refund.imported"
    else:
        seen, kind = Seen.ORPHAN, "refund.orphan"
    await append_all(session, hearing.tenant_id, [*events, _event(kind, refund, hearing)])
    if seen is Seen.ORPHAN:
        await _switch_off(session, refund, hearing)
    return seen


async def _is_anothers(session: AsyncSession, refund: RefundView, tenant_id: str) -> bool:
    """Whether another installation says that it made this refund."""
    ours = await installation_of(session, tenant_id)
    return ours is not None and refund.installation_id not in {None, ours}


async def _use_up_charge(session: AsyncSession, charge_id: str, made_at: datetime, hearing: Hearing) -> list[NewEvent]:
    charge = await ledger.lock_known_charge(session, hearing.tenant_id, charge_id)
    if charge is None:
        return []  # the facts of the first reservation will say it
    # What we know of is a floor: refunds from before our time are only in what Stripe says of the charge.
    known_minor = await ledger.known_minor(session, hearing.tenant_id, charge_id)
    now_known = replace(charge, refunded_minor=max(charge.refunded_minor, known_minor))
    stopped = await stop_held_on(
        session,
        hearing.tenant_id,
        charge_id,
        since=made_at + A_SECOND,
        detail="somebody refunded the charge meanwhile",
        now=hearing.now,
        new_id=hearing.new_id,
    )
    # What was held is given back; what is left does not fit by so much less.
    charge = await ledger.lock_known_charge(session, hearing.tenant_id, charge_id) or charge
    now_known = replace(charge, refunded_minor=now_known.refunded_minor)
    return stopped + await bring_up_to_date(
        session,
        hearing.tenant_id,
        [now_known],
        now=hearing.now,
        new_id=hearing.new_id,
    )


async def on_dispute(session: AsyncSession, charge_id: str, opened_at: datetime, hearing: Hearing) -> int:
    """A dispute or an early fraud warning came up: stop what is held on the charge; how many refunds that was.

    In the session's transaction. The run that asked for them reads everything anew, and a person decides.
    """
    if await ledger.lock_known_charge(session, hearing.tenant_id, charge_id) is None:
        return 0
    stopped = await stop_held_on(
        session,
        hearing.tenant_id,
        charge_id,
        since=opened_at + A_SECOND,
        detail="the charge was disputed, or its card network warned about it, meanwhile",
        now=hearing.now,
        new_id=hearing.new_id,
    )
    await append_all(session, hearing.tenant_id, stopped)
    return len(stopped)


async def _switch_off(session: AsyncSession, refund: RefundView, hearing: Hearing) -> None:
    await change_switch(
        session,
        tenant_id=hearing.tenant_id,
        tool=Tool.STRIPE_REFUND.value,
        is_off=True,
        reason=f"refund {refund.refund_id} claims intent {refund.intent_id}, which did not make it",
        actor=hearing.actor,
        now=hearing.now,
        new_id=hearing.new_id,
    )


async def _record(session: AsyncSession, refund: RefundView, hearing: Hearing) -> bool:
    """True for the first who records it; a second one waits for the first to commit."""
    recorded = await session.execute(
        insert(ForeignRefund)
        .values(
            tenant_id=hearing.tenant_id,
            refund_id=refund.refund_id,
            charge_id=refund.charge_id,
            customer_id=_customer_of(refund.charge_id, hearing.tenant_id),
            amount_minor=refund.amount.minor,
            currency=refund.amount.currency,
            status=refund.status.value,
            claimed_intent=refund.intent_id,
            made_at=refund.created_at,
            imported_at=hearing.now,
        )
        .on_conflict_do_nothing()
        .returning(col(ForeignRefund.refund_id)),
    )
    return recorded.scalar_one_or_none() is not None


def _customer_of(charge_id: str | None, tenant_id: str) -> ScalarSelect[str | None]:
    """Whose charge it is, where we had to do with it; a refund itself does not say."""
    return (
        select(col(ChargeLedger.customer_id))
        .where(col(ChargeLedger.tenant_id) == tenant_id, col(ChargeLedger.charge_id) == charge_id)
        .scalar_subquery()
    )


async def _move_status(session: AsyncSession, refund: RefundView, hearing: Hearing) -> bool:
    """True where what Stripe says is newer than what was recorded."""
    older = [status for status in _RANK if _is_newer(status, refund.status.value)]
    moved = await session.execute(
        update(ForeignRefund)
        .where(
            col(ForeignRefund.tenant_id) == hearing.tenant_id,
            col(ForeignRefund.refund_id) == refund.refund_id,
            col(ForeignRefund.status).in_(older),
        )
        .values(status=refund.status.value)
        .returning(col(ForeignRefund.refund_id))
        .execution_options(synchronize_session=False),
    )
    return moved.scalar_one_or_none() is not None


def _is_newer(known: str | None, said: str) -> bool:
    return _RANK.get(said, 0) > _RANK.get(known or "", -1)


def _event(kind: str, refund: RefundView, hearing: Hearing, *, effect: Effect | None = None) -> NewEvent:
    body: dict[str, object] = {
        "effect_id": effect.effect_id if effect else None,
        "refund_id": refund.refund_id,
        "charge_id": refund.charge_id,
        "amount_minor": refund.amount.minor,
        "currency": refund.amount.currency,
        "status": refund.status.value,
        "claimed_intent": refund.intent_id,
    }
    return NewEvent(
        event_id=hearing.new_id("evt"),
        at=hearing.now,
        kind=kind,
        actor=hearing.actor,
        run_id=effect.run_id if effect else None,
        ticket_id=effect.ticket_id if effect else None,
        body={name: value for name, value in body.items() if value is not None},
    )
