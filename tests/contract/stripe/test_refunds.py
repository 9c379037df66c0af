from __future__ import annotations

from typing import cast

import pytest
import stripe
from stripe.params import RefundCreateParams

from connectors.outcome import Done, Refused
from connectors.stripe.words import RefundStatus
from policies.money import Money
from tests.contract.stripe.conftest import Shop


def test_a_card_refund_succeeds_at_once(shop: Shop) -> None:
    """https://docs.stripe.com/api/refunds/create"""
    charge = shop.charge(2490)
    outcome = shop.refund(charge, 2490, "key-1")
    assert isinstance(outcome, Done)
    assert outcome.value.status is RefundStatus.SUCCEEDED
    assert outcome.value.amount == Money(2490, "usd")
    assert outcome.value.charge_id == charge
    assert outcome.request_id is not None


def test_a_partial_refund_leaves_the_rest(shop: Shop) -> None:
    """https://docs.stripe.com/refunds#issuing"""
    charge = shop.charge(2490)
    shop.refund(charge, 1000, "key-1")
    view = shop.adapter.charge(charge)
    assert (view.refunded, view.refundable) == (Money(1000, "usd"), Money(1490, "usd"))


def test_several_partial_refunds_may_add_up_to_the_charge(shop: Shop) -> None:
    """https://docs.stripe.com/api/refunds/create "multiple times, until the entire charge has been refunded" """
    charge = shop.charge(2490)
    for number, amount in enumerate((1000, 1000, 490)):
        assert isinstance(shop.refund(charge, amount, f"key-{number}"), Done)
    assert shop.adapter.charge(charge).refundable == Money(0, "usd")
    assert sum(row["amount_minor"] for row in shop.double.ledger()) == 2490


@pytest.mark.parametrize(("asked", "outcome_is"), [(1489, Done), (1490, Done), (1491, Refused)])
def test_no_more_than_the_remaining_amount_is_refunded(shop: Shop, asked: int, outcome_is: type[object]) -> None:
    """https://docs.stripe.com/api/refunds/create "an error ... when trying to refund more money than is left" """
    charge = shop.charge(2490)
    shop.refund(charge, 1000, "key-1")
    outcome = shop.refund(charge, asked, "key-2")
    assert type(outcome) is outcome_is
    if isinstance(outcome, Refused):
        assert outcome.status == 400
        assert "greater than unrefunded amount on charge" in outcome.detail


def test_a_fully_refunded_charge_cannot_be_refunded_again(shop: Shop) -> None:
    """https://docs.stripe.com/error-codes#charge-already-refunded"""
    charge = shop.charge(2490)
    shop.refund(charge, 2490, "key-1")
    outcome = shop.refund(charge, 1, "key-2")
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.status) == ("charge_already_refunded", 400)


def test_a_refund_without_an_amount_takes_all_that_is_left(shop: Shop) -> None:
    """https://docs.stripe.com/api/refunds/create#create_refund-amount"""
    charge = shop.charge(2490)
    shop.refund(charge, 490, "key-1")
    assert shop.sdk.v1.refunds.create({"charge": charge}).amount == 2000


def test_a_payment_intent_names_its_latest_charge(shop: Shop) -> None:
    """https://docs.stripe.com/api/refunds/create#create_refund-payment_intent"""
    charge = shop.charge(2490)
    intent = shop.adapter.charge(charge).payment_intent_id
    assert intent is not None
    refund = shop.sdk.v1.refunds.create({"payment_intent": intent, "amount": 90})
    assert (refund.charge, refund.payment_intent) == (charge, intent)


def test_charge_and_payment_intent_exclude_each_other(shop: Shop) -> None:
    """https://docs.stripe.com/api/refunds/create"""
    charge = shop.charge()
    intent = shop.adapter.charge(charge).payment_intent_id or ""
    with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
        shop.sdk.v1.refunds.create({"charge": charge, "payment_intent": intent})


def test_a_refund_of_nothing_misses_a_parameter(shop: Shop) -> None:
    """https://docs.stripe.com/error-codes#parameter-missing"""
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.sdk.v1.refunds.create({})
    assert caught.value.code == "parameter_missing"


