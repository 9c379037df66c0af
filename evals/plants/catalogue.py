"""The safeguards that can be taken out, each with the trial that must notice.

Taking one out replaces a function of ours, or drops a constraint, for as long as a block lasts: the product has no
switch for it. A plant does what a programmer might have written instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse, Response

from app.web import webhooks
from connectors.outcome import Unknown
from connectors.stripe import bodies
from connectors.stripe.client import StripeAdapter
from connectors.stripe.wire import RefundView
from evals.plants.trials import (
    Trial,
    a_day_later,
    approval_withdrawn,
    before_its_time,
    by_hand,
    clock_set_back,
    every_cent,
    frozen_worker,
    killed_while_sending,
    late_news,
    lost_answer,
    lost_reply,
    over_the_charge,
    over_the_day,
    repeated_error,
    switched_off,
    two_answers_at_once,
    unknown_intent,
    webhook_in_an_outage,
)
from evals.simulation.stage import Stage
from graph.intake.receive import Arrival
from graph.settlement import changes, claim, performers, reconcile, reserve, send, vendor_events
from graph.settlement.changes import Change
from graph.settlement.models import Effect, EffectKind, EffectState
from graph.settlement.performers import Performers, Sendable

Taken = Callable[[Stage], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Plant:
    """A safeguard that is missing for a while.

    Args:
        name: of the defect.
        says: what a programmer did.
        trial: what must notice.
        taken: takes it out for as long as the block lasts.
    """

    name: str
    says: str
    trial: Trial
    taken: Taken


def _replaced(owner: Any, name: str, value: object, *more: str) -> Taken:  # noqa: ANN401 - a module or a class
    """Another value under names of the product's."""

    @asynccontextmanager
    async def taken(_stage: Stage) -> AsyncIterator[None]:
        originals = {one: getattr(owner, one) for one in (name, *more)}
        for one in originals:
            setattr(owner, one, value)
        try:
            yield
        finally:
            for one, original in originals.items():
                setattr(owner, one, original)

    return taken


def _without(drop: str, restore: str) -> Taken:
    """A database without one of its constraints. What was written meanwhile is the present stage's, and goes first."""

    @asynccontextmanager
    async def taken(stage: Stage) -> AsyncIterator[None]:
        await stage.admin.execute(drop)
        try:
            yield
        finally:
            await stage.admin.execute("TRUNCATE effect, charge_ledger, reservation")
            await stage.admin.execute(restore)

    return taken


def _key_of_the_attempt(effect: Effect, body: str) -> Sendable:
    sendable = _SENDABLE(effect, body)
    return replace(sendable, idempotency_key=f"{effect.idempotency_key}-{effect.attempts}")


async def _post_then_claim(sender: send.Sender, tenant_id: str, effect_id: str) -> EffectState:
    async with sender.sessions(tenant_id) as session:
        effect = await changes.read_effect(session, tenant_id, effect_id)
    if effect.state == EffectState.HELD.value and effect.body is not None:
        performer = sender.performers[EffectKind(effect.kind)]
        await send.asyncio.to_thread(performer.post, _SENDABLE(effect, effect.body))  # type: ignore[attr-defined]
    return await _SEND(sender, tenant_id, effect_id)


def _released(effect: Effect, outcome: Unknown, now: datetime) -> Change:
    del effect, now
    return Change(EffectState.RELEASED, reason=outcome.why, detail=outcome.detail)


def _tried_again(effect: Effect, outcome: Unknown, now: datetime) -> Change:
    return _UNKNOWN(effect, replace(outcome, replayed=False), now)


async def _unfenced(session: AsyncSession, effect: Effect, change: Change, **how: Any) -> bool:  # noqa: ANN401
    return await _APPLY(session, effect, change, **{**how, "fence": None})


def _blind(_self: StripeAdapter, *_args: object) -> tuple[RefundView, ...]:
    return ()


def _posting_first(stripe: Any, zendesk: Any) -> Performers:  # noqa: ANN401 - the adapters
    known = dict(_PERFORMERS(stripe, zendesk))
    known[EffectKind.ZENDESK_UPDATE] = replace(known[EffectKind.ZENDESK_UPDATE], looks_first=False)
    return known


def _never(*_args: object, **_kwargs: object) -> None:
    return None


async def _none(*_args: object, **_kwargs: object) -> Any:  # noqa: ANN401 - stands for functions of several types
    return None


async def _nothing(*_args: object, **_kwargs: object) -> list[object]:
    return []


async def _looked_only(*_args: object, **_kwargs: object) -> vendor_events.Seen:
    return vendor_events.Seen.NOTHING_NEW


def _in_floats(form: Any) -> str:  # noqa: ANN401 - a form
    if "amount" in form:
        form = {**form, "amount": str(int(int(form["amount"]) / 100 * 100))}
    return _CANONICAL(form)


