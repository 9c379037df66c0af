from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from time import sleep

import pytest

from connectors.errors import AccessDenied, ConnectorError, Throttled, VendorUnavailable
from connectors.outcome import Done, Refused, Unknown, WriteOutcome
from connectors.sandbox.faults import FaultKind
from connectors.stripe.bodies import CancelWhen, cancel_payment_body, cancel_subscription_body
from connectors.stripe.failures import KEY_REUSED
from graph.settlement.models import EffectKind, EffectState
from graph.settlement.performers import Performer, Sendable, VendorAnswer
from graph.settlement.requests import EffectRequest
from graph.settlement.send import backoff_s
from graph.settlement.switches import change_switch
from policies.vocabulary import Tool
from tests.graph.settlement.desk import Desk, Killed

SETTLED, UNKNOWN, HUMAN = EffectState.SETTLED, EffectState.UNKNOWN, EffectState.HUMAN
RELEASED, STOPPED, HELD = EffectState.RELEASED, EffectState.STOPPED, EffectState.HELD


async def test_a_refund_waits_out_its_hold_and_is_sent_once(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge, hold_s=600))
    assert await desk.send(effect_id) is HELD
    assert desk.ledger(charge) == []
    desk.time.advance(seconds=600)
    assert await desk.send(effect_id) is SETTLED
    assert await desk.send(effect_id) is SETTLED
    assert desk.ledger(charge) == [2_490]
    assert await desk.charge_row(charge) == (2_490, 0)
    assert await desk.kinds(effect_id) == ["effect.reserved", "effect.sending", "effect.settled"]
    effect = await desk.effect(effect_id)
    (entry,) = desk.stripe.ledger()
    assert effect.vendor_object == entry["id"]
    assert entry["idempotency_key"] == effect.idempotency_key


@pytest.mark.parametrize(
    "kind", [FaultKind.TIMEOUT_AFTER_EFFECT, FaultKind.RESET_AFTER_EFFECT, FaultKind.TRUNCATED_BODY]
)
async def test_a_lost_answer_is_asked_for_again_with_the_same_key(desk: Desk, kind: FaultKind) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    desk.fault(kind)
    assert await desk.send(effect_id) is UNKNOWN
    assert await desk.charge_row(charge) == (0, 2_490)
    assert await desk.send(effect_id) is UNKNOWN  # not due yet
    desk.time.advance(seconds=1)
    assert await desk.send(effect_id) is SETTLED
    assert desk.ledger(charge) == [2_490]


@pytest.mark.parametrize(
    "kind", [FaultKind.TIMEOUT_BEFORE_EFFECT, FaultKind.RESET_BEFORE_EFFECT, FaultKind.UNAVAILABLE]
)
async def test_a_request_that_never_arrived_is_sent_again(desk: Desk, kind: FaultKind) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    desk.fault(kind, times=2)
    for _ in range(2):
        assert await desk.send(effect_id) is UNKNOWN
        desk.time.advance(seconds=5)
    assert await desk.send(effect_id) is SETTLED
    assert desk.ledger(charge) == [2_490]


async def test_a_429_is_waited_out_as_long_as_the_vendor_asks(desk: Desk) -> None:
    effect_id = await desk.held(desk.refund(desk.charge()))
    desk.fault(FaultKind.TOO_MANY_REQUESTS, retry_after_s=37)
    assert await desk.send(effect_id) is UNKNOWN
    effect = await desk.effect(effect_id)
    assert effect.reason == "throttled"
    assert effect.due_at == desk.time.now() + timedelta(seconds=37)


def test_waiting_doubles_up_to_a_minute() -> None:
    assert [backoff_s(attempt) for attempt in (1, 2, 3, 6, 7, 5_000)] == [1, 2, 4, 32, 60, 60]


async def test_a_definite_refusal_gives_the_money_back(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge, 2_490))
    desk.stripe.add_refund(charge=charge, amount_minor=10_000, created=desk.time.now())
    assert await desk.send(effect_id) is RELEASED
    effect = await desk.effect(effect_id)
    assert effect.reason == "charge_already_refunded"
    assert await desk.charge_row(charge) == (0, 0)
    assert await desk.kinds(effect_id) == ["effect.reserved", "effect.sending", "effect.released"]


