"""Sending an effect: claim and commit, post outside any transaction, classify, and record the end in one transaction.

Safe to call at any time by anybody, again and again: a node, a worker, the reconciler. A call that dies at any point
leaves an effect that the next call takes further with the same key and the same bytes. An unknown outcome never gives
the money back and never makes a new key; where asking cannot tell what happened, a person must.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from sqlalchemy.ext.asyncio import AsyncSession

from connectors.errors import ConnectorError, Throttled, VendorRefused
from connectors.outcome import Done, Refused, Unknown, WriteOutcome
from connectors.stripe.failures import KEY_REUSED
from graph.keeping import renewed
from graph.settlement.changes import Change, apply, read_effect
from graph.settlement.claim import (
    SEND_WITHIN,
    Claim,
    Claimed,
    NotOurs,
    Unreadable,
    Waited,
    Withdrawn,
    Work,
    claim,
    keep_claim,
    sendable_of,
)
from graph.settlement.models import Effect, EffectKind, EffectState
from graph.settlement.performers import Performer, Performers, VendorAnswer
from graph.settlement.recheck import come_back, differs, put_off, read_present
from graph.settlement.stop import stop
from graph.tracing import in_run
from graph.vault import MasterKeyWithheld, Vault

Sessions = Callable[[str], AbstractAsyncContextManager[AsyncSession]]
"""Opens one transaction as a tenant; it commits when the block ends and rolls back when it raises."""

ACTOR: Final = "settlement"
LEASE_S: Final = 3.0
"""Renewed while the vendor is waited for, so that only a killed or frozen worker's ends. Who takes over sends the same
key and bytes, or, where Zendesk has no key, looks first and is then held back by the ticket's stamp."""

LONGEST_WAIT_S: Final = 60.0
KEY_AGAIN_AFTER: Final = timedelta(minutes=1)
WITHHELD: Final = "waits for the tenant's master key, which is withheld: nothing leaves until it is given out"
LISTS_SETTLE: Final = timedelta(minutes=1)
"""How long after the last send an empty list is not yet believed: the request may still be on its way."""


