"""Taking an effect to work on it: lease, fence, and the record of what may leave, committed before anything leaves.

INVARIANT: key, body, `first_sent_at` and the state `sending` are committed before the socket opens, so that no request
is ever unknown to us. Whether a request may leave at all is decided here, and once it may not, it never may again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import append_all
from graph.breakers.trips import TRIPPED, Watched, covering, told, tripped
from graph.errors import LeaseLost
from graph.settlement.changes import event_of, read_effect
from graph.settlement.models import Approval, ApprovalState, Effect, EffectKind, EffectState
from graph.settlement.performers import Sendable
from graph.settlement.reserve import body_purpose
from graph.settlement.switches import read_switch
from graph.vault import SubjectErased, Vault
from policies.vocabulary import Intent

SEND_WITHIN: Final = timedelta(hours=20)
"""How long the same key may be sent again. Stripe may forget a key after 24 hours, and then the same request is a
second refund (https://docs.stripe.com/api/idempotent_requests); four hours are left for a process that was frozen."""

CLOCK_SLACK: Final = timedelta(minutes=1)
"""How far the clocks of two machines may differ before an earlier time counts as a clock gone backwards."""


FRESH_FOR: Final = timedelta(seconds=5)
"""How long after its reservation the facts of an effect count as those of this moment."""


class Work(Enum):
    """What the holder of a claim is to do."""

    POST = auto()
    LOOK_THEN_POST = auto()  # something may have been sent: post only where it is not there
    LOOK = auto()  # nothing may be sent any more
    LOOK_WHILE_OFF = auto()  # nothing may be sent while the switch is off


@dataclass(frozen=True, slots=True)
class Claimed:
    """The effect is ours until the lease ends. Every write of ours carries `fence`."""

    effect: Effect
    sendable: Sendable
    fence: int
    work: Work


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """It is held and must not be sent: stop it. `reason` is a code."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Waited:
    """It was held so long that what it rests on must be looked at anew before it is claimed."""

    effect: Effect


@dataclass(frozen=True, slots=True)
class Unreadable:
    """It may have been sent, and its body was erased: nobody can tell by asking."""

    effect: Effect
    fence: int


@dataclass(frozen=True, slots=True)
class NotOurs:
    """Not due, under another worker's lease, or at its end."""

    state: EffectState


Claim = Claimed | Withdrawn | Waited | Unreadable | NotOurs


async def claim(  # noqa: PLR0913 - what a claim depends on, all named
    session: AsyncSession,
    tenant_id: str,
    effect_id: str,
    *,
    now: datetime,
    lease_s: float,
    looks_first: frozenset[EffectKind],
    new_id: Callable[[str], str],
    vault: Vault,
    is_rechecked: bool = False,
) -> Claim:
    """Take the effect, in the session's transaction, which must be committed before anything is sent.

    `is_rechecked` says that what it rests on was looked at a moment ago. The lease counts in database time, so that a
    changed business clock cannot break it.

    Raises:
        MissingRow: no such effect in this tenant.
        MasterKeyWithheld: the tenant's master key is withheld: nothing may leave, what is not sealed neither.
    """
    effect = await _lock(session, tenant_id, effect_id, now)
    if effect is None:
        return NotOurs(EffectState((await read_effect(session, tenant_id, effect_id)).state))
    is_held = effect.state == EffectState.HELD.value
    barrier = await _barrier(session, effect)
    if is_held and barrier is not None:
        return barrier
    await vault.see_that_it_opens(tenant_id)
    if is_held and not is_rechecked and now - effect.created_at > FRESH_FOR:
        return Waited(effect)
    fence = effect.fence + 1
    try:
        body = await body_of(session, effect, vault)
    except SubjectErased:
        if is_held:
            return Withdrawn("subject_erased", "the person was erased, so there is nobody to write to")
        await _write(session, effect, fence=fence, lease_s=lease_s)
        return Unreadable(effect, fence)
    work = _work(effect, now, is_barred=barrier is not None, looks_first=EffectKind(effect.kind) in looks_first)
    sends = work in {Work.POST, Work.LOOK_THEN_POST}
    columns: dict[str, object] = {"resolve_only": work is Work.LOOK}
    if sends:
        columns |= {
            "state": EffectState.SENDING.value if is_held else effect.state,
            "attempts": effect.attempts + 1,
            "first_sent_at": effect.first_sent_at or now,
            "last_sent_at": now,
        }
    await _write(session, effect, fence=fence, lease_s=lease_s, columns=columns)
    effect = await read_effect(session, tenant_id, effect_id)
    if sends:
        await append_all(
            session,
            tenant_id,
            [event_of(effect, "effect.sending", now=now, actor="settlement", new_id=new_id, body={"fence": fence})],
        )
    return Claimed(effect, sendable_of(effect, body), fence, work)


def _work(effect: Effect, now: datetime, *, is_barred: bool, looks_first: bool) -> Work:
    if effect.first_sent_at is None or effect.last_sent_at is None:
        return Work.POST
    too_old = now - effect.first_sent_at >= SEND_WITHIN
    went_backwards = now < effect.last_sent_at - CLOCK_SLACK
    if effect.resolve_only or too_old or went_backwards:
        return Work.LOOK
    if is_barred:
        return Work.LOOK_WHILE_OFF
    return Work.LOOK_THEN_POST if looks_first else Work.POST


async def _barrier(session: AsyncSession, effect: Effect) -> Withdrawn | None:
    """What forbids sending: the switch, or an approval that no longer holds."""
    switch = await read_switch(session, effect.tenant_id, effect.tool)
    if switch is not None:
        return Withdrawn("switched_off", f"{effect.tool} is switched off: {switch.reason}")
    if effect.approval_id is None:
        return await _breaker(session, effect)
    query = select(col(Approval.state)).where(
        col(Approval.tenant_id) == effect.tenant_id,
        col(Approval.approval_id) == effect.approval_id,
    )
    state = (await session.execute(query)).scalar_one_or_none()
    if state != ApprovalState.USED.value:
        return Withdrawn("approval_not_valid", f"approval {effect.approval_id} is {state or 'missing'}: ask again")
    return None


async def _breaker(session: AsyncSession, effect: Effect) -> Withdrawn | None:
    """The breaker that forbids sending what nobody has approved."""
    if effect.watched is None:
        return None
    breaker = covering(await tripped(session, effect.tenant_id), effect.tool, Watched.read(effect.watched))
    return None if breaker is None else Withdrawn(TRIPPED, told(breaker))


async def _lock(session: AsyncSession, tenant_id: str, effect_id: str, now: datetime) -> Effect | None:
    query = (
        select(Effect)
        .where(
            col(Effect.tenant_id) == tenant_id,
            col(Effect.effect_id) == effect_id,
            col(Effect.state).in_(["held", "sending", "unknown"]),
            col(Effect.due_at) <= now,
            text("(leased_until IS NULL OR leased_until <= clock_timestamp())"),
        )
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def _write(
    session: AsyncSession,
    effect: Effect,
    *,
    fence: int,
    lease_s: float,
    columns: dict[str, object] | None = None,
) -> None:
    until = text("clock_timestamp() + make_interval(secs => :lease_s)").bindparams(lease_s=lease_s)
    await session.execute(
        update(Effect)
        .where(col(Effect.tenant_id) == effect.tenant_id, col(Effect.effect_id) == effect.effect_id)
        .values(fence=fence, leased_until=until, **(columns or {}))
        .execution_options(synchronize_session=False),
    )


async def keep_claim(session: AsyncSession, claimed: Claimed, *, lease_s: float) -> None:
    """Renew the lease of a claim, in the session's transaction.

    Raises:
        LeaseLost: somebody else claimed it, or it has come to its end.
    """
    until = text("clock_timestamp() + make_interval(secs => :lease_s)").bindparams(lease_s=lease_s)
    kept = await session.execute(
        update(Effect)
        .where(
            col(Effect.tenant_id) == claimed.effect.tenant_id,
            col(Effect.effect_id) == claimed.effect.effect_id,
            col(Effect.fence) == claimed.fence,
            col(Effect.leased_until).is_not(None),
        )
        .values(leased_until=until)
        .returning(col(Effect.effect_id))
        .execution_options(synchronize_session=False),
    )
    if kept.scalar_one_or_none() is None:
        raise LeaseLost(f"effect {claimed.effect.effect_id!r} is not ours any more: stop")


async def body_of(session: AsyncSession, effect: Effect, vault: Vault) -> str:
    """The body as it goes over the wire, opened where it is sealed.

    Raises:
        SubjectErased: the person it was sealed for was erased.
    """
    if effect.sealed_body is None:
        assert effect.body is not None
        return effect.body
    assert effect.subject_id is not None
    opened = await vault.open(
        session,
        tenant_id=effect.tenant_id,
        subject_id=effect.subject_id,
        purpose=body_purpose(effect.effect_id),
        sealed=effect.sealed_body,
    )
    return opened.decode()


def sendable_of(effect: Effect, body: str) -> Sendable:
    """An effect as a post needs it."""
    return Sendable(
        effect_id=effect.effect_id,
        kind=EffectKind(effect.kind),
        ticket_id=effect.ticket_id,
        charge_id=effect.charge_id,
        idempotency_key=effect.idempotency_key,
        body=body,
        has_ticket_stamp=effect.ticket_stamp is not None,
        is_duplicate=(effect.watched or {}).get("intent") == Intent.DUPLICATE_CHARGE.value,
    )
