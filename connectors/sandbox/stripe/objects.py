"""Stripe's objects as JSON, in the shape of API version 2026-10-28.endive. Only shapes; no rules.

Fields that no client of ours reads are there where Stripe always sends them, so that a client which checks the shape is
content. https://docs.stripe.com/api
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

Thing = dict[str, Any]
"""One object of Stripe's, as JSON."""

DAY_S: Final = 86_400
_INTERVAL_DAYS: Final = {"day": 1, "week": 7, "month": 30, "year": 365}


def unix(at: datetime) -> int:
    """Stripe's timestamps are whole seconds since the epoch."""
    return int(at.timestamp())


@dataclass(frozen=True, slots=True)
class Card:
    """A test card. https://docs.stripe.com/testing#cards ."""

    brand: str
    funding: str = "credit"
    country: str = "US"


CARDS: Final[Mapping[str, Card]] = {
    "4242424242424242": Card("visa"),
    "4000056655665556": Card("visa", "debit"),
    "5555555555554444": Card("mastercard"),
    "378282246310005": Card("amex"),
    "4000000000007726": Card("visa"),
    "4000000000005126": Card("visa"),
    "4000000000000259": Card("visa"),
    "4000000000002685": Card("visa"),
    "4000000000001976": Card("visa"),
    "4000000000005423": Card("visa"),
}


def customer(
    *, customer_id: str, email: str | None, name: str | None, created: int, metadata: Mapping[str, str]
) -> Thing:
    """https://docs.stripe.com/api/customers/object ."""
    return {
        "id": customer_id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": created,
        "currency": None,
        "delinquent": False,
        "description": None,
        "email": email,
        "livemode": False,
        "metadata": dict(metadata),
        "name": name,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
    }


def payment_intent(*, intent_id: str, charge: Thing) -> Thing:
    """https://docs.stripe.com/api/payment_intents/object . The intent of a charge that was authorised at once."""
    captured = charge["captured"]
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": charge["amount"],
        "amount_capturable": 0 if captured else charge["amount"],
        "amount_received": charge["amount"] if captured else 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic" if captured else "manual",
        "created": charge["created"],
        "currency": charge["currency"],
        "customer": charge["customer"],
        "description": charge["description"],
        "latest_charge": charge["id"],
        "livemode": False,
        "metadata": dict(charge["metadata"]),
        "payment_method": charge["payment_method"],
        "payment_method_types": ["card"],
        "status": "succeeded" if captured else "requires_capture",
    }


def charge(  # noqa: PLR0913 - what a charge is made of
    *,
    charge_id: str,
    intent_id: str,
    customer: str | None,
    amount: int,
    currency: str,
    created: int,
    description: str,
    metadata: Mapping[str, str],
    card: Thing,
    captured: bool,
    risk_level: str,
    billing_email: str | None,
) -> Thing:
    """https://docs.stripe.com/api/charges/object ."""
    return {
        "id": charge_id,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if captured else 0,
        "amount_refunded": 0,
        "balance_transaction": f"txn_{charge_id[3:]}" if captured else None,
        "billing_details": {"address": None, "email": billing_email, "name": None, "phone": None, "tax_id": None},
        "captured": captured,
        "created": created,
        "currency": currency,
        "customer": customer,
        "description": description or None,
        "disputed": False,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(metadata),
        "outcome": {
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": risk_level,
            "risk_score": {"normal": 12, "elevated": 68, "highest": 91}.get(risk_level),
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": True,
        "payment_intent": intent_id,
        "payment_method": f"pm_{charge_id[3:]}",
        "payment_method_details": {"card": card, "type": "card"},
        "receipt_email": None,
        "refunded": False,
        "status": "succeeded",
    }


def card_details(number: str, fingerprint: str) -> Thing:
    """https://docs.stripe.com/api/charges/object#charge_object-payment_method_details-card ."""
    card = CARDS[number]
    return {
        "brand": card.brand,
        "country": card.country,
        "exp_month": 8,
        "exp_year": 2034,
        "fingerprint": fingerprint,
        "funding": card.funding,
        "last4": number[-4:],
        "network": card.brand,
        "three_d_secure": None,
        "wallet": None,
    }


def refund(
    *,
    refund_id: str,
    charge: Thing,
    amount: int,
    status: str,
    reason: str | None,
    created: int,
    metadata: Mapping[str, str],
) -> Thing:
    """https://docs.stripe.com/api/refunds/object ."""
    made: Thing = {
        "id": refund_id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": f"txn_{refund_id[3:]}",
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": dict(metadata),
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }
    return made | ({"pending_reason": "processing"} if status == "pending" else {})


def dispute(*, dispute_id: str, charge: Thing, reason: str, status: str, refundable: bool, created: int) -> Thing:
    """https://docs.stripe.com/api/disputes/object ."""
    inquiry = status.startswith("warning_")
    return {
        "id": dispute_id,
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "evidence": {},
        "evidence_details": {"due_by": created + 9 * DAY_S, "has_evidence": False, "past_due": False},
        "is_charge_refundable": refundable,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {"brand": "visa", "case_type": "inquiry" if inquiry else "chargeback"},
            "type": "card",
        },
        "reason": reason,
        "status": status,
    }


