from __future__ import annotations

import pytest

from connectors.outcome import Done, Refused
from connectors.stripe.words import DisputeStatus
from tests.contract.stripe.conftest import Shop


@pytest.mark.parametrize("status", ["needs_response", "under_review", "lost"])
def test_a_disputed_charge_cannot_be_refunded(shop: Shop, status: str) -> None:
    """https://docs.stripe.com/error-codes#charge-disputed"""
    charge = shop.charge()
    shop.double.add_dispute(charge=charge, reason="fraudulent", status=status, created=shop.time.ago(days=1))
    outcome = shop.refund(charge, 100, "key-1")
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.status) == ("charge_disputed", 400)


@pytest.mark.parametrize("status", ["warning_needs_response", "warning_under_review"])
def test_an_inquiry_can_still_be_refunded(shop: Shop, status: str) -> None:
    """https://docs.stripe.com/disputes/how-disputes-work#inquiries"""
    charge = shop.charge()
    shop.double.add_dispute(charge=charge, reason="general", status=status, created=shop.time.ago(days=1))
    (inquiry,) = shop.adapter.disputes_of(charge)
    assert (inquiry.is_inquiry, inquiry.is_open, inquiry.is_charge_refundable) == (True, True, True)
    assert isinstance(shop.refund(charge, 100, "key-1"), Done)


def test_a_dispute_shows_on_charge_and_in_the_list(shop: Shop) -> None:
    """https://docs.stripe.com/api/disputes/object"""
    charge, other = shop.charge(), shop.charge()
    dispute = shop.double.add_dispute(
        charge=charge, reason="product_not_received", status="needs_response", created=shop.time.ago(days=1)
    )
    (view,) = shop.adapter.disputes_of(charge)
    assert (view.dispute_id, view.reason, view.status) == (
        dispute,
        "product_not_received",
        DisputeStatus.NEEDS_RESPONSE,
    )
    assert (view.is_open, view.is_charge_refundable) == (True, False)
    assert shop.adapter.charge(charge).is_disputed
    assert shop.adapter.disputes_of(other) == ()
    assert not shop.adapter.charge(other).is_disputed


def test_a_won_dispute_is_closed(shop: Shop) -> None:
    """https://docs.stripe.com/api/disputes/object#dispute_object-status"""
    charge = shop.charge()
    dispute = shop.double.add_dispute(
        charge=charge, reason="general", status="needs_response", created=shop.time.ago(days=1)
    )
    shop.double.change_dispute(dispute, status="won")
    (view,) = shop.adapter.disputes_of(charge)
    assert not view.is_open


@pytest.mark.parametrize(
    ("card", "reason", "case"),
    [
        ("4000000000000259", "fraudulent", "chargeback"),
        ("4000000000002685", "product_not_received", "chargeback"),
        ("4000000000001976", "general", "inquiry"),
    ],
)
def test_some_test_cards_dispute_by_themselves(shop: Shop, card: str, reason: str, case: str) -> None:
    """https://docs.stripe.com/testing#disputes"""
    (view,) = shop.adapter.disputes_of(shop.charge(card=card))
    assert (view.reason, view.is_inquiry) == (reason, case == "inquiry")


def test_an_early_fraud_warning_is_listed_by_charge(shop: Shop) -> None:
    """https://docs.stripe.com/api/radar/early_fraud_warnings/list , https://docs.stripe.com/testing#disputes"""
    (view,) = shop.adapter.early_fraud_warnings_of(shop.charge(card="4000000000005423"))
    assert (view.is_actionable, view.fraud_type) == (True, "misc")
    assert shop.adapter.early_fraud_warnings_of(shop.charge()) == ()


def test_a_warning_is_not_actionable_after_a_full_refund(shop: Shop) -> None:
    """https://docs.stripe.com/api/radar/early_fraud_warnings/object#early_fraud_warning_object-actionable"""
    charge = shop.charge(1000)
    shop.double.add_early_fraud_warning(charge=charge, created=shop.time.ago(days=1))
    shop.refund(charge, 999, "key-1")
    assert shop.adapter.early_fraud_warnings_of(charge)[0].is_actionable
    shop.refund(charge, 1, "key-2")
    assert not shop.adapter.early_fraud_warnings_of(charge)[0].is_actionable
