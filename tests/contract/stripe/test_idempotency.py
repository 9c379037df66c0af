from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import stripe

from connectors.outcome import Done, Refused, Unknown
from connectors.sandbox.faults import FaultKind
from connectors.stripe.bodies import refund_body
from connectors.stripe.client import StripeAdapter
from connectors.stripe.failures import KEY_REUSED
from policies.money import Money
from tests.contract.stripe.conftest import SECRET_KEY, Shop


def test_the_same_key_gives_the_same_answer_once(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests"""
    charge = shop.charge(2490)
    first, second = shop.refund(charge, 1000, "key-1"), shop.refund(charge, 1000, "key-1")
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert first.value == second.value
    assert len(shop.double.ledger()) == 1


def test_a_repeated_answer_says_so_and_names_the_original(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests , header Idempotent-Replayed"""
    charge = shop.charge()
    options: stripe.RequestOptions = {"idempotency_key": "key-1"}
    responses = [shop.sdk.v1.refunds.create({"charge": charge}, options).last_response for _ in range(2)]
    first, second = (response.headers for response in responses if response is not None)
    assert "idempotent-replayed" not in first
    assert second["idempotent-replayed"] == "true"
    assert second["original-request"] == first["request-id"]
    assert second["idempotency-key"] == "key-1"


def test_another_amount_under_the_same_key_is_an_error(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests "compares incoming parameters" """
    charge = shop.charge(2490)
    shop.refund(charge, 1000, "key-1")
    outcome = shop.refund(charge, 1001, "key-1")
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.status) == (KEY_REUSED, 400)
    assert len(shop.double.ledger()) == 1


def test_another_endpoint_under_the_same_key_is_an_error(shop: Shop) -> None:
    """https://docs.stripe.com/api/errors#errors-type , idempotency_error"""
    charge = shop.charge()
    shop.refund(charge, 100, "key-1")
    intent = shop.adapter.charge(charge).payment_intent_id or ""
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        shop.sdk.v1.payment_intents.cancel(intent, options={"idempotency_key": "key-1"})


def test_two_keys_are_two_refunds(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests : only the key tells a retry from a second request"""
    charge = shop.charge(2490)
    shop.refund(charge, 1000, "key-1")
    shop.refund(charge, 1000, "key-2")
    assert [row["amount_minor"] for row in shop.double.ledger()] == [1000, 1000]


def test_a_stored_500_is_replayed(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests "Subsequent requests with the same key return the same result,
    including 500 errors." """
    charge = shop.charge()
    shop.fault("stripe.refunds.create", FaultKind.SERVER_ERROR)
    first, second = shop.refund(charge, 100, "key-1"), shop.refund(charge, 100, "key-1")
    assert isinstance(first, Unknown)
    assert isinstance(second, Unknown)
    assert (first.status, first.why, first.replayed) == (500, "server_error", False)
    assert (second.status, second.why, second.replayed) == (500, "server_error", True)
    assert isinstance(shop.refund(charge, 100, "key-2"), Done)


def test_a_refusal_by_the_charge_is_stored_too(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests "regardless of whether it succeeds or fails" """
    charge = shop.charge(500, card="4000000000005126")
    shop.refund(charge, 500, "key-1")
    refused = shop.refund(charge, 500, "key-2")
    shop.time.advance(minutes=2)
    assert shop.adapter.charge(charge).refundable == Money(500, "usd")
    assert isinstance(refused, Refused)
    assert isinstance(shop.refund(charge, 500, "key-2"), Refused)


def test_a_failed_validation_is_not_stored(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests "If incoming parameters fail validation ... we don't save" """
    charge = shop.charge()
    options: stripe.RequestOptions = {"idempotency_key": "key-1"}
    with pytest.raises(stripe.InvalidRequestError):
        shop.sdk.v1.refunds.create({"charge": charge, "amount": 0}, options)
    assert shop.sdk.v1.refunds.create({"charge": charge, "amount": 100}, options).amount == 100


def test_a_rate_limited_request_is_not_stored(shop: Shop) -> None:
    """https://docs.stripe.com/error-low-level : "rate limiters run before the API's idempotency layer" """
    charge = shop.charge()
    shop.fault("stripe.refunds.create", FaultKind.TOO_MANY_REQUESTS, retry_after_s=3)
    throttled = shop.refund(charge, 100, "key-1")
    assert isinstance(throttled, Unknown)
    assert (throttled.why, throttled.status, throttled.retry_after_s) == ("throttled", 429, 3.0)
    assert isinstance(shop.refund(charge, 100, "key-1"), Done)


def test_a_second_request_in_flight_is_a_conflict(shop: Shop) -> None:
    """https://docs.stripe.com/error-codes#idempotency-key-in-use"""
    charge = shop.charge()
    shop.fault("stripe.refunds.create", FaultKind.TIMEOUT_BEFORE_EFFECT, delay_s=1.0)
    struck = threading.Thread(target=shop.refund, args=(charge, 100, "key-1"))
    struck.start()
    while not shop.faults.struck:
        struck.join(0.01)
    struck.join(0.1)
    second = shop.refund(charge, 100, "key-1")
    struck.join()
    assert isinstance(second, Unknown)
    assert (second.why, second.status) == ("conflict", 409)
    assert isinstance(shop.refund(charge, 100, "key-1"), Done)
    assert len(shop.double.ledger()) == 1


def test_a_key_is_pruned_after_24_hours_and_then_refunds_again(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests "We generate a new request if a key is reused after the original
    is pruned." """
    charge = shop.charge(2490)
    shop.refund(charge, 1000, "key-1")
    shop.time.advance(hours=23, minutes=59)
    shop.refund(charge, 1000, "key-1")
    assert len(shop.double.ledger()) == 1
    shop.time.advance(minutes=1)
    shop.refund(charge, 1000, "key-1")
    assert len(shop.double.ledger()) == 2


def test_a_pruned_key_may_be_used_for_something_else(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests"""
    charge = shop.charge(2490)
    shop.refund(charge, 1000, "key-1")
    shop.double.prune()
    assert isinstance(shop.refund(charge, 700, "key-1"), Done)


def test_a_key_has_at_most_255_characters(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests"""
    options: stripe.RequestOptions = {"idempotency_key": "k" * 256}
    with pytest.raises(stripe.IdempotencyError):
        shop.sdk.v1.refunds.create({"charge": shop.charge()}, options)


def test_keys_belong_to_an_account(shop: Shop) -> None:
    """https://docs.stripe.com/connect/authentication , header Stripe-Account"""
    charge = shop.charge(2490)
    shop.refund(charge, 1000, "key-1")
    elsewhere = StripeAdapter(SECRET_KEY, base_url=shop.url, account="acct_other", timeout_s=5.0)
    body = refund_body(charge, Money(1001, "usd"), intent_id="int_1")
    assert isinstance(elsewhere.create_refund(body, idempotency_key="key-1"), Done)
    elsewhere.close()


def test_a_key_has_no_effect_on_a_get(shop: Shop) -> None:
    """https://docs.stripe.com/api/idempotent_requests "Don't send idempotency keys in GET and DELETE requests" """
    one, two = shop.charge(), shop.charge()
    options: stripe.RequestOptions = {"idempotency_key": "key-1"}
    assert shop.sdk.v1.charges.retrieve(one, options=options).id == one
    assert shop.sdk.v1.charges.retrieve(two, options=options).id == two


@pytest.mark.parametrize(
    ("kind", "refunds"),
    [
        (FaultKind.RESET_BEFORE_EFFECT, 0),
        (FaultKind.RESET_AFTER_EFFECT, 1),
        (FaultKind.TRUNCATED_BODY, 1),
    ],
)
def test_a_broken_connection_is_unknown_and_the_same_key_finds_out(shop: Shop, kind: FaultKind, refunds: int) -> None:
    """https://docs.stripe.com/error-low-level#idempotency"""
    charge = shop.charge()
    shop.fault("stripe.refunds.create", kind)
    lost = shop.refund(charge, 100, "key-1")
    assert isinstance(lost, Unknown)
    assert lost.why == ("unreadable" if kind is FaultKind.TRUNCATED_BODY else "connection")
    assert len(shop.double.ledger()) == refunds
    assert isinstance(shop.refund(charge, 100, "key-1"), Done)
    assert len(shop.double.ledger()) == 1


@pytest.mark.parametrize(
    ("kind", "refunds"), [(FaultKind.TIMEOUT_BEFORE_EFFECT, 0), (FaultKind.TIMEOUT_AFTER_EFFECT, 1)]
)
def test_a_timeout_is_unknown_whether_or_not_it_had_its_effect(
    open_shop: Callable[..., Shop], kind: FaultKind, refunds: int
) -> None:
    """https://docs.stripe.com/error-low-level#network-errors"""
    shop = open_shop(timeout_s=0.3)
    charge = shop.charge()
    shop.fault("stripe.refunds.create", kind)
    lost = shop.refund(charge, 100, "key-1")
    assert isinstance(lost, Unknown)
    assert (lost.why, lost.status) == ("timeout", None)
    assert len(shop.double.ledger()) == refunds


def test_an_unavailable_service_is_unknown_and_not_stored(shop: Shop) -> None:
    """https://docs.stripe.com/api/errors , 503"""
    charge = shop.charge()
    shop.fault("stripe.refunds.create", FaultKind.UNAVAILABLE)
    lost = shop.refund(charge, 100, "key-1")
    assert isinstance(lost, Unknown)
    assert (lost.why, lost.status, lost.replayed) == ("server_error", 503, False)
    assert isinstance(shop.refund(charge, 100, "key-1"), Done)