def early_fraud_warning(*, warning_id: str, charge: Thing, actionable: bool, created: int) -> Thing:
    """https://docs.stripe.com/api/radar/early_fraud_warnings/object ."""
    return {
        "id": warning_id,
        "object": "radar.early_fraud_warning",
        "actionable": actionable,
        "charge": charge["id"],
        "created": created,
        "fraud_type": "misc",
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }


def subscription(
    *,
    subscription_id: str,
    customer: str,
    price_minor: int,
    currency: str,
    interval: str,
    start: int,
    status: str,
    latest_invoice: str | None,
) -> Thing:
    """https://docs.stripe.com/api/subscriptions/object . The period is the item's since 2025-03-31.basil."""
    tail = subscription_id[4:]
    canceled = status == "canceled"
    item = {
        "id": f"si_{tail}",
        "object": "subscription_item",
        "created": start,
        "current_period_end": start + _INTERVAL_DAYS[interval] * DAY_S,
        "current_period_start": start,
        "metadata": {},
        "price": {
            "id": f"price_{tail}",
            "object": "price",
            "active": True,
            "billing_scheme": "per_unit",
            "currency": currency,
            "product": f"prod_{tail}",
            "recurring": {"interval": interval, "interval_count": 1, "usage_type": "licensed"},
            "type": "recurring",
            "unit_amount": price_minor,
            "unit_amount_decimal": str(price_minor),
        },
        "quantity": 1,
        "subscription": subscription_id,
    }
    return {
        "id": subscription_id,
        "object": "subscription",
        "billing_cycle_anchor": start,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": start if canceled else None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": start,
        "currency": currency,
        "customer": customer,
        "ended_at": start if canceled else None,
        "items": listing([item], url=f"/v1/subscription_items?subscription={subscription_id}"),
        "latest_invoice": latest_invoice,
        "livemode": False,
        "metadata": {},
        "start_date": start,
        "status": status,
        "trial_end": None,
        "trial_start": None,
    }


def invoice(*, invoice_id: str, subscription: Thing, charge: Thing) -> Thing:
    """https://docs.stripe.com/api/invoices/object . Its `payments` come only where they are expanded."""
    return {
        "id": invoice_id,
        "object": "invoice",
        "amount_due": charge["amount"],
        "amount_paid": charge["amount"],
        "created": charge["created"],
        "currency": charge["currency"],
        "customer": subscription["customer"],
        "livemode": False,
        "metadata": {},
        "parent": {"subscription_details": {"subscription": subscription["id"]}, "type": "subscription_details"},
        "status": "paid",
    }


def invoice_payment(*, payment_id: str, invoice_id: str, charge: Thing) -> Thing:
    """https://docs.stripe.com/api/invoice-payment/object . With a payment intent it names that, not the charge."""
    return {
        "id": payment_id,
        "object": "invoice_payment",
        "amount_paid": charge["amount"],
        "amount_requested": charge["amount"],
        "created": charge["created"],
        "currency": charge["currency"],
        "invoice": invoice_id,
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": charge["payment_intent"], "type": "payment_intent"},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": charge["created"]},
    }


def invoice_item(*, item_id: str, subscription: Thing, amount: int, created: int, until: int) -> Thing:
    """https://docs.stripe.com/api/invoiceitems/object . A proration credit has a negative amount."""
    return {
        "id": item_id,
        "object": "invoiceitem",
        "amount": amount,
        "currency": subscription["currency"],
        "customer": subscription["customer"],
        "created": created,
        "date": created,
        "description": "Unused time",
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "parent": {"subscription_details": {"subscription": subscription["id"]}, "type": "subscription_details"},
        "period": {"start": created, "end": until},
        "proration": True,
        "quantity": 1,
    }


def event(
    *, event_id: str, kind: str, subject: Thing, previous: Thing | None, created: int, request: Thing, version: str
) -> Thing:
    """https://docs.stripe.com/api/events/object ."""
    payload: Thing = {"object": subject}
    if previous is not None:
        payload["previous_attributes"] = previous
    return {
        "id": event_id,
        "object": "event",
        "api_version": version,
        "created": created,
        "data": payload,
        "livemode": False,
        "pending_webhooks": 1,
        "request": request,
        "type": kind,
    }


def listing(entries: list[Thing], *, url: str, has_more: bool = False) -> Thing:
    """https://docs.stripe.com/api/pagination ."""
    return {"object": "list", "data": entries, "has_more": has_more, "url": url}
