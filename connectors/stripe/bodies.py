"""The exact parameters of a write, written once, stored by the caller and replayed byte for byte.

A body is canonical JSON of strings: sorted keys, no spaces. The caller commits it before the first request leaves, so
that every later attempt sends the same bytes under the same key; Stripe answers 400 where they differ
(https://docs.stripe.com/api/idempotent_requests).

It refuses to say `fraudulent`: that word puts the customer's card and e-mail on block lists
(https://docs.stripe.com/api/refunds/create#create_refund-reason), which is not a support agent's decision.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from connectors.stripe.wire import INTENT_KEY
from policies.money import Money

SUBSCRIPTION: Final = "subscription"
PAYMENT_INTENT: Final = "payment_intent"
WHEN: Final = "when"

# https://docs.stripe.com/api/metadata
_MAX_KEY: Final = 40
_MAX_VALUE: Final = 500


class RefundReason(StrEnum):
    """Why money goes back, in the words that Stripe accepts and we allow."""

    DUPLICATE = "duplicate"
    REQUESTED_BY_CUSTOMER = "requested_by_customer"


class CancelWhen(StrEnum):
    """When a subscription ends."""

    PERIOD_END = "period_end"
    NOW = "now"


def canonical(form: Mapping[str, str]) -> str:
    """The one spelling of a body."""
    return json.dumps(dict(form), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def form_of(body: str) -> dict[str, str]:
    """The parameters of a stored body.

    Raises:
        ValueError: it is not what this module wrote, so nothing may be sent.
    """
    try:
        form = json.loads(body)
    except ValueError as error:
        raise ValueError("the stored body is not JSON: pass the string that this module wrote, unchanged") from error
    if not isinstance(form, dict) or not all(isinstance(value, str) for value in form.values()):
        raise ValueError("the stored body is not an object of strings: pass the string that this module wrote")
    if canonical(form) != body:
        raise ValueError("the stored body is not in canonical form: pass the string that this module wrote, unchanged")
    return form


def refund_body(
    charge_id: str,
    amount: Money,
    *,
    intent_id: str,
    reason: RefundReason = RefundReason.REQUESTED_BY_CUSTOMER,
    metadata: Mapping[str, str] | None = None,
) -> str:
    """The body of one refund. The amount is always explicit: without it Stripe refunds all that is left.

    Args:
        charge_id: `ch_...`; one charge, never a payment intent, which may have several.
        amount: in the charge's own currency; at least one minor unit.
        intent_id: finds the refund again when its answer was lost.
        reason: shown to the shop.
        metadata: further keys, such as the ticket; no personal data.

    Raises:
        ValueError: an amount that is not positive, or metadata that Stripe would refuse.
    """
    if amount.minor <= 0:
        raise ValueError(f"cannot refund {amount}: the amount must be positive")
    form = {"charge": charge_id, "amount": str(amount.minor), "reason": reason.value}
    return canonical(form | _metadata({**(metadata or {}), INTENT_KEY: intent_id}))


def cancel_subscription_body(
    subscription_id: str,
    *,
    when: CancelWhen,
    intent_id: str,
    prorate: bool,
) -> str:
    """The body of one cancellation.

    Args:
        subscription_id: `sub_...`.
        when: at the end of the paid period, or at once.
        intent_id: finds the cancellation again.
        prorate: at once only: whether the unused time becomes a credit on the customer's next invoice. It is not money
            back; a refund is a separate effect. No final invoice is made, so nothing new is charged.

    Raises:
        ValueError: proration asked for at the end of a period, where nothing is left to prorate.
    """
    form = {SUBSCRIPTION: subscription_id, WHEN: when.value}
    if when is CancelWhen.PERIOD_END:
        if prorate:
            raise ValueError("nothing is left to prorate at the end of the period: pass prorate=False")
        return canonical(form | {"cancel_at_period_end": "true"} | _metadata({INTENT_KEY: intent_id}))
    # A DELETE takes no metadata; the comment is the only place that can carry the intent.
    comment = f"{INTENT_KEY}={intent_id}"
    return canonical(
        form
        | {
            "prorate": "true" if prorate else "false",
            "invoice_now": "false",
            "cancellation_details[comment]": comment,
        },
    )


def cancel_payment_body(payment_intent_id: str, *, reason: RefundReason = RefundReason.REQUESTED_BY_CUSTOMER) -> str:
    """The body that releases an authorised, uncaptured payment.

    https://docs.stripe.com/api/payment_intents/cancel
    """
    return canonical({PAYMENT_INTENT: payment_intent_id, "cancellation_reason": reason.value})


def _metadata(entries: Mapping[str, str]) -> dict[str, str]:
    for key, value in entries.items():
        if not key or len(key) > _MAX_KEY or "[" in key or "]" in key:
            raise ValueError(
                f"metadata key {key!r} is not one that stripe takes: at most {_MAX_KEY} letters, no brackets"
            )
        if not value or len(value) > _MAX_VALUE:
            raise ValueError(f"metadata {key!r} must have 1 to {_MAX_VALUE} characters: shorten it")
    return {f"metadata[{key}]": value for key, value in entries.items()}