@pytest.mark.parametrize("amount", [0, -5])
def test_an_amount_must_be_positive(shop: Shop, amount: int) -> None:
    """https://docs.stripe.com/error-codes#parameter-invalid-integer"""
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.sdk.v1.refunds.create({"charge": shop.charge(), "amount": amount})
    assert (caught.value.code, caught.value.param) == ("parameter_invalid_integer", "amount")


def test_an_amount_must_be_an_integer_of_minor_units(shop: Shop) -> None:
    """https://docs.stripe.com/currencies#minor-units"""
    with pytest.raises(stripe.InvalidRequestError, match="Invalid integer"):
        shop.sdk.v1.refunds.create(cast("RefundCreateParams", {"charge": shop.charge(), "amount": "24.90"}))


def test_a_reason_is_one_of_three_words(shop: Shop) -> None:
    """https://docs.stripe.com/api/refunds/create#create_refund-reason"""
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.sdk.v1.refunds.create({"charge": shop.charge(), "reason": "damaged"})
    assert caught.value.param == "reason"


def test_the_reason_fraudulent_marks_the_charge(shop: Shop) -> None:
    """https://docs.stripe.com/api/charges/object#charge_object-fraud_details"""
    charge = shop.charge()
    shop.sdk.v1.refunds.create({"charge": charge, "reason": "fraudulent"})
    details = shop.sdk.v1.charges.retrieve(charge).fraud_details
    assert details is not None
    assert details["user_report"] == "fraudulent"


def test_an_unknown_parameter_is_refused(shop: Shop) -> None:
    """https://docs.stripe.com/error-codes#parameter-unknown"""
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.sdk.v1.refunds.create(cast("RefundCreateParams", {"charge": shop.charge(), "ticket": "7"}))
    assert caught.value.code == "parameter_unknown"


def test_an_unknown_charge_is_a_missing_resource(shop: Shop) -> None:
    """https://docs.stripe.com/error-codes#resource-missing"""
    outcome = shop.refund("ch_nobody", 100, "key-1")
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.status) == ("resource_missing", 404)


def test_a_pending_card_settles_some_time_later(shop: Shop) -> None:
    """https://docs.stripe.com/testing#refunds , card 4000000000007726"""
    charge = shop.charge(card="4000000000007726")
    outcome = shop.refund(charge, 500, "key-1")
    assert isinstance(outcome, Done)
    assert outcome.value.status is RefundStatus.PENDING
    assert outcome.value.pending_reason == "processing"
    shop.time.advance(minutes=2)
    settled = shop.adapter.refund(outcome.value.refund_id)
    assert (settled.status, settled.pending_reason) == (RefundStatus.SUCCEEDED, None)


def test_a_pending_refund_counts_as_refunded(shop: Shop) -> None:
    """https://docs.stripe.com/api/charges/object#charge_object-amount_refunded"""
    charge = shop.charge(1000, card="4000000000007726")
    shop.refund(charge, 600, "key-1")
    assert isinstance(shop.refund(charge, 401, "key-2"), Refused)


def test_a_failing_card_succeeds_first_and_fails_later(shop: Shop) -> None:
    """https://docs.stripe.com/testing#refunds , card 4000000000005126"""
    charge = shop.charge(card="4000000000005126")
    outcome = shop.refund(charge, 500, "key-1")
    assert isinstance(outcome, Done)
    assert outcome.value.status is RefundStatus.SUCCEEDED
    shop.time.advance(minutes=2)
    failed = shop.adapter.refund(outcome.value.refund_id)
    assert (failed.status, failed.failure_reason) == (RefundStatus.FAILED, "expired_or_canceled_card")


def test_a_failed_refund_gives_the_amount_back_to_the_charge(shop: Shop) -> None:
    """https://docs.stripe.com/refunds#failed-refunds"""
    charge = shop.charge(500, card="4000000000005126")
    shop.refund(charge, 500, "key-1")
    shop.time.advance(minutes=2)
    assert shop.adapter.charge(charge).refundable == Money(500, "usd")
    assert [row["status"] for row in shop.double.ledger()] == ["failed"]


