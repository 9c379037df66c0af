"""What we read of Stripe's objects, in our words. Only fields that something decides on or shows.

Promises exact amounts, aware UTC times, and that a word of Stripe's which we do not know becomes `UNKNOWN` and never
the best case. It refuses to fill what Stripe did not say: such a field is `None`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.stripe import fields
from connectors.stripe.fields import Json
from connectors.stripe.words import (
    DisputeStatus,
    PaymentStatus,
    RefundStatus,
    RiskLevel,
    SubscriptionStatus,
    word,
)
from policies.money import Money

ZENDESK_USER_KEY: Final = "zendesk_user_id"
"""Metadata key of a customer that names the Zendesk user it belongs to."""

INTENT_KEY: Final = "intent_id"
INSTALLATION_KEY: Final = "countersign_installation"
"""Says which installation made a refund: several may act for one account, such as two tenants or a rehearsal."""
"""Metadata key of a refund or subscription that names the intent of ours that made it."""


@dataclass(frozen=True, slots=True)
class CustomerView:
    """https://docs.stripe.com/api/customers/object ."""

    customer_id: str
    email: str | None
    name: str | None
    created_at: datetime
    metadata: Mapping[str, str]

    @property
    def zendesk_user_id(self) -> str | None:
        """The Zendesk user that the shop linked to this customer."""
        return self.metadata.get(ZENDESK_USER_KEY)


@dataclass(frozen=True, slots=True)
class CardView:
    """https://docs.stripe.com/api/charges/object#charge_object-payment_method_details-card ."""

    fingerprint: str | None
    last4: str | None
    brand: str | None
    funding: str | None
    country: str | None


@dataclass(frozen=True, slots=True)
class ChargeView:
    """https://docs.stripe.com/api/charges/object .

    `refunded` counts pending refunds too. `card` is `None` for another payment method.
    """

    charge_id: str
    customer_id: str | None
    payment_intent_id: str | None
    amount: Money
    captured_amount: Money
    refunded: Money
    created_at: datetime
    is_paid: bool
    is_captured: bool
    is_disputed: bool
    risk_level: RiskLevel
    payment_method: str | None
    card: CardView | None
    billing_email: str | None
    description: str | None
    metadata: Mapping[str, str]

    @property
    def refundable(self) -> Money:
        """What is left of the captured amount."""
        return self.captured_amount - self.refunded


@dataclass(frozen=True, slots=True)
class RefundView:
    """https://docs.stripe.com/api/refunds/object . `intent_id` is `None` for a refund that we did not make."""

    refund_id: str
    charge_id: str | None
    payment_intent_id: str | None
    amount: Money
    status: RefundStatus
    reason: str | None
    failure_reason: str | None
    pending_reason: str | None
    created_at: datetime
    metadata: Mapping[str, str]

    @property
    def intent_id(self) -> str | None:
        """The intent of ours that made this refund."""
        return self.metadata.get(INTENT_KEY)

    @property
    def installation_id(self) -> str | None:
        """The installation whose intent that is."""
        return self.metadata.get(INSTALLATION_KEY)


@dataclass(frozen=True, slots=True)
class DisputeView:
    """https://docs.stripe.com/api/disputes/object ."""

    dispute_id: str
    charge_id: str
    amount: Money
    reason: str
    status: DisputeStatus
    is_charge_refundable: bool
    created_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether the bank has not decided yet. An unknown status counts as open."""
        closed = {DisputeStatus.WON, DisputeStatus.LOST, DisputeStatus.WARNING_CLOSED, DisputeStatus.PREVENTED}
        return self.status not in closed

    @property
    def is_inquiry(self) -> bool:
        """Whether it is only an inquiry: no money has been taken back."""
        return self.status.value.startswith("warning_")


@dataclass(frozen=True, slots=True)
class EarlyFraudWarningView:
    """https://docs.stripe.com/api/radar/early_fraud_warnings/object ."""

    warning_id: str
    charge_id: str
    is_actionable: bool
    fraud_type: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionItemView:
    """One line of a subscription. The billing period belongs to the item since API version 2025-03-31.basil.

    https://docs.stripe.com/api/subscription_items/object
    """

    item_id: str
    unit_price: Money | None
    quantity: int | None
    interval: str | None
    interval_count: int | None
    current_period_start: datetime
    current_period_end: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """https://docs.stripe.com/api/subscriptions/object .

    `latest_payment_intent_id` paid the latest invoice; it finds the charge of the current period. It is `None` where
    the invoice is unpaid, free or was not asked for.
    """

    subscription_id: str
    customer_id: str
    status: SubscriptionStatus
    items: tuple[SubscriptionItemView, ...]
    cancel_at_period_end: bool
    cancel_at: datetime | None
    canceled_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    latest_payment_intent_id: str | None
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PaymentView:
    """https://docs.stripe.com/api/payment_intents/object ."""

    payment_intent_id: str
    customer_id: str | None
    amount: Money
    capturable: Money
    status: PaymentStatus
    latest_charge_id: str | None
    metadata: Mapping[str, str]


def customer(source: Json) -> CustomerView | None:
    """A customer, or `None` where it has been deleted."""
    if source.get("deleted") is True:
        return None
    return CustomerView(
        customer_id=fields.text(source, "id"),
        email=fields.maybe_text(source, "email"),
        name=fields.maybe_text(source, "name"),
        created_at=fields.moment(source, "created"),
        metadata=fields.metadata(source),
    )


