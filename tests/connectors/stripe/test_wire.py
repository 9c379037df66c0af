from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import WireError
from connectors.sandbox.stripe import objects
from connectors.stripe import wire
from connectors.stripe.words import DisputeStatus, RefundStatus, RiskLevel

FIXTURES = Path(__file__).parents[4] / "shared" / "data" / "dev" / "stripe_fixtures.json"


def a_charge(**changes: Any) -> dict[str, Any]:
    made = objects.charge(
        charge_id="ch_1",
        intent_id="pi_1",
        customer="cus_1",
        amount=2490,
        currency="usd",
        created=1_790_000_000,
        description="Order 1042",
        metadata={},
        card=objects.card_details("4242424242424242", "fp"),
        captured=True,
        risk_level="normal",
        billing_email=None,
    )
    return made | changes


def a_refund(**changes: Any) -> dict[str, Any]:
    made = objects.refund(
        refund_id="re_1",
        charge=a_charge(),
        amount=100,
        status="succeeded",
        reason=None,
        created=1_790_000_000,
        metadata={},
    )
    return made | changes


@pytest.mark.parametrize("name", ["id", "amount", "amount_captured", "amount_refunded", "currency", "created"])
@pytest.mark.parametrize("value", [None, 2.5, [], True])
def test_a_charge_without_a_readable_field_is_an_error(name: str, value: object) -> None:
    with pytest.raises(WireError, match=name):
        wire.charge(a_charge(**{name: value}))


@pytest.mark.parametrize("name", ["paid", "captured", "disputed"])
@pytest.mark.parametrize("value", [None, "true", 1])
def test_a_truth_that_is_not_there_is_not_assumed(name: str, value: object) -> None:
    with pytest.raises(WireError, match=name):
        wire.charge(a_charge(**{name: value}))


@pytest.mark.parametrize("currency", ["xxx", "USD", ""])
def test_an_unknown_currency_is_an_error(currency: str) -> None:
    with pytest.raises(WireError):
        wire.charge(a_charge(currency=currency))


def test_an_expanded_reference_is_its_id() -> None:
    assert wire.charge(a_charge(customer={"id": "cus_9", "object": "customer"})).customer_id == "cus_9"


def test_a_charge_without_a_card_has_no_card() -> None:
    view = wire.charge(a_charge(payment_method_details={"type": "sepa_debit", "sepa_debit": {}}))
    assert (view.card, view.payment_method) == (None, "sepa_debit")


def test_a_charge_without_an_outcome_has_an_unknown_risk() -> None:
    assert wire.charge(a_charge(outcome=None)).risk_level is RiskLevel.UNKNOWN


def test_a_new_word_is_unknown_and_holds_the_money() -> None:
    view = wire.refund(a_refund(status="parked"))
    assert view.status is RefundStatus.UNKNOWN
    assert view.status.holds_money


@pytest.mark.parametrize(
    ("status", "holds"),
    [("pending", 1), ("requires_action", 1), ("succeeded", 1), ("failed", 0), ("canceled", 0), (None, 1)],
)
def test_only_failed_and_cancelled_refunds_give_the_money_back(status: str | None, holds: int) -> None:
    assert wire.refund(a_refund(status=status)).status.holds_money == bool(holds)


def test_an_unknown_dispute_status_counts_as_open() -> None:
    made = objects.dispute(
        dispute_id="dp_1", charge=a_charge(), reason="general", status="escalated", refundable=False, created=1
    )
    view = wire.dispute(made)
    assert (view.status, view.is_open) == (DisputeStatus.UNKNOWN, True)


def test_a_deleted_customer_is_nobody() -> None:
    assert wire.customer({"id": "cus_1", "object": "customer", "deleted": True}) is None


def test_a_time_beyond_the_calendar_is_an_error() -> None:
    with pytest.raises(WireError, match="created"):
        wire.refund(a_refund(created=10**17))


@pytest.mark.skipif(not FIXTURES.exists(), reason="the development data is not here")
@pytest.mark.parametrize(
    ("resource", "parse"),
    [
        ("charge", wire.charge),
        ("refund", wire.refund),
        ("dispute", wire.dispute),
        ("radar.early_fraud_warning", wire.early_fraud_warning),
        ("payment_intent", wire.payment),
        ("customer", wire.customer),
        ("subscription", wire.subscription),
    ],
)
def test_the_vendors_own_examples_can_be_read(resource: str, parse: Any) -> None:
    example = json.loads(FIXTURES.read_text())["resources"][resource]
    assert parse(example) is not None


@pytest.mark.skipif(not FIXTURES.exists(), reason="the development data is not here")
def test_the_double_sends_no_field_that_the_vendor_does_not_have() -> None:
    examples = json.loads(FIXTURES.read_text())["resources"]
    subscription = objects.subscription(
        subscription_id="sub_1",
        customer="cus_1",
        price_minor=100,
        currency="usd",
        interval="month",
        start=1,
        status="active",
        latest_invoice=None,
    )
    made = [
        a_charge(),
        a_refund(),
        subscription,
        objects.payment_intent(intent_id="pi_1", charge=a_charge()),
        objects.customer(customer_id="cus_1", email=None, name=None, created=1, metadata={}),
        objects.dispute(
            dispute_id="dp_1", charge=a_charge(), reason="general", status="won", refundable=False, created=1
        ),
        objects.early_fraud_warning(warning_id="issfr_1", charge=a_charge(), actionable=True, created=1),
        objects.invoice_payment(payment_id="inpay_1", invoice_id="in_1", charge=a_charge()),
        objects.invoice(invoice_id="in_1", subscription=subscription, charge=a_charge()),
    ]
    # Optional fields that the examples leave out: https://docs.stripe.com/api/refunds/object and early_fraud_warnings.
    known = {"payment_intent", "pending_reason", "created"}
    for thing in made:
        assert set(thing) - set(examples[thing["object"]]) <= known, thing["object"]