async def test_a_refusal_after_an_unknown_is_not_believed_while_the_refund_is_there(desk: Desk) -> None:
    charge = desk.charge(2_490)
    effect_id = await desk.held(desk.refund(charge, 2_490))
    desk.fault(FaultKind.TIMEOUT_AFTER_EFFECT)
    assert await desk.send(effect_id) is UNKNOWN
    desk.stripe.prune()
    desk.time.advance(seconds=1)
    assert await desk.send(effect_id) is SETTLED
    assert desk.ledger(charge) == [2_490]


async def test_a_refusal_after_an_unknown_is_believed_where_nothing_is_there(desk: Desk) -> None:
    charge = desk.charge(2_490)
    effect_id = await desk.held(desk.refund(charge, 2_490))
    desk.fault(FaultKind.TIMEOUT_BEFORE_EFFECT)
    assert await desk.send(effect_id) is UNKNOWN
    desk.stripe.add_refund(charge=charge, amount_minor=2_490, created=desk.time.now())
    desk.time.advance(seconds=1)
    assert await desk.send(effect_id) is RELEASED


async def test_a_replayed_500_stops_the_sending_and_the_list_decides(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    desk.fault(FaultKind.SERVER_ERROR)
    assert await desk.send(effect_id) is UNKNOWN
    desk.time.advance(seconds=1)
    assert await desk.send(effect_id) is UNKNOWN
    assert (await desk.effect(effect_id)).resolve_only
    desk.time.advance(seconds=2)
    assert await desk.send(effect_id) is UNKNOWN  # the list may not show yet what is on its way
    assert (await desk.effect(effect_id)).reason == "absent"
    desk.time.advance(seconds=60)
    assert await desk.send(effect_id) is HUMAN
    effect = await desk.effect(effect_id)
    assert effect.attempts == 2
    assert effect.absent_since is not None
    assert desk.ledger(charge) == []
    assert await desk.charge_row(charge) == (0, 2_490)


@pytest.mark.parametrize("hours", [20, 25, 192])
async def test_after_twenty_hours_nothing_is_sent_and_the_list_finds_the_refund(desk: Desk, hours: int) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    desk.fault(FaultKind.TIMEOUT_AFTER_EFFECT)
    assert await desk.send(effect_id) is UNKNOWN
    desk.time.advance(hours=hours)
    assert await desk.send(effect_id) is SETTLED
    assert desk.ledger(charge) == [2_490]
    assert (await desk.effect(effect_id)).attempts == 1


async def test_after_twenty_hours_an_absent_refund_goes_to_a_person(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    desk.fault(FaultKind.TIMEOUT_BEFORE_EFFECT)
    assert await desk.send(effect_id) is UNKNOWN
    desk.time.advance(hours=25)
    assert await desk.send(effect_id) is HUMAN
    assert desk.ledger(charge) == []
    assert await desk.charge_row(charge) == (0, 2_490)


async def test_where_it_is_wished_a_refund_that_two_lists_lack_is_sent_anew_once(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    key = (await desk.effect(effect_id)).idempotency_key
    desk.fault(FaultKind.TIMEOUT_BEFORE_EFFECT)
    assert await desk.send(effect_id, reissues=True) is UNKNOWN
    for hours in (21, 22):  # the last possible sending lies less than a day back
        desk.time.advance(hours=hours)
        assert await desk.send(effect_id, reissues=True) is UNKNOWN
    assert desk.ledger(charge) == []
    desk.time.advance(hours=1)
    assert await desk.send(effect_id, reissues=True) is UNKNOWN  # the first list that counts
    assert await desk.send(effect_id, reissues=True) is UNKNOWN
    desk.time.advance(hours=1)
    assert await desk.send(effect_id, reissues=True) is EffectState.HELD
    assert await desk.charge_row(charge) == (0, 2_490)
    desk.fault(FaultKind.TIMEOUT_AFTER_EFFECT)
    assert await desk.send(effect_id, reissues=True) is UNKNOWN
    desk.time.advance(hours=60)
    assert await desk.send(effect_id, reissues=True) is SETTLED
    effect = await desk.effect(effect_id)
    assert (effect.idempotency_key, effect.reissues) == (f"{key}#2", 1)
    assert desk.ledger(charge) == [2_490]


async def test_a_refund_that_is_lost_twice_goes_to_a_person(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    desk.fault(FaultKind.TIMEOUT_BEFORE_EFFECT, times=2)
    for hours, state in ((0, UNKNOWN), (45, UNKNOWN), (2, EffectState.HELD), (0, UNKNOWN), (60, HUMAN)):
        desk.time.advance(hours=hours)
        assert await desk.send(effect_id, reissues=True) is state
    assert desk.ledger(charge) == []
    assert await desk.charge_row(charge) == (0, 2_490)


async def test_a_clock_that_went_backwards_stops_the_sending_for_good(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    desk.time.advance(hours=2)
    desk.fault(FaultKind.TIMEOUT_BEFORE_EFFECT)
    with pytest.raises(Killed):
        await desk.send(effect_id, sessions=desk.dying_after(3))  # found due, looked at anew, claimed
    await desk.expire_lease(effect_id)
    desk.time.advance(hours=-1)
    assert await desk.send(effect_id) is HUMAN
    assert (await desk.effect(effect_id)).resolve_only
    assert desk.ledger(charge) == []


@pytest.mark.parametrize("sessions", ["dying_after_1", "dying_before_2", "dying_after_2", "dying_before_1"])
async def test_a_process_killed_anywhere_leaves_one_refund(desk: Desk, sessions: str) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    when, commit = sessions.rsplit("_", 1)
    dying: Callable[[int], object] = getattr(desk, when)
    with pytest.raises(Killed):
        await desk.send(effect_id, sessions=dying(int(commit)))
    await desk.expire_lease(effect_id)
    assert await desk.send(effect_id) is SETTLED
    assert desk.ledger(charge) == [2_490]
    assert await desk.charge_row(charge) == (2_490, 0)


async def test_a_claimed_effect_is_left_to_its_worker_until_the_lease_ends(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    with pytest.raises(Killed):
        await desk.send(effect_id, sessions=desk.dying_after(1))
    assert await desk.send(effect_id) is EffectState.SENDING
    assert desk.ledger(charge) == []
    await desk.expire_lease(effect_id)
    assert await desk.send(effect_id) is SETTLED


async def test_twenty_senders_at_once_send_once(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    states = await asyncio.gather(*(desk.send(effect_id) for _ in range(20)))
    assert SETTLED in states
    assert desk.ledger(charge) == [2_490]
    assert (await desk.effect(effect_id)).attempts == 1


async def test_the_late_write_of_a_frozen_worker_is_refused(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    loop = asyncio.get_running_loop()
    real = desk.performers[EffectKind.REFUND]

    def frozen(_effect: Sendable) -> WriteOutcome[VendorAnswer]:
        async def overtake() -> None:
            await desk.expire_lease(effect_id)
            assert await desk.send(effect_id) is SETTLED

        asyncio.run_coroutine_threadsafe(overtake(), loop).result()
        return Unknown("timeout", "woke up too late")

    performers = {**desk.performers, EffectKind.REFUND: replace(real, post=frozen)}
    assert await desk.send(effect_id, performers=performers) is SETTLED
    assert desk.ledger(charge) == [2_490]
    assert await desk.charge_row(charge) == (2_490, 0)
    assert "effect.unknown" not in await desk.kinds(effect_id)


async def test_a_claim_is_kept_for_as_long_as_the_vendor_takes(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    real, taken = desk.performers[EffectKind.REFUND], []
    loop = asyncio.get_running_loop()

    def slow(effect: Sendable) -> WriteOutcome[VendorAnswer]:
        for _ in range(6):
            sleep(0.2)
            taken.append(asyncio.run_coroutine_threadsafe(desk.send(effect_id), loop).result())
        return real.post(effect)

    performers = {**desk.performers, EffectKind.REFUND: replace(real, post=slow)}
    assert await desk.send(effect_id, performers=performers, lease_s=0.5) is SETTLED
    assert taken == [EffectState.SENDING] * 6, "nobody else took it, twice as long as its lease"
    assert (await desk.effect(effect_id)).attempts == 1


async def test_a_reply_that_arrives_after_another_worker_took_over_is_not_said_twice(desk: Desk) -> None:
    ticket = desk.ticket()
    effect_id = await desk.held(desk.update(ticket))
    desk.time.advance(seconds=5)
    real = desk.performers[EffectKind.ZENDESK_UPDATE]
    loop = asyncio.get_running_loop()

    def overtaken(effect: Sendable) -> WriteOutcome[VendorAnswer]:
        async def overtake() -> None:
            await desk.expire_lease(effect_id)
            assert await desk.send(effect_id) is SETTLED

        asyncio.run_coroutine_threadsafe(overtake(), loop).result()
        return real.post(effect)

    performers = {**desk.performers, EffectKind.ZENDESK_UPDATE: replace(real, post=overtaken)}
    assert await desk.send(effect_id, performers=performers) is SETTLED
    assert desk.replies(ticket) == 1


async def _switch(desk: Desk, tool: Tool, *, is_off: bool) -> None:
    async with desk.session() as session:
        await change_switch(
            session,
            tenant_id=desk.tenant,
            tool=tool.value,
            is_off=is_off,
            reason="incident 7",
            actor="p1",
            now=desk.time.now(),
            new_id=desk.new_id,
        )


async def test_a_switch_stops_a_held_effect_before_it_leaves(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    await _switch(desk, Tool.STRIPE_REFUND, is_off=True)
    assert await desk.send(effect_id) is STOPPED
    effect = await desk.effect(effect_id)
    assert effect.reason == "switched_off"
    assert effect.detail == "stripe.refund is switched off: incident 7"
    assert await desk.charge_row(charge) == (0, 0)


async def test_while_a_tool_is_off_what_may_have_happened_is_only_looked_for(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    desk.fault(FaultKind.TIMEOUT_BEFORE_EFFECT)
    assert await desk.send(effect_id) is UNKNOWN
    await _switch(desk, Tool.STRIPE_REFUND, is_off=True)
    desk.time.advance(seconds=90)
    assert await desk.send(effect_id) is UNKNOWN
    assert (await desk.effect(effect_id)).reason == "switched_off"
    assert desk.ledger(charge) == []
    await _switch(desk, Tool.STRIPE_REFUND, is_off=False)
    desk.time.advance(seconds=60)
    assert await desk.send(effect_id) is SETTLED


async def test_an_effect_whose_approval_is_not_used_is_stopped(desk: Desk) -> None:
    effect_id = await desk.held(desk.refund(desk.charge(), approval_id="apr_1"))
    assert await desk.send(effect_id) is STOPPED
    effect = await desk.effect(effect_id)
    assert (effect.reason, effect.detail) == ("approval_not_valid", "approval apr_1 is missing: ask again")


async def test_a_refund_that_came_back_at_once_is_taken_back(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    answer = VendorAnswer("re_1", "failed", came_back=True)
    assert await desk.send(effect_id, performers=_answering(Done(answer))) is EffectState.REVERSED
    assert await desk.charge_row(charge) == (0, 0)
    kinds = await desk.kinds(effect_id)
    assert kinds == ["effect.reserved", "effect.sending", "effect.settled", "effect.reversed"]


def _answering(
    outcome: WriteOutcome[VendorAnswer] | ConnectorError,
    found: VendorAnswer | ConnectorError | None = None,
) -> dict[EffectKind, Performer]:
    """A vendor that answers a post and a look like this: what no double can be brought to do."""

    def post(_effect: Sendable) -> WriteOutcome[VendorAnswer]:
        if isinstance(outcome, ConnectorError):
            raise outcome
        return outcome

    def find(_effect: Sendable) -> VendorAnswer | None:
        if isinstance(found, ConnectorError):
            raise found
        return found

    return dict.fromkeys(EffectKind, Performer(post, find))


async def test_a_key_used_with_another_body_goes_to_a_person(desk: Desk) -> None:
    effect_id = await desk.held(desk.refund(desk.charge()))
    refused = Refused(KEY_REUSED, "other parameters", 400)
    assert await desk.send(effect_id, performers=_answering(refused)) is HUMAN


async def test_a_connector_that_raises_leaves_the_outcome_unknown(desk: Desk) -> None:
    effect_id = await desk.held(desk.refund(desk.charge()))
    assert await desk.send(effect_id, performers=_answering(VendorUnavailable("no route"))) is UNKNOWN


@pytest.mark.parametrize(
    ("error", "state", "wait_s"),
    [
        (AccessDenied("no permission", status=403), HUMAN, None),
        (Throttled("slow down", retry_after_s=45), UNKNOWN, 45),
        (VendorUnavailable("later"), UNKNOWN, 1),
    ],
)
async def test_a_look_that_fails_never_settles_anything(
    desk: Desk,
    error: ConnectorError,
    state: EffectState,
    wait_s: int | None,
) -> None:
    effect_id = await desk.held(desk.refund(desk.charge()))
    replayed = Unknown("server_error", "stored", 500, replayed=True)
    assert await desk.send(effect_id, performers=_answering(replayed)) is UNKNOWN
    desk.time.advance(minutes=5)
    assert await desk.send(effect_id, performers=_answering(replayed, error)) is state
    if wait_s is not None:
        assert (await desk.effect(effect_id)).due_at == desk.time.now() + timedelta(seconds=wait_s)


async def _erase(desk: Desk) -> None:
    async with desk.session() as session:
        assert await desk.vault.erase(session, tenant_id=desk.tenant, subject_id="subject_1", now=desk.time.now())


async def test_a_held_reply_to_an_erased_person_is_stopped(desk: Desk) -> None:
    effect_id = await desk.held(desk.update(desk.ticket(), hold_s=10))
    await _erase(desk)
    desk.time.advance(seconds=10)
    assert await desk.send(effect_id) is STOPPED


async def test_a_reply_under_way_to_an_erased_person_goes_to_a_person(desk: Desk) -> None:
    effect_id = await desk.held(desk.update(desk.ticket()))
    desk.fault(FaultKind.TIMEOUT_BEFORE_EFFECT, at="zendesk.tickets.update")
    assert await desk.send(effect_id) is UNKNOWN
    await _erase(desk)
    desk.time.advance(seconds=10)
    assert await desk.send(effect_id) is HUMAN


async def test_one_update_carries_reply_tags_and_status(desk: Desk) -> None:
    ticket = desk.ticket()
    effect_id = await desk.held(desk.update(ticket))
    assert await desk.send(effect_id) is SETTLED
    assert desk.replies(ticket) == 1
    after = desk.tickets.ticket(ticket)
    assert after["status"] == "solved"
    assert after["tags"] == ["refunded"]


@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT_AFTER_EFFECT, FaultKind.TIMEOUT_BEFORE_EFFECT])
async def test_a_reply_is_looked_for_before_it_is_written_again(desk: Desk, kind: FaultKind) -> None:
    ticket = desk.ticket()
    effect_id = await desk.held(desk.update(ticket))
    desk.fault(kind, at="zendesk.tickets.update")
    assert await desk.send(effect_id) is UNKNOWN
    desk.time.advance(seconds=2)
    assert await desk.send(effect_id) is SETTLED
    assert desk.replies(ticket) == 1


async def test_an_update_of_a_ticket_that_changed_is_released_for_a_new_plan(desk: Desk) -> None:
    ticket = desk.ticket()
    request = desk.update(ticket)
    effect_id = await desk.held(request)
    desk.time.advance(seconds=5)
    desk.tickets.change_status(ticket, "pending")
    assert await desk.send(effect_id) is RELEASED
    assert (await desk.effect(effect_id)).reason == "conflict"
    again = await desk.held(desk.update(ticket))
    assert await desk.send(again) is SETTLED
    assert desk.replies(ticket) == 1


def _cancellation(desk: Desk, when: CancelWhen) -> EffectRequest:
    customer = desk.stripe.add_customer(email="ana@example.com", name="Ana Ruiz")
    subscription = desk.stripe.add_subscription(
        customer=customer,
        price_minor=3_000,
        currency="usd",
        interval="month",
        current_period_start=desk.time.now() - timedelta(days=10),
    )
    return EffectRequest(
        tenant_id=desk.tenant,
        run_id="run_1",
        ticket_id="1",
        cycle=0,
        kind=EffectKind.CANCEL_SUBSCRIPTION,
        tool=Tool.STRIPE_CANCEL_SUBSCRIPTION.value,
        actor="agent",
        subscription_id=subscription,
        body=lambda effect_id: cancel_subscription_body(subscription, when=when, intent_id=effect_id, prorate=False),
    )


@pytest.mark.parametrize("when", list(CancelWhen))
@pytest.mark.parametrize("kind", [None, FaultKind.TIMEOUT_AFTER_EFFECT, FaultKind.TIMEOUT_BEFORE_EFFECT])
async def test_a_subscription_is_cancelled_whatever_happens_to_the_answer(
    desk: Desk,
    when: CancelWhen,
    kind: FaultKind | None,
) -> None:
    effect_id = await desk.held(_cancellation(desk, when))
    if kind is not None:
        desk.fault(kind, at="stripe.subscriptions.*")
        assert await desk.send(effect_id) is UNKNOWN
        desk.time.advance(seconds=2)
    assert await desk.send(effect_id) is SETTLED
    effect = await desk.effect(effect_id)
    assert effect.subscription_id is not None
    view = desk.adapter.subscription(effect.subscription_id)
    assert view.cancel_at_period_end is (when is CancelWhen.PERIOD_END)


@pytest.mark.parametrize("when", list(CancelWhen))
@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT_AFTER_EFFECT, FaultKind.TIMEOUT_BEFORE_EFFECT])
async def test_a_day_later_the_subscription_itself_says_whether_it_was_cancelled(
    desk: Desk,
    when: CancelWhen,
    kind: FaultKind,
) -> None:
    effect_id = await desk.held(_cancellation(desk, when))
    desk.fault(kind, at="stripe.subscriptions.*")
    assert await desk.send(effect_id) is UNKNOWN
    desk.time.advance(hours=25)
    assert await desk.send(effect_id) is (SETTLED if kind is FaultKind.TIMEOUT_AFTER_EFFECT else HUMAN)


@pytest.mark.parametrize("kind", [None, FaultKind.TIMEOUT_AFTER_EFFECT, FaultKind.TIMEOUT_BEFORE_EFFECT])
@pytest.mark.parametrize("hours", [0, 25])
async def test_an_uncaptured_payment_is_cancelled_and_not_refunded(
    desk: Desk,
    kind: FaultKind | None,
    hours: int,
) -> None:
    charge = desk.charge(captured=False)
    payment = desk.adapter.charge(charge).payment_intent_id
    assert payment is not None
    request = EffectRequest(
        tenant_id=desk.tenant,
        run_id="run_1",
        ticket_id="1",
        cycle=0,
        kind=EffectKind.CANCEL_PAYMENT,
        tool=Tool.STRIPE_CANCEL_PAYMENT.value,
        actor="agent",
        payment_id=payment,
        body=lambda _effect_id: cancel_payment_body(payment),
    )
    effect_id = await desk.held(request)
    if kind is not None:
        desk.fault(kind, at="stripe.payment_intents.cancel")
        assert await desk.send(effect_id) is UNKNOWN
        desk.time.advance(hours=hours, seconds=2)
    is_lost = kind is FaultKind.TIMEOUT_BEFORE_EFFECT and hours
    assert await desk.send(effect_id) is (HUMAN if is_lost else SETTLED)
    assert desk.ledger(charge) == []
