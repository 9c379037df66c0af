"""Payment intents: capture and cancel. https://docs.stripe.com/payments/paymentintents/lifecycle ."""

from __future__ import annotations

from typing import Final

from connectors.sandbox.stripe import forms
from connectors.sandbox.stripe.books import Books
from connectors.sandbox.stripe.forms import Form
from connectors.sandbox.stripe.objects import Thing
from connectors.sandbox.stripe.problems import StripeProblem
from connectors.sandbox.stripe.refunds import Refunds
from connectors.sandbox.stripe.webhooks import Cause, Events

CANCEL_REASONS: Final = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
_CANCELABLE: Final = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")


class Payments:
    """What can be done to a payment that is authorised."""

    def __init__(self, books: Books, events: Events, refunds: Refunds) -> None:
        self._books = books
        self._events = events
        self._refunds = refunds

    @staticmethod
    def check_cancel(form: Form) -> None:
        """What Stripe validates before it looks at the payment."""
        forms.choice(form, "cancellation_reason", CANCEL_REASONS)

    def cancel(self, intent: Thing, form: Form, cause: Cause) -> Thing:
        """Release the authorisation. Stripe refunds the amount that could have been captured, so a refund object
        appears that no one created. https://docs.stripe.com/api/payment_intents/cancel .
        """  # noqa: D205 - one sentence does not fit one line
        if intent["status"] not in _CANCELABLE:
            raise _state(intent, "cancel", _CANCELABLE)
        charge = self._books.require("charge", intent["latest_charge"])
        self._refunds.make(charge, intent["amount_capturable"], reason=None, metadata={}, cause=cause)
        intent |= {
            "status": "canceled",
            "amount_capturable": 0,
            "canceled_at": self._books.seconds,
            "cancellation_reason": form.get("cancellation_reason"),
        }
        self._books.changed(intent)
        self._events.emit("payment_intent.canceled", intent, cause=cause)
        return intent

    def capture(self, intent: Thing, form: Form, cause: Cause) -> Thing:
        """Take the authorised money, all of it. https://docs.stripe.com/api/payment_intents/capture ."""
        del form
        if intent["status"] != "requires_capture":
            raise _state(intent, "capture", ("requires_capture",))
        charge = self._books.require("charge", intent["latest_charge"])
        charge |= {"captured": True, "amount_captured": charge["amount"]}
        intent |= {"status": "succeeded", "amount_capturable": 0, "amount_received": intent["amount"]}
        self._books.changed(charge)
        self._books.changed(intent)
        self._events.emit("charge.captured", charge, cause=cause)
        return intent


def _state(intent: Thing, verb: str, allowed: tuple[str, ...]) -> StripeProblem:
    return StripeProblem(
        400,
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
        f"with one of the following statuses may be {verb}ed: {', '.join(allowed)}.",
        code="payment_intent_unexpected_state",
    )
