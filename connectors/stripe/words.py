"""Stripe's closed sets of words. A word that is new to us becomes `UNKNOWN` and never the best case."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

Word = TypeVar("Word", bound=StrEnum)


def word(kind: type[Word], value: str | None) -> Word:
    """Stripe's word as ours, `UNKNOWN` where it is new or absent."""
    try:
        return kind(value if value is not None else "unknown")
    except ValueError:
        return kind("unknown")


class RefundStatus(StrEnum):
    """pending → succeeded | failed | canceled; requires_action → pending | canceled; succeeded → failed, days later.

    https://docs.stripe.com/api/refunds/object#refund_object-status , https://docs.stripe.com/refunds#failed-refunds
    """

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"

    @property
    def holds_money(self) -> bool:
        """Whether the amount must be counted as refunded: everything that has not definitely come back."""
        return self not in {RefundStatus.FAILED, RefundStatus.CANCELED}


class RiskLevel(StrEnum):
    """Radar's view of a charge. https://docs.stripe.com/api/charges/object#charge_object-outcome-risk_level ."""

    NORMAL = "normal"
    ELEVATED = "elevated"
    HIGHEST = "highest"
    NOT_ASSESSED = "not_assessed"
    UNKNOWN = "unknown"


class DisputeStatus(StrEnum):
    """`warning_*` are inquiries, which may still be refunded.

    https://docs.stripe.com/api/disputes/object#dispute_object-status
    """

    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"
    PREVENTED = "prevented"
    UNKNOWN = "unknown"


class SubscriptionStatus(StrEnum):
    """https://docs.stripe.com/api/subscriptions/object#subscription_object-status ."""

    ACTIVE = "active"
    TRIALING = "trialing"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


class PaymentStatus(StrEnum):
    """https://docs.stripe.com/payments/paymentintents/lifecycle . `requires_capture` is authorised and not taken."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"
    UNKNOWN = "unknown"
