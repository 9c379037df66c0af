"""Intending an effect: its row, its key and body, and the money set aside for it, in one transaction.

Nothing leaves here. What may not be exceeded is held by constraints of the database, which this module only translates;
what must not happen twice is held by the unique business key. The switch is read in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from psycopg import errors as postgres
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import NewEvent, append_all
from graph.breakers.trips import covering, told, tripped
from graph.settlement import ledger
from graph.settlement.changes import event_of
from graph.settlement.charges import as_facts_say, bring_up_to_date
from graph.settlement.models import Effect, EffectState
from graph.settlement.requests import (
    AlreadyIntended,
    EffectRequest,
    Exhausted,
    ReserveAnswer,
    Reserved,
    SwitchedOff,
    Tripped,
    business_key,
)
from graph.settlement.switches import read_switch
from graph.vault import Vault

CHARGE: Final = "charge"
"""The `limit_id` of an `Exhausted` whose charge has no room."""

_CAPS: Final = frozenset({"never_above_captured", "within_cap", "within_count"})
_BUSINESS_KEY: Final = "effect_business_key"


class _Draw(Enum):
    """How an attempt to write an intent ended, other than on a cap."""

    WON = auto()
    LOST = auto()  # another transaction intended the same effect first


@dataclass(frozen=True, slots=True)
class Means:
    """What reserving needs besides the request: time, ids, keys, the vault for personal bodies."""

    now: datetime
    new_id: Callable[[str], str]
    new_key: Callable[[], str]
    vault: Vault


async def reserve(session: AsyncSession, request: EffectRequest, means: Means) -> ReserveAnswer:
    """Intend one effect, in the session's transaction. See `reserve_all`."""
    (answer,) = await reserve_all(session, request.tenant_id, (request,), means)
    return answer


async def reserve_all(
    session: AsyncSession,
    tenant_id: str,
    requests: Sequence[EffectRequest],
    means: Means,
    *,
    events: Sequence[NewEvent] = (),
) -> tuple[ReserveAnswer, ...]:
    """Intend several effects of one tenant, in the session's transaction; an answer for each, in their order.

    Each stands or falls by itself: one that finds no room leaves the others alone. Ask for all effects of a transaction
    in one call and make it the last write: it locks in the one order that cannot deadlock, and ends with the log.
    `events` are further events of the transaction, such as the use of an approval; they come first in the log.

    A held effect on one of the charges that no longer fits, because somebody refunded by hand meanwhile, is stopped.
    """
    told = [*events, *await _lock_all(session, tenant_id, requests, means)]
    answers: list[ReserveAnswer] = []
    for request in requests:
        answer, event = await _intend(session, request, means)
        answers.append(answer)
        if event is not None:
            told.append(event)
    await append_all(session, tenant_id, told)
    return tuple(answers)


async def _lock_all(
    session: AsyncSession, tenant_id: str, requests: Sequence[EffectRequest], means: Means
) -> list[NewEvent]:
    """Lock charges, then limits, and bring the ledger up to the facts; the events of held effects it had to stop."""
    facts = {request.charge.charge_id: request.charge for request in requests if request.charge is not None}
    charges = {name: await ledger.lock_charge(session, tenant_id, facts[name]) for name in sorted(facts)}
    refreshed = [await as_facts_say(session, tenant_id, facts[name], charges[name]) for name in charges]
    await ledger.lock_limits(session, tenant_id, {key for request in requests for key in ledger.draws_of(request)})
    return await bring_up_to_date(session, tenant_id, refreshed, now=means.now, new_id=means.new_id)