async def _acknowledged(door: webhooks.Door, tenant_id: str, arrival: Arrival) -> Response:
    del door, tenant_id
    return JSONResponse({"received": "soon", "event_id": arrival.event_id}, 202)


_SENDABLE: Final = claim.sendable_of
_UNKNOWN: Final = send._unknown  # noqa: SLF001 - plants know the inside of the product
_SEND: Final = send.send
_APPLY: Final = changes.apply
_PERFORMERS: Final = performers.performers
_CANONICAL: Final = bodies.canonical
_LONG: Final = timedelta(days=3650)

PLANTS: Final[tuple[Plant, ...]] = (
    Plant(
        "key_per_attempt",
        "each attempt has a key of its own",
        lost_answer,
        _replaced(claim, "sendable_of", _key_of_the_attempt),
    ),
    Plant(
        "send_before_commit",
        "the request leaves before key and time are committed",
        killed_while_sending,
        _replaced(send, "send", _post_then_claim),
    ),
    Plant(
        "ack_before_insert",
        "a webhook is acknowledged before its event is stored",
        webhook_in_an_outage,
        _replaced(webhooks, "_store", _acknowledged),
    ),
    Plant("release_on_timeout", "no answer counts as a no", lost_answer, _replaced(send, "_unknown", _released)),
    Plant(
        "retry_after_a_day",
        "the same key is sent however old it is",
        a_day_later,
        _replaced(claim, "SEND_WITHIN", _LONG),
    ),
    Plant(
        "trust_the_clock", "a clock that went back is believed", clock_set_back, _replaced(claim, "CLOCK_SLACK", _LONG)
    ),
    Plant(
        "ignore_replayed_500",
        "a repeated 500 is asked for again",
        repeated_error,
        _replaced(send, "_unknown", _tried_again),
    ),
    Plant(
        "search_instead_of_list",
        "what lags behind decides whether a refund is there",
        a_day_later,
        _replaced(StripeAdapter, "refunds_of", _blind, "refunds_since"),
    ),
    Plant("no_fencing", "whoever writes last is right", frozen_worker, _replaced(send, "apply", _unfenced)),
    Plant(
        "no_unique_key",
        "the index on business keys is gone",
        two_answers_at_once,
        _without(
            "DROP INDEX effect_business_key",
            "CREATE UNIQUE INDEX effect_business_key ON effect (tenant_id, business_key)"
            " WHERE state NOT IN ('released', 'stopped')",
        ),
    ),
    Plant(
        "no_charge_constraint",
        "nothing keeps a charge's sum",
        over_the_charge,
        _without(
            "ALTER TABLE charge_ledger DROP CONSTRAINT never_above_captured",
            "ALTER TABLE charge_ledger ADD CONSTRAINT never_above_captured"
            " CHECK (refunded_minor + reserved_minor <= captured_minor)",
        ),
    ),
    Plant(
        "no_cap_constraint",
        "nothing keeps a limit's cap",
        over_the_day,
        _without(
            "ALTER TABLE reservation DROP CONSTRAINT within_cap",
            "ALTER TABLE reservation ADD CONSTRAINT within_cap CHECK (cap_minor IS NULL OR used_minor <= cap_minor)",
        ),
    ),
    Plant("float_cents", "amounts pass through floats", every_cent, _replaced(bodies, "canonical", _in_floats)),
    Plant(
        "no_reconciler",
        "what only Stripe knows is never taken in",
        by_hand,
        _replaced(reconcile, "on_refund", _looked_only),
    ),
    Plant(
        "no_marker",
        "a reply is not looked for before it is written again",
        lost_reply,
        _replaced(performers, "performers", _posting_first),
    ),
    Plant(
        "no_hold", "refunds are due at once", before_its_time, _replaced(reserve, "timedelta", lambda **_: timedelta())
    ),
    Plant(
        "no_switch_at_sending",
        "the switch is read when money is set aside only",
        switched_off,
        _replaced(claim, "read_switch", _none),
    ),
    Plant(
        "no_approval_at_sending",
        "an approval is not looked at again",
        approval_withdrawn,
        _replaced(claim, "_barrier", _none),
    ),
    Plant(
        "orphans_ignored",
        "a refund that nobody intended stops nothing",
        unknown_intent,
        _replaced(vendor_events, "_switch_off", _none),
    ),
    Plant(
        "status_moves_back", "older news replace newer", late_news, _replaced(vendor_events, "_reverse", _looked_only)
    ),
    Plant(
        "hand_refunds_free",
        "refunds made by hand do not use up their charge",
        by_hand,
        _replaced(vendor_events, "_use_up_charge", _nothing),
    ),
    Plant(
        "silent_settlement", "an end is not written to the log", lost_answer, _replaced(changes, "append_all", _none)
    ),
)
