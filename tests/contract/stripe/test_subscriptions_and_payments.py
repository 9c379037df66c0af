from __future__ import annotations

from datetime import timedelta

import pytest
import stripe

from connectors.outcome import Done, Refused, Unknown
from connectors.sandbox.faults import FaultKind
from connectors.stripe.bodies import CancelWhen, cancel_payment_body, cancel_subscription_body
from connectors.stripe.words import PaymentStatus, SubscriptionStatus
from policies.money import Money
from tests.contract.stripe.conftest import Shop


def now_body(subscription: str, *, prorate: bool = False) -> str:
    return cancel_subscription_body(subscription, when=CancelWhen.NOW, intent_id="int_1", prorate=prorate)


def end_body(subscription: str) -> str:
    return cancel_subscription_body(subscription, when=CancelWhen.PERIOD_END, intent_id="int_1", prorate=False)


def test_the_billing_period_belongs_to_the_item(shop: Shop) -> None:
    """https://docs.stripe.com/changelog/basil/2025-03-31/deprecate-subscription-current-period-start-and-end"""
    customer = shop.customer()
    start = shop.time.ago(days=10)
    shop.subscription(customer=customer, current_period_start=start)
    (view,) = shop.adapter.subscriptions_of(customer)
    (item,) = view.items
    assert (item.unit_price, item.interval, item.quantity) == (Money(3000, "usd"), "month", 1)
    assert (item.current_period_start, item.current_period_end) == (start, start + timedelta(days=30))
    assert view.status is SubscriptionStatus.ACTIVE


def test_the_latest_invoice_leads_to_the_charge_of_the_period(shop: Shop) -> None:
    """https://docs.stripe.com/api/invoice-payment/object"""
    customer = shop.customer()
    charge = shop.charge(3000, customer=customer)
    shop.subscription(customer=customer, latest_charge=charge)
    (view,) = shop.adapter.subscriptions_of(customer)
    assert view.latest_payment_intent_id == shop.adapter.charge(charge).payment_intent_id


def test_cancelling_at_the_period_end_keeps_it_active_until_then(shop: Shop) -> None:
    """https://docs.stripe.com/billing/subscriptions/cancel#canceling"""
    subscription = shop.subscription()
    outcome = shop.adapter.cancel_subscription(end_body(subscription), idempotency_key="key-1")
    assert isinstance(outcome, Done)
    view = outcome.value
    assert (view.status, view.cancel_at_period_end) == (SubscriptionStatus.ACTIVE, True)
    assert view.cancel_at == view.items[0].current_period_end
    assert view.metadata["intent_id"] == "int_1"
    shop.time.advance(days=21)
    ended = shop.adapter.subscription(subscription)
    assert (ended.status, ended.ended_at) == (SubscriptionStatus.CANCELED, view.cancel_at)


def test_cancelling_now_ends_it_at_once(shop: Shop) -> None:
    """https://docs.stripe.com/api/subscriptions/cancel"""
    subscription = shop.subscription()
    outcome = shop.adapter.cancel_subscription(now_body(subscription), idempotency_key="key-1")
    assert isinstance(outcome, Done)
    assert outcome.value.status is SubscriptionStatus.CANCELED
    assert outcome.value.ended_at == shop.time.now()
    assert not shop.sdk.v1.invoice_items.list().data


def test_proration_is_a_credit_on_the_next_invoice_and_no_refund(shop: Shop) -> None:
    """https://docs.stripe.com/billing/subscriptions/prorations"""
    subscription = shop.subscription()
    shop.adapter.cancel_subscription(now_body(subscription, prorate=True), idempotency_key="key-1")
    (credit,) = shop.sdk.v1.invoice_items.list().data
    assert (credit.amount, credit.proration) == (-2000, True)
    assert shop.double.ledger() == []


def test_a_cancelled_subscription_is_not_found_a_second_time(shop: Shop) -> None:
    """https://docs.stripe.com/api/subscriptions/cancel"""
    subscription = shop.subscription()
    shop.sdk.v1.subscriptions.cancel(subscription)
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        shop.sdk.v1.subscriptions.cancel(subscription)