def test_a_refund_that_succeeded_may_fail_days_later(shop: Shop) -> None:
    """https://docs.stripe.com/refunds#failed-refunds"""
    outcome = shop.refund(shop.charge(), 500, "key-1")
    assert isinstance(outcome, Done)
    shop.time.advance(days=6)
    shop.double.fail_refund(outcome.value.refund_id, reason="lost_or_stolen_card")
    assert shop.adapter.refund(outcome.value.refund_id).failure_reason == "lost_or_stolen_card"


def test_a_card_refund_cannot_be_cancelled(shop: Shop) -> None:
    """https://docs.stripe.com/api/refunds/cancel "Only refunds ... in the requires_action state" """
    outcome = shop.refund(shop.charge(), 500, "key-1")
    with pytest.raises(stripe.InvalidRequestError, match="requires_action"):
        shop.sdk.v1.refunds.cancel(outcome.value.refund_id)


def test_metadata_of_a_refund_comes_back_with_it(shop: Shop) -> None:
    """https://docs.stripe.com/api/metadata"""
    charge = shop.charge()
    shop.refund(charge, 500, "key-1", intent="int_42")
    assert [view.intent_id for view in shop.adapter.refunds_of(charge)] == ["int_42"]


def test_metadata_can_be_changed_key_by_key(shop: Shop) -> None:
    """https://docs.stripe.com/api/refunds/update , https://docs.stripe.com/metadata"""
    outcome = shop.refund(shop.charge(), 500, "key-1")
    shop.sdk.v1.refunds.update(outcome.value.refund_id, {"metadata": {"ticket": "7"}})
    shop.sdk.v1.refunds.update(outcome.value.refund_id, {"metadata": {"intent_id": ""}})
    assert dict(shop.adapter.refund(outcome.value.refund_id).metadata) == {"ticket": "7"}


def test_an_amount_in_yen_has_no_decimals(shop: Shop) -> None:
    """https://docs.stripe.com/currencies#zero-decimal"""
    charge = shop.charge(1200, "jpy")
    outcome = shop.refund(charge, 700, "key-1", "jpy")
    assert isinstance(outcome, Done)
    assert outcome.value.amount == Money.parse("700", "jpy")


def test_an_amount_in_dinar_ends_in_zero(shop: Shop) -> None:
    """https://docs.stripe.com/currencies#three-decimal"""
    charge = shop.charge(5120, "kwd")
    assert isinstance(shop.refund(charge, 1234, "key-1", "kwd"), Refused)
    outcome = shop.refund(charge, 1230, "key-2", "kwd")
    assert isinstance(outcome, Done)
    assert str(outcome.value.amount) == "1.230 KWD"


def test_an_amount_in_kronur_is_whole(shop: Shop) -> None:
    """https://docs.stripe.com/currencies#special-cases"""
    charge = shop.charge(500000, "isk")
    assert isinstance(shop.refund(charge, 12345, "key-1", "isk"), Refused)
    assert isinstance(shop.refund(charge, 12300, "key-2", "isk"), Done)


def test_a_refund_by_hand_uses_up_the_same_charge(shop: Shop) -> None:
    """https://docs.stripe.com/refunds#issuing , in the Dashboard"""
    charge = shop.charge(2490)
    shop.double.add_refund(charge=charge, amount_minor=2000, created=shop.time.now())
    assert isinstance(shop.refund(charge, 491, "key-1"), Refused)
    (by_hand,) = shop.adapter.refunds_of(charge)
    assert by_hand.intent_id is None


def test_the_ledger_knows_the_key_of_each_refund(shop: Shop) -> None:
    """The double's own account of what it did; no page of the vendor's."""
    charge = shop.charge(2490)
    shop.double.add_refund(charge=charge, amount_minor=100, created=shop.time.now())
    shop.refund(charge, 200, "key-9")
    rows = shop.double.ledger()
    assert [(row["amount_minor"], row["currency"], row["idempotency_key"]) for row in rows] == [
        (100, "usd", None),
        (200, "usd", "key-9"),
    ]