REISSUE_AFTER: Final = timedelta(hours=24)
"""How long after the last moment at which it can have been sent a list that does not have it counts."""
BETWEEN_LISTS: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sender:
    """What sending needs. `now` is called anew at each step, because a post takes time."""

    sessions: Sessions
    performers: Performers
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    vault: Vault
    lease_s: float = LEASE_S
    reissues: bool = False
    """Whether a refund that Stripe definitely never had is sent anew under another key, or left to a person."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """A look that did not come back; look again."""

    why: str
    detail: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class NeverTells:
    """The vendor refuses to say: a person must find out."""

    detail: str


Sighting = VendorAnswer | CannotTell | NeverTells | None
"""None is a complete look that found nothing."""


async def send(sender: Sender, tenant_id: str, effect_id: str, *, is_rechecked: bool = False) -> EffectState:
    """Take an effect as far as it goes now; how it stands afterwards.

    An effect that is not due, is another worker's, or has ended is left alone. `is_rechecked` says that what it rests
    on was looked at a moment ago.

    Raises:
        MissingRow: no such effect in this tenant.
    """
    try:
        claimed = await _claim(sender, tenant_id, effect_id, is_rechecked=is_rechecked)
    except MasterKeyWithheld:
        return await _wait_for_key(sender, tenant_id, effect_id)
    match claimed:
        case NotOurs(state):
            return state
        case Withdrawn():
            return await _stop(sender, tenant_id, effect_id, claimed)
        case Unreadable(effect, fence):
            change = Change(
                EffectState.HUMAN, reason="subject_erased", detail="the body was erased: look at the vendor"
            )
            return await _record(sender, effect, fence, change)
        case Waited(effect):
            stands = await recheck(sender, effect)
            return await send(sender, tenant_id, effect_id, is_rechecked=True) if stands is None else stands
        case Claimed():
            return await _work(sender, claimed)
        case _:
            assert_never(claimed)


async def _claim(sender: Sender, tenant_id: str, effect_id: str, *, is_rechecked: bool) -> Claim:
    async with sender.sessions(tenant_id) as session:
        return await claim(
            session,
            tenant_id,
            effect_id,
            now=sender.now(),
            lease_s=sender.lease_s,
            looks_first=frozenset(kind for kind, performer in sender.performers.items() if performer.looks_first),
            new_id=sender.new_id,
            vault=sender.vault,
            is_rechecked=is_rechecked,
        )


async def _wait_for_key(sender: Sender, tenant_id: str, effect_id: str) -> EffectState:
    """The master key is withheld: leave the effect as it is, and come back to it for as long as it takes."""
    async with sender.sessions(tenant_id) as session:
        effect = await read_effect(session, tenant_id, effect_id)
        await come_back(session, effect, sender.now(), after=KEY_AGAIN_AFTER, detail=WITHHELD)
    return EffectState(effect.state)


async def recheck(sender: Sender, effect: Effect) -> EffectState | None:
    """Read anew what a held effect rests on, and stop it where that changed; None where it may be sent.

    Where the vendors cannot be read, one that is due is put off.
    """
    performer = sender.performers[EffectKind(effect.kind)]
    present = await read_present(performer, sendable_of(effect, ""))
    if isinstance(present, Withdrawn):
        return await _stop(sender, effect.tenant_id, effect.effect_id, present)
    async with sender.sessions(effect.tenant_id) as session:
        if present is None:
            withdrawn = await put_off(session, effect, sender.now())
            if withdrawn is None:
                return EffectState(effect.state)
        else:
            withdrawn = await differs(session, effect, present)
    return None if withdrawn is None else await _stop(sender, effect.tenant_id, effect.effect_id, withdrawn)


async def _work(sender: Sender, claimed: Claimed) -> EffectState:
    effect = claimed.effect
    about = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": effect.tool, "gen_ai.tool.type": "extension"}
    with in_run(effect.run_id, f"execute_tool {effect.tool}", **about, **{"countersign.effect_id": effect.effect_id}):
        async with renewed(lambda: _keep(sender, claimed), lease_s=sender.lease_s):
            changes = await _asked(sender, claimed)
        return await _record_all(sender, claimed, changes)


async def _keep(sender: Sender, claimed: Claimed) -> None:
    async with sender.sessions(claimed.effect.tenant_id) as session:
        await keep_claim(session, claimed, lease_s=sender.lease_s)


async def _asked(sender: Sender, claimed: Claimed) -> tuple[Change, ...]:
    """Look or post as the claim says; what follows for the effect."""
    performer = sender.performers[claimed.sendable.kind]
    if claimed.work is not Work.POST:
        sighting = await _look(performer, claimed)
        if sighting is not None or claimed.work is not Work.LOOK_THEN_POST:
            return _after_look(sender, claimed, sighting)
    outcome = await asyncio.to_thread(_post, performer, claimed)
    match outcome:
        case Done(answer):
            return _happened(answer)
        case Unknown():
            return (_unknown(claimed.effect, outcome, sender.now()),)
        case Refused() if claimed.effect.attempts == 1 and outcome.code != KEY_REUSED:
            return (_released(outcome),)
        case Refused():
            # An earlier request may be what this one collides with.
            return _after_refusal(sender, claimed, outcome, await _look(performer, claimed))
        case _:
            assert_never(outcome)


def _post(performer: Performer, claimed: Claimed) -> WriteOutcome[VendorAnswer]:
    try:
        return performer.post(claimed.sendable)
    except ConnectorError as error:
        # Whether the request had left cannot be told from here.
        return Unknown(why="connection", detail=str(error))


async def _look(performer: Performer, claimed: Claimed) -> Sighting:
    try:
        return await asyncio.to_thread(performer.find, claimed.sendable)
    except VendorRefused as error:
        return NeverTells(str(error))
    except Throttled as error:
        return CannotTell("throttled", str(error), error.retry_after_s)
    except ConnectorError as error:
        return CannotTell("unavailable", str(error))


def _happened(answer: VendorAnswer) -> tuple[Change, ...]:
    columns = {"vendor_object": answer.vendor_object, "vendor_status": answer.vendor_status}
    settled = Change(EffectState.SETTLED, columns=columns)
    if not answer.came_back:
        return (settled,)
    reversed_ = Change(
        EffectState.REVERSED, reason=answer.vendor_status, detail="the refund failed: a person must look"
    )
    return (settled, reversed_)


def _released(refusal: Refused) -> Change:
    return Change(EffectState.RELEASED, reason=refusal.code, detail=refusal.detail)


def _unknown(effect: Effect, outcome: Unknown, now: datetime) -> Change:
    wait_s = max(backoff_s(effect.attempts), outcome.retry_after_s or 0.0)
    return Change(
        EffectState.UNKNOWN,
        reason=outcome.why,
        detail=outcome.detail,
        # A repeated 500 is repeated for as long as the key lives: asking again with it cannot help.
        columns={"due_at": now + timedelta(seconds=wait_s), "resolve_only": outcome.replayed},
    )


def _after_look(sender: Sender, claimed: Claimed, sighting: Sighting) -> tuple[Change, ...]:
    """What a look means where nothing may be sent, or where it found something or could not tell."""
    match sighting:
        case VendorAnswer():
            return _happened(sighting)
        case CannotTell():
            return (_look_again(claimed, sighting, sender.now()),)
        case NeverTells(detail):
            return (Change(EffectState.HUMAN, reason="not_told", detail=detail),)
        case None:
            return (_absent(sender, claimed),)
        case _:
            assert_never(sighting)


def _absent(sender: Sender, claimed: Claimed) -> Change:
    now = sender.now()
    columns = {"absent_since": claimed.effect.absent_since or now}
    settles_at = (claimed.effect.last_sent_at or now) + LISTS_SETTLE
    if claimed.work is Work.LOOK_WHILE_OFF:
        due = {"due_at": now + timedelta(seconds=LONGEST_WAIT_S)}
        return Change(EffectState.UNKNOWN, reason="switched_off", detail="waits for its switch", columns=columns | due)
    if now < settles_at <= now + LISTS_SETTLE:
        due = {"due_at": settles_at}
        return Change(EffectState.UNKNOWN, reason="absent", detail="not there yet", columns=columns | due)
    if sender.reissues and claimed.effect.kind == EffectKind.REFUND.value and claimed.effect.reissues == 0:
        return _reissue(claimed.effect, now)
    detail = "sent, unanswered and not at the vendor: a person must decide, because a late effect cannot be ruled out"
    return Change(EffectState.HUMAN, reason="absent", detail=detail, columns=columns)


def _reissue(effect: Effect, now: datetime) -> Change:
    """Send it anew under another key, once two complete lists from long after its last possible sending lack it."""
    assert effect.first_sent_at is not None
    assert effect.last_sent_at is not None
    counts_from = max(effect.last_sent_at, effect.first_sent_at + SEND_WITHIN) + REISSUE_AFTER
    if effect.absent_since is None or effect.absent_since < counts_from:
        columns = {"absent_since": now, "due_at": max(counts_from, now + BETWEEN_LISTS)}
        detail = "looked for once more before it is sent anew"
        return Change(EffectState.UNKNOWN, reason="absent", detail=detail, columns=columns)
    return Change(
        EffectState.HELD,
        reason="reissued",
        detail="absent from two complete lists: sent anew under another key",
        columns={
            "idempotency_key": f"{effect.idempotency_key}#2",
            "reissues": 1,
            "first_sent_at": None,
            "last_sent_at": None,
            "absent_since": None,
            "resolve_only": False,
            "attempts": 0,
            "due_at": now,
        },
    )


def _after_refusal(
    sender: Sender,
    claimed: Claimed,
    refusal: Refused,
    sighting: Sighting,
) -> tuple[Change, ...]:
    if sighting is not None:
        return _after_look(sender, claimed, sighting)
    if refusal.code == KEY_REUSED:
        detail = "the key was used with another body: a person must look"
        return (Change(EffectState.HUMAN, reason=refusal.code, detail=detail),)
    return (_released(refusal),)


def _look_again(claimed: Claimed, sighting: CannotTell, now: datetime) -> Change:
    wait_s = max(backoff_s(max(claimed.effect.attempts, 1)), sighting.retry_after_s or 0.0)
    due = {"due_at": now + timedelta(seconds=wait_s)}
    return Change(EffectState.UNKNOWN, reason=sighting.why, detail=sighting.detail, columns=due)


def backoff_s(attempts: int) -> float:
    """Seconds to wait after so many attempts: 1, 2, 4 and so on up to 60."""
    return min(2.0 ** min(attempts - 1, 16), LONGEST_WAIT_S)


async def _stop(sender: Sender, tenant_id: str, effect_id: str, withdrawn: Withdrawn) -> EffectState:
    async with sender.sessions(tenant_id) as session:
        return await stop(
            session,
            tenant_id,
            effect_id,
            reason=withdrawn.reason,
            detail=withdrawn.detail,
            actor=ACTOR,
            now=sender.now(),
            new_id=sender.new_id,
        )


async def _record_all(sender: Sender, claimed: Claimed, changes: tuple[Change, ...]) -> EffectState:
    return await _record(sender, claimed.effect, claimed.fence, *changes)


async def _record(sender: Sender, effect: Effect, fence: int, *changes: Change) -> EffectState:
    """Write the end in one transaction, under our fence; a newer claim's truth stands."""
    async with sender.sessions(effect.tenant_id) as session:
        for change in changes:
            await apply(session, effect, change, now=sender.now(), actor=ACTOR, new_id=sender.new_id, fence=fence)
        return EffectState((await read_effect(session, effect.tenant_id, effect.effect_id)).state)