def test_cancelling_again_after_a_lost_answer_is_done(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests : a DELETE keeps no key"""
    subscription = shop.subscription()
    shop.fault("stripe.subscriptions.cancel", FaultKind.RESET_AFTER_EFFECT)
    body = now_body(subscription)
    assert isinstance(shop.adapter.cancel_subscription(body, idempotency_key="key-1"), Unknown)
    again = shop.adapter.cancel_subscription(body, idempotency_key="key-1")
    assert isinstance(again, Done)
    assert again.value.status is SubscriptionStatus.CANCELED


@pytest.mark.parametrize("make", [now_body, end_body])
def test_an_unknown_subscription_is_refused(shop: Shop, make: object) -> None:
    """https://docs.stripe.com/error-codes#resource-missing"""
    body = now_body("sub_nobody") if make is now_body else end_body("sub_nobody")
    outcome = shop.adapter.cancel_subscription(body, idempotency_key="key-1")
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.status) == ("resource_missing", 404)


def test_a_cancelled_subscription_cannot_be_set_to_end_later(shop: Shop) -> None:
    """https://docs.stripe.com/api/subscriptions/update"""
    subscription = shop.subscription(status="canceled")
    outcome = shop.adapter.cancel_subscription(end_body(subscription), idempotency_key="key-1")
    assert isinstance(outcome, Refused)


def test_a_list_leaves_cancelled_subscriptions_out_unless_asked(shop: Shop) -> None:
    """https://docs.stripe.com/api/subscriptions/list#list_subscriptions-status"""
    customer = shop.customer()
    active = shop.subscription(customer=customer)
    ended = shop.subscription(customer=customer, status="canceled")
    listed = shop.sdk.v1.subscriptions.list
    assert [entry.id for entry in listed({"customer": customer}).data] == [active]
    assert [entry.id for entry in listed({"customer": customer, "status": "ended"}).data] == [ended]
    assert {view.subscription_id for view in shop.adapter.subscriptions_of(customer)} == {active, ended}


def test_an_uncaptured_payment_is_not_refundable(shop: Shop) -> None:
    """https://docs.stripe.com/refunds#cancel-payment"""
    charge = shop.charge(captured=False)
    outcome = shop.refund(charge, 100, "key-1")
    assert isinstance(outcome, Refused)
    assert outcome.code == "payment_intent_unexpected_state"
    view = shop.adapter.charge(charge)
    assert (view.is_captured, view.refundable) == (False, Money(0, "usd"))


def test_cancelling_an_uncaptured_payment_releases_it(shop: Shop) -> None:
    """https://docs.stripe.com/api/payment_intents/cancel "amount_capturable is automatically refunded" """
    charge = shop.charge(2490, captured=False)
    intent = shop.adapter.charge(charge).payment_intent_id or ""
    assert shop.adapter.payment(intent).status is PaymentStatus.REQUIRES_CAPTURE
    outcome = shop.adapter.cancel_payment(cancel_payment_body(intent), idempotency_key="key-1")
    assert isinstance(outcome, Done)
    assert (outcome.value.status, outcome.value.capturable) == (PaymentStatus.CANCELED, Money(0, "usd"))
    (release,) = shop.adapter.refunds_of(charge)
    assert (release.amount, release.intent_id) == (Money(2490, "usd"), None)
    assert shop.double.ledger() == []


def test_a_payment_that_succeeded_cannot_be_cancelled(shop: Shop) -> None:
    """https://docs.stripe.com/error-codes#payment-intent-unexpected-state"""
    intent = shop.adapter.charge(shop.charge()).payment_intent_id or ""
    outcome = shop.adapter.cancel_payment(cancel_payment_body(intent), idempotency_key="key-1")
    assert isinstance(outcome, Refused)
    assert outcome.code == "payment_intent_unexpected_state"


def test_a_captured_payment_is_refundable(shop: Shop) -> None:
    """https://docs.stripe.com/api/payment_intents/capture"""
    charge = shop.charge(2490, captured=False)
    intent = shop.adapter.charge(charge).payment_intent_id or ""
    shop.sdk.v1.payment_intents.capture(intent)
    assert shop.adapter.payment(intent).status is PaymentStatus.SUCCEEDED
    assert isinstance(shop.refund(charge, 2490, "key-1"), Done)
