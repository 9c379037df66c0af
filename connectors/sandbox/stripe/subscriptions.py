"""Subscriptions: ending them. https://docs.stripe.com/billing/subscriptions/cancel .

The double does not bill: no renewal makes an invoice or a charge. A subscription set to end with its period ends when
the sandbox clock has passed it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from connectors.sandbox.stripe import forms, objects
from connectors.sandbox.stripe.books import Books
from connectors.sandbox.stripe.forms import Form
from connectors.sandbox.stripe.objects import Thing
from connectors.sandbox.stripe.problems import StripeProblem, missing
from connectors.sandbox.stripe.webhooks import NOBODY, Cause, Events

STATUSES: Final = (
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
)
_ENDED: Final = frozenset({"canceled", "incomplete_expired"})


class Subscriptions:
    """The subscriptions of the account."""

    def __init__(self, books: Books, events: Events) -> None:
        self._books = books
        self._events = events

    @staticmethod
    def check_update(form: Form) -> None:
        """What Stripe validates before it looks at the subscription."""
        forms.boolean(form, "cancel_at_period_end")
        forms.choice(form, "proration_behavior", ("always_invoice", "create_prorations", "none"))
        forms.metadata(form)

    @staticmethod
    def check_cancel(form: Form) -> None:
        """The same for a cancellation."""
        forms.boolean(form, "prorate")
        forms.boolean(form, "invoice_now")

    def selected(self, form: Form) -> list[Thing]:
        """The entries of a list: without a status, all that have not been cancelled.

        https://docs.stripe.com/api/subscriptions/list#list_subscriptions-status
        """
        status = form.get("status")
        wanted = form.get("customer")
        return [
            entry
            for entry in self._books.newest_first("subscription", {} if wanted is None else {"customer": wanted})
            if _shown(entry["status"], status)
        ]

    def update(self, subscription: Thing, form: Form, cause: Cause) -> Thing:
        """Set or lift the end of the period as the end of the subscription. Nothing is prorated."""
        ending = forms.boolean(form, "cancel_at_period_end")
        if subscription["status"] in _ENDED and ending is not None:
            raise StripeProblem(400, "A canceled subscription can only update its cancellation_details and metadata.")
        previous = {name: subscription[name] for name in ("cancel_at", "cancel_at_period_end", "canceled_at")}
        if ending is not None:
            subscription |= {
                "cancel_at_period_end": ending,
                "cancel_at": _period_end(subscription) if ending else None,
                "canceled_at": self._books.seconds if ending else None,
            }
            subscription["cancellation_details"]["reason"] = "cancellation_requested" if ending else None
        if ending:
            left = timedelta(seconds=subscription["cancel_at"] - self._books.seconds)
            self._books.later(left, lambda: self._end_if_due(subscription))
        forms.merge_metadata(subscription, forms.metadata(form))
        subscription["cancellation_details"] |= forms.nested(form, "cancellation_details")
        self._books.changed(subscription)
        changed = {name: value for name, value in previous.items() if subscription[name] != value}
        self._events.emit("customer.subscription.updated", subscription, previous=changed, cause=cause)
        return subscription

    def cancel(self, subscription: Thing, form: Form, cause: Cause) -> Thing:
        """End it now. Asked to prorate, the unused time becomes a credit on the next invoice, not money back.

        A second time it is not found. https://docs.stripe.com/api/subscriptions/cancel .
        """
        if subscription["status"] in _ENDED:
            raise missing("subscription", subscription["id"], param="id")
        if forms.boolean(form, "prorate"):
            self._credit(subscription)
        subscription["cancellation_details"] |= forms.nested(form, "cancellation_details")
        self._end(subscription, cause)
        return subscription

    def _end_if_due(self, subscription: Thing) -> None:
        due = subscription["cancel_at"]
        if due is not None and due <= self._books.seconds and subscription["status"] not in _ENDED:
            self._end(subscription, NOBODY)

    def _end(self, subscription: Thing, cause: Cause) -> None:
        now = self._books.seconds
        subscription |= {
            "status": "canceled",
            "canceled_at": subscription["canceled_at"] or now,
            "ended_at": min(now, subscription["cancel_at"] or now),
        }
        subscription["cancellation_details"]["reason"] = "cancellation_requested"
        self._books.changed(subscription)
        self._events.emit("customer.subscription.deleted", subscription, cause=cause)

    def _credit(self, subscription: Thing) -> None:
        (item,) = subscription["items"]["data"]
        start, end, now = item["current_period_start"], item["current_period_end"], self._books.seconds
        unused = max(0, end - now)
        # Half up, in whole minor units.
        credit = (2 * item["price"]["unit_amount"] * unused + (end - start)) // (2 * (end - start))
        if credit:
            self._books.add(
                objects.invoice_item(
                    item_id=self._books.new_id("ii"), subscription=subscription, amount=-credit, created=now, until=end
                ),
            )


def _period_end(subscription: Thing) -> int:
    return max(int(item["current_period_end"]) for item in subscription["items"]["data"])


def _shown(status: str, wanted: str | None) -> bool:
    if wanted is None:
        return status != "canceled"
    if wanted == "ended":
        return status in _ENDED
    return wanted in {"all", status}
