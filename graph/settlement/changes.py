"""Changes of an effect's state: a compare-and-set, the money that goes with it, and the event, in one transaction.

A change that finds the effect in another state, or under another fence, does nothing and says so. INVARIANT: a late
write of a worker whose lease was taken over carries an old fence, so it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import NewEvent, append_all
from graph.breakers.tally import Happened, count
from graph.settlement import ledger
from graph.settlement.errors import MissingRow
from graph.settlement.models import Effect, EffectState
from policies.breakers import Measure

IN_DOUBT: Final = frozenset({EffectState.SENDING, EffectState.UNKNOWN, EffectState.HUMAN})
"""It may have happened: the vendor's record decides."""

UNDER_WAY: Final = frozenset({EffectState.SENDING, EffectState.UNKNOWN})
"""A worker is, or will be, at it."""

_ORIGINS: Final = {
    EffectState.HELD: UNDER_WAY,
    EffectState.UNKNOWN: UNDER_WAY,
    EffectState.SETTLED: IN_DOUBT,
    EffectState.RELEASED: IN_DOUBT,
    EffectState.STOPPED: frozenset({EffectState.HELD}),
    EffectState.HUMAN: UNDER_WAY,
    EffectState.REVERSED: frozenset({EffectState.SETTLED}),
}

_MOVES_MONEY: Final = frozenset(
    {EffectState.SETTLED, EffectState.RELEASED, EffectState.STOPPED, EffectState.REVERSED},
)


_ANSWERS: Final = frozenset({EffectState.SETTLED, EffectState.RELEASED, EffectState.UNKNOWN, EffectState.HUMAN})
_NO_CALL: Final = frozenset({"switched_off", "breaker_tripped", "absent", "subject_erased"})


@dataclass(frozen=True, slots=True)
class Change:
    """Where an effect goes.

    Args:
        reason: one word or code for the log, such as `timeout`; never a sentence of a vendor, which may quote a person.
        detail: the sentence for people; kept on the effect, not in the log.
        columns: further columns that change with the state.
    """

    to: EffectState
    reason: str | None = None
    detail: str | None = None
    columns: Mapping[str, object] = field(default_factory=dict)


async def find_effect(session: AsyncSession, tenant_id: str, effect_id: str) -> Effect | None:
    """The effect as the database has it now."""
    query = (
        select(Effect)
        .where(col(Effect.tenant_id) == tenant_id, col(Effect.effect_id) == effect_id)
        .execution_options(populate_existing=True)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def read_effect(session: AsyncSession, tenant_id: str, effect_id: str) -> Effect:
    """The effect as the database has it now.

    Raises:
        MissingRow: no such effect in this tenant.
    """
    effect = await find_effect(session, tenant_id, effect_id)
    if effect is None:
        raise MissingRow(f"no effect {effect_id!r} in tenant {tenant_id!r}: check the id")
    return effect


async def apply(
    session: AsyncSession,
    effect: Effect,
    change: Change,
    *,
    now: datetime,
    actor: str,
    new_id: Callable[[str], str],
    fence: int | None = None,
) -> bool:
    """Make a change and append its event, in the session's transaction. False where the effect is no longer there.

    `fence` is that of the worker's claim; None for what holds whoever works on it, such as a vendor's event.
    """
    event = await change_without_event(session, effect, change, now=now, actor=actor, new_id=new_id, fence=fence)
    if event is None:
        return False
    await append_all(session, effect.tenant_id, [event])
    return True


async def change_without_event(
    session: AsyncSession,
    effect: Effect,
    change: Change,
    *,
    now: datetime,
    actor: str,
    new_id: Callable[[str], str],
    fence: int | None = None,
) -> NewEvent | None:
    """Like `apply`, for a caller with more to write before the log: it must append the returned event."""
    if change.to in _MOVES_MONEY:
        await ledger.lock_for(session, effect)
    if not await _compare_and_set(session, effect, change, now, fence):
        return None
    match change.to:
        case EffectState.SETTLED:
            await ledger.spend(session, effect, now)
        case EffectState.RELEASED | EffectState.STOPPED:
            await ledger.give_back(session, effect)
        case EffectState.REVERSED:
            await ledger.take_back(session, effect, now)
        case _:
            pass
    await count(session, effect.tenant_id, _happened(effect, change), now=now)
    return event_of(effect, f"effect.{change.to.value}", now=now, actor=actor, new_id=new_id, change=change)


def _happened(effect: Effect, change: Change) -> list[Happened]:
    """What breakers count of a request's end: that its outcome is not known, or that Stripe refused it.

    That a ticket changed or is closed is no trouble of Zendesk's, and looking while nothing may be sent no call.
    """
    if change.to not in _ANSWERS or change.reason in _NO_CALL:
        return []
    refused = change.to is EffectState.RELEASED and effect.tool.startswith("stripe.")
    is_bad = refused or change.to in {EffectState.UNKNOWN, EffectState.HUMAN}
    return [Happened(Measure.TOOL_ERRORS, is_bad, effect.tool)]


async def _compare_and_set(
    session: AsyncSession,
    effect: Effect,
    change: Change,
    now: datetime,
    fence: int | None,
) -> bool:
    columns: dict[str, object] = {
        "state": change.to.value,
        "reason": change.reason,
        "detail": change.detail,
        "leased_until": None,
        **change.columns,
    }
    if change.to is EffectState.SETTLED:
        columns["settled_at"] = now
    statement = (
        update(Effect)
        .where(
            col(Effect.tenant_id) == effect.tenant_id,
            col(Effect.effect_id) == effect.effect_id,
            col(Effect.state).in_([state.value for state in sorted(_ORIGINS[change.to])]),
        )
        .values(**columns)
        .returning(col(Effect.effect_id))
        .execution_options(synchronize_session=False)
    )
    if fence is not None:
        statement = statement.where(col(Effect.fence) == fence)
    return (await session.execute(statement)).scalar_one_or_none() is not None


def event_of(
    effect: Effect,
    kind: str,
    *,
    now: datetime,
    actor: str,
    new_id: Callable[[str], str],
    change: Change | None = None,
    body: Mapping[str, object] | None = None,
) -> NewEvent:
    """The event of something that happened to an effect. It names ids and amounts, and no person."""
    told = {
        "effect_id": effect.effect_id,
        "effect": effect.kind,
        "tool": effect.tool,
        "charge_id": effect.charge_id,
        "subscription_id": effect.subscription_id,
        "amount_minor": effect.amount_minor,
        "currency": effect.currency,
        "attempts": effect.attempts or None,
        "approval_id": effect.approval_id,
        "credential": effect.credential,
        "reason": change.reason if change else None,
        "vendor_object": (change.columns if change else {}).get("vendor_object", effect.vendor_object),
        "vendor_status": (change.columns if change else {}).get("vendor_status", effect.vendor_status),
        **(body or {}),
    }
    return NewEvent(
        event_id=new_id("evt"),
        at=now,
        kind=kind,
        actor=actor,
        run_id=effect.run_id,
        ticket_id=effect.ticket_id,
        body={name: value for name, value in told.items() if value is not None},
    )