def charge(source: Json) -> ChargeView:
    """A charge.

    Raises:
        WireError: a field that decisions rest on cannot be read.
    """
    details = fields.maybe_mapping(source, "payment_method_details")
    outcome = fields.maybe_mapping(source, "outcome")
    return ChargeView(
        charge_id=fields.text(source, "id"),
        customer_id=fields.maybe_reference(source, "customer"),
        payment_intent_id=fields.maybe_reference(source, "payment_intent"),
        amount=fields.money(source, "amount"),
        captured_amount=fields.money(source, "amount_captured"),
        refunded=fields.money(source, "amount_refunded"),
        created_at=fields.moment(source, "created"),
        is_paid=fields.truth(source, "paid"),
        is_captured=fields.truth(source, "captured"),
        is_disputed=fields.truth(source, "disputed"),
        risk_level=word(RiskLevel, fields.maybe_text(outcome, "risk_level")),
        payment_method=fields.maybe_text(details, "type"),
        card=_card(details) if details.get("card") is not None else None,
        billing_email=fields.maybe_text(fields.maybe_mapping(source, "billing_details"), "email"),
        description=fields.maybe_text(source, "description"),
        metadata=fields.metadata(source),
    )


def _card(details: Json) -> CardView:
    card = fields.mapping(details, "card")
    return CardView(
        fingerprint=fields.maybe_text(card, "fingerprint"),
        last4=fields.maybe_text(card, "last4"),
        brand=fields.maybe_text(card, "brand"),
        funding=fields.maybe_text(card, "funding"),
        country=fields.maybe_text(card, "country"),
    )


def refund(source: Json) -> RefundView:
    """A refund.

    Raises:
        WireError: a field that settlement rests on cannot be read.
    """
    return RefundView(
        refund_id=fields.text(source, "id"),
        charge_id=fields.maybe_reference(source, "charge"),
        payment_intent_id=fields.maybe_reference(source, "payment_intent"),
        amount=fields.money(source, "amount"),
        status=word(RefundStatus, fields.maybe_text(source, "status")),
        reason=fields.maybe_text(source, "reason"),
        failure_reason=fields.maybe_text(source, "failure_reason"),
        pending_reason=fields.maybe_text(source, "pending_reason"),
        created_at=fields.moment(source, "created"),
        metadata=fields.metadata(source),
    )


def dispute(source: Json) -> DisputeView:
    """A dispute or an inquiry."""
    return DisputeView(
        dispute_id=fields.text(source, "id"),
        charge_id=fields.reference(source, "charge"),
        amount=fields.money(source, "amount"),
        reason=fields.text(source, "reason"),
        status=word(DisputeStatus, fields.text(source, "status")),
        is_charge_refundable=fields.truth(source, "is_charge_refundable"),
        created_at=fields.moment(source, "created"),
    )


def early_fraud_warning(source: Json) -> EarlyFraudWarningView:
    """A card issuer's early fraud warning."""
    return EarlyFraudWarningView(
        warning_id=fields.text(source, "id"),
        charge_id=fields.reference(source, "charge"),
        is_actionable=fields.truth(source, "actionable"),
        fraud_type=fields.text(source, "fraud_type"),
        created_at=fields.moment(source, "created"),
    )


def subscription(source: Json) -> SubscriptionView:
    """A subscription with its items."""
    return SubscriptionView(
        subscription_id=fields.text(source, "id"),
        customer_id=fields.reference(source, "customer"),
        status=word(SubscriptionStatus, fields.text(source, "status")),
        items=tuple(_subscription_item(item) for item in fields.items(fields.mapping(source, "items"), "data")),
        cancel_at_period_end=fields.truth(source, "cancel_at_period_end"),
        cancel_at=fields.maybe_moment(source, "cancel_at"),
        canceled_at=fields.maybe_moment(source, "canceled_at"),
        ended_at=fields.maybe_moment(source, "ended_at"),
        created_at=fields.moment(source, "created"),
        latest_payment_intent_id=_latest_payment_intent(source),
        metadata=fields.metadata(source),
    )


def _subscription_item(source: Json) -> SubscriptionItemView:
    price = fields.mapping(source, "price")
    recurring = fields.maybe_mapping(price, "recurring")
    return SubscriptionItemView(
        item_id=fields.text(source, "id"),
        # Tiered and sub-cent prices have no whole unit amount.
        unit_price=None if price.get("unit_amount") is None else fields.money(price, "unit_amount"),
        quantity=None if source.get("quantity") is None else fields.integer(source, "quantity"),
        interval=fields.maybe_text(recurring, "interval"),
        interval_count=None if recurring.get("interval_count") is None else fields.integer(recurring, "interval_count"),
        current_period_start=fields.moment(source, "current_period_start"),
        current_period_end=fields.moment(source, "current_period_end"),
    )


def _latest_payment_intent(source: Json) -> str | None:
    """The payment intent of the latest invoice's paid payment, where the invoice is expanded.

    https://docs.stripe.com/api/invoice-payment/object
    """
    invoice = source.get("latest_invoice")
    if not isinstance(invoice, Mapping):
        return None
    payments = fields.maybe_mapping(invoice, "payments")
    for payment in fields.items(payments, "data") if payments else ():
        if payment.get("status") == "paid":
            return fields.maybe_reference(fields.mapping(payment, "payment"), "payment_intent")
    return None


def payment(source: Json) -> PaymentView:
    """A payment intent."""
    return PaymentView(
        payment_intent_id=fields.text(source, "id"),
        customer_id=fields.maybe_reference(source, "customer"),
        amount=fields.money(source, "amount"),
        capturable=fields.money(source, "amount_capturable"),
        status=word(PaymentStatus, fields.text(source, "status")),
        latest_charge_id=fields.maybe_reference(source, "latest_charge"),
        metadata=fields.metadata(source),
    )
