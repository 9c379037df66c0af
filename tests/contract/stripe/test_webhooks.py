from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import stripe

from connectors.errors import SignatureError
from connectors.sandbox.faults import FaultKind
from connectors.stripe import wire
from connectors.stripe.events import EventKind
from connectors.stripe.signing import verify
from connectors.stripe.transport import API_VERSION
from connectors.stripe.words import RefundStatus
from tests.contract.stripe.conftest import WEBHOOK_SECRET, Shop


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    return open_shop(webhooks=True)


async def test_a_refund_sends_refund_created_and_charge_refunded(shop: Shop) -> None:
    """https://docs.stripe.com/refunds#refund-webhooks , https://docs.stripe.com/api/events/types"""
    charge = shop.charge(2490)
    outcome = shop.refund(charge, 1000, "key-1")
    events = await shop.events()
    assert [event.kind for event in events] == [EventKind.REFUND_CREATED, EventKind.CHARGE_REFUNDED]
    assert isinstance(events[0].subject, wire.RefundView)
    assert events[0].subject == outcome.value
    assert events[0].request_id == outcome.request_id
    assert events[0].idempotency_key == "key-1"
    assert (events[0].api_version, events[0].is_live) == (API_VERSION, False)


async def test_charge_refunded_says_what_it_was_before(shop: Shop) -> None:
    """https://docs.stripe.com/api/events/object#event_object-data-previous_attributes"""
    charge = shop.charge(2490)
    shop.refund(charge, 1000, "key-1")
    shop.refund(charge, 1490, "key-2")
    partial, full = (event for event in await shop.events() if event.kind is EventKind.CHARGE_REFUNDED)
    assert dict(partial.previous) == {"amount_refunded": 0}
    assert dict(full.previous) == {"amount_refunded": 1000, "refunded": False}
    assert isinstance(full.subject, wire.ChargeView)
    assert full.subject.refundable.minor == 0


async def test_a_replayed_refund_sends_nothing_twice(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests"""
    charge = shop.charge()
    shop.refund(charge, 100, "key-1")
    shop.refund(charge, 100, "key-1")
    assert len(await shop.events()) == 2


async def test_a_refund_that_settles_later_sends_refund_updated(shop: Shop) -> None:
    """https://docs.stripe.com/testing#refunds"""
    shop.refund(shop.charge(card="4000000000007726"), 100, "key-1")
    shop.time.advance(minutes=2)
    shop.double.tick()
    event = (await shop.events())[-1]
    assert (event.kind, event.previous["status"]) == (EventKind.REFUND_UPDATED, "pending")
    assert isinstance(event.subject, wire.RefundView)
    assert event.subject.status is RefundStatus.SUCCEEDED


async def test_a_refund_that_fails_later_sends_refund_failed(shop: Shop) -> None:
    """https://docs.stripe.com/api/events/types#event_types-refund.failed"""
    shop.refund(shop.charge(card="4000000000005126"), 100, "key-1")
    shop.time.advance(minutes=2)
    shop.double.tick()
    event = (await shop.events())[-1]
    assert event.kind is EventKind.REFUND_FAILED
    assert isinstance(event.subject, wire.RefundView)
    assert event.subject.failure_reason == "expired_or_canceled_card"


async def test_disputes_and_warnings_are_announced(shop: Shop) -> None:
    """https://docs.stripe.com/disputes/responding , https://docs.stripe.com/disputes/measuring#early-fraud-warnings"""
    charge = shop.charge()
    dispute = shop.double.add_dispute(
        charge=charge, reason="fraudulent", status="needs_response", created=shop.time.now()
    )
    shop.double.add_early_fraud_warning(charge=charge, created=shop.time.now())
    shop.double.change_dispute(dispute, status="lost")
    kinds = [event.kind for event in await shop.events()]
    assert kinds == [
        EventKind.DISPUTE_CREATED,
        EventKind.EARLY_FRAUD_WARNING_CREATED,
        EventKind.DISPUTE_CLOSED,
    ]


async def test_subscriptions_announce_their_end(shop: Shop) -> None:
    """https://docs.stripe.com/billing/subscriptions/webhooks"""
    subscription = shop.subscription()
    shop.sdk.v1.subscriptions.update(subscription, {"cancel_at_period_end": True})
    assert len(await shop.events()) == 1  # delivered before a month passes
    shop.time.advance(days=31)
    shop.double.tick()
    updated, deleted = await shop.events()
    assert updated.kind is EventKind.SUBSCRIPTION_UPDATED
    assert updated.previous["cancel_at_period_end"] is False
    assert deleted.kind is EventKind.SUBSCRIPTION_DELETED


async def test_history_is_not_announced(shop: Shop) -> None:
    """https://docs.stripe.com/webhooks : what happened before the endpoint existed was sent then, or never"""
    shop.double.add_refund(charge=shop.charge(), amount_minor=100, created=shop.time.ago(days=2))
    assert await shop.events() == []


async def test_events_can_be_listed_too(shop: Shop) -> None:
    """https://docs.stripe.com/api/events/list"""
    shop.refund(shop.charge(), 100, "key-1")
    listed = shop.sdk.v1.events.list({"type": "refund.created"}).data
    assert [event.id for event in listed] == [(await shop.events())[0].event_id]


async def test_the_sdk_accepts_the_signature(shop: Shop) -> None:
    """https://docs.stripe.com/webhooks#verify-official-libraries"""
    shop.time.moment = datetime.now(UTC)
    shop.refund(shop.charge(), 100, "key-1")
    await shop.deliveries.drain()
    body, header = shop.inbox.received[0]
    event = stripe.Webhook.construct_event(body, header, WEBHOOK_SECRET)
    assert event.type == "refund.created"


async def test_a_changed_body_is_noticed(shop: Shop) -> None:
    """https://docs.stripe.com/webhooks#verify-manually"""
    shop.refund(shop.charge(), 100, "key-1")
    await shop.deliveries.drain()
    body, header = shop.inbox.received[0]
    assert json.loads(body)["data"]["object"]["amount"] == 100
    with pytest.raises(SignatureError, match="no stripe signature fits"):
        verify(body.replace(b"100", b"900"), header, secrets=(WEBHOOK_SECRET,), now=shop.time.now())


async def test_an_attempt_that_was_not_accepted_is_made_again_and_signed_anew(shop: Shop) -> None:
    """https://docs.stripe.com/webhooks#retries"""
    shop.inbox.statuses.extend([500])
    shop.refund(shop.charge(), 100, "key-1")
    ids = [event.event_id for event in await shop.events()]
    assert len(ids) == 3
    assert len(set(ids)) == 2


async def test_an_event_may_arrive_twice(shop: Shop) -> None:
    """https://docs.stripe.com/webhooks#handle-duplicate-events"""
    shop.fault("stripe.webhook", FaultKind.WEBHOOK_DUPLICATED)
    shop.refund(shop.charge(), 100, "key-1")
    ids = [event.event_id for event in await shop.events()]
    assert (len(ids), len(set(ids))) == (3, 2)


async def test_events_may_arrive_out_of_order(shop: Shop) -> None:
    """https://docs.stripe.com/webhooks#event-ordering"""
    shop.fault("stripe.webhook", FaultKind.WEBHOOK_OUT_OF_ORDER)
    shop.refund(shop.charge(), 100, "key-1")
    assert [event.kind for event in await shop.events()] == [EventKind.CHARGE_REFUNDED, EventKind.REFUND_CREATED]