async def _intend(
    session: AsyncSession,
    request: EffectRequest,
    means: Means,
) -> tuple[ReserveAnswer, NewEvent | None]:
    switch = await read_switch(session, request.tenant_id, request.tool)
    if switch is not None:
        return SwitchedOff(request.tool, switch.reason), None
    if request.watched is not None and request.approval_id is None:
        breaker = covering(await tripped(session, request.tenant_id), request.tool, request.watched)
        if breaker is not None:
            return Tripped(breaker.breaker_id, told(breaker)), None
    key = business_key(request)
    # The constraint decides between two transactions: who loses finds the winner's row on the next turn.
    while True:
        existing = await _existing(session, request.tenant_id, key)
        if existing is not None:
            return existing, None
        effect = await _effect(session, request, key, means)
        drawn = await _draw(session, effect, request, means.now)
        if drawn is _Draw.LOST:
            continue
        if isinstance(drawn, Exhausted):
            return drawn, None
        event = event_of(
            effect,
            "effect.reserved",
            now=means.now,
            actor=request.actor,
            new_id=means.new_id,
            body={
                "business_key": key,
                "cycle": request.cycle,
                "hold_s": request.hold_s,
                "policy_hash": request.policy_hash,
                "decision_digest": request.decision_digest,
                "limits": [limit.limit_id for limit in request.limits],
                "undoes": request.undoes,
            },
        )
        return Reserved(effect.effect_id, effect.due_at), event


async def _existing(session: AsyncSession, tenant_id: str, key: str) -> AlreadyIntended | None:
    query = select(col(Effect.effect_id), col(Effect.state)).where(
        col(Effect.tenant_id) == tenant_id,
        col(Effect.business_key) == key,
        col(Effect.state).not_in([EffectState.RELEASED.value, EffectState.STOPPED.value]),
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else AlreadyIntended(row[0], EffectState(row[1]))


async def _effect(session: AsyncSession, request: EffectRequest, key: str, means: Means) -> Effect:
    effect_id = means.new_id("eff")
    body = request.body(effect_id)
    sealed: bytes | None = None
    if request.is_personal:
        assert request.subject_id is not None
        sealed = await means.vault.seal(
            session,
            tenant_id=request.tenant_id,
            subject_id=request.subject_id,
            purpose=body_purpose(effect_id),
            plaintext=body.encode(),
            now=means.now,
        )
    return Effect(
        tenant_id=request.tenant_id,
        effect_id=effect_id,
        run_id=request.run_id,
        ticket_id=request.ticket_id,
        cycle=request.cycle,
        kind=request.kind.value,
        business_key=key,
        tool=request.tool,
        charge_id=request.charge.charge_id if request.charge else None,
        item_key=request.item_key,
        customer_id=request.customer_id,
        subscription_id=request.subscription_id,
        amount_minor=request.amount.minor if request.amount else None,
        currency=request.amount.currency if request.amount else None,
        idempotency_key=means.new_key(),
        body=None if request.is_personal else body,
        sealed_body=sealed,
        subject_id=request.subject_id,
        approval_id=request.approval_id,
        policy_hash=request.policy_hash,
        decision_digest=request.decision_digest,
        ticket_stamp=request.ticket_stamp,
        charge_disputed=request.charge.is_disputed if request.charge else None,
        actor=request.actor,
        credential=request.credential,
        created_at=means.now,
        due_at=means.now + timedelta(seconds=request.hold_s),
        watched=request.watched.form() if request.watched is not None else None,
        before=dict(request.before) if request.before is not None else None,
    )


async def _draw(
    session: AsyncSession,
    effect: Effect,
    request: EffectRequest,
    now: datetime,
) -> Exhausted | _Draw:
    """Set the money aside and write the effect, or nothing at all."""
    drawing_on = CHARGE
    try:
        async with session.begin_nested():
            if request.charge is not None and request.amount is not None:
                await ledger.draw_charge(session, effect.tenant_id, request.charge.charge_id, request.amount.minor)
            await session.execute(insert(Effect).values(**effect.model_dump()))
            for key, limit in ledger.draws_of(request).items():
                drawing_on = key.limit_id
                await ledger.draw_limit(session, effect, key, limit, now)
    except IntegrityError as error:
        constraint = _constraint(error)
        if constraint == _BUSINESS_KEY:
            return _Draw.LOST
        if constraint in _CAPS:
            return Exhausted(drawing_on, f"{drawing_on!r} has no room for {request.amount}: {constraint}")
        raise
    return _Draw.WON


def _constraint(error: IntegrityError) -> str | None:
    return error.orig.diag.constraint_name if isinstance(error.orig, postgres.IntegrityError) else None


def body_purpose(effect_id: str) -> str:
    """What an effect's personal body is sealed for."""
    return f"effect/{effect_id}/body"
