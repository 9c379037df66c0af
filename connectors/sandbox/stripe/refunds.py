"""Refunds: what may be refunded, how much, and what becomes of it.

https://docs.stripe.com/refunds , https://docs.stripe.com/api/refunds . The test card of the charge decides the way a
refund goes (https://docs.stripe.com/testing#refunds):

- 4000000000007726: pending, some time later succeeded, with refund.updated;
- 4000000000005126: succeeded, some time later failed, with refund.failed;
- any other: succeeded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from connectors.sandbox.stripe import forms, objects
from connectors.sandbox.stripe.books import Books
from connectors.sandbox.stripe.forms import Form
from connectors.sandbox.stripe.objects import Thing
from connectors.sandbox.stripe.problems import StripeProblem, invalid
from connectors.sandbox.stripe.webhooks import NOBODY, Cause, Events
from policies.money import Money, exponent

REASONS: Final = ("duplicate", "fraudulent", "requested_by_customer")
_PENDING_CARD: Final = "7726"
_FAILING_CARD: Final = "5126"
_GONE: Final = frozenset({"failed", "canceled"})
_BANK_DECIDES: Final = frozenset({"needs_response", "under_review", "lost"})
_THREE_DECIMALS: Final = 3
# https://docs.stripe.com/currencies#special-cases : two decimals on the wire, none in life.
_WHOLE_ONLY: Final = frozenset({"isk", "ugx"})


class Refunds:
    """The refunds of the account, and the only place that changes what a charge has left."""

    def __init__(self, books: Books, events: Events, *, some_time: timedelta) -> None:
        self._books = books
        self._events = events
        self._some_time = some_time
        self._keys: dict[str, str | None] = {}
        self._of_charge: dict[str, list[Thing]] = {}

    @staticmethod
    def check(form: Form) -> None:
        """What Stripe validates before it looks at the charge."""
        forms.one_of(form, ("charge", "payment_intent"))
        amount = forms.integer(form, "amount")
        if amount is not None and amount < 1:
            raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
        forms.choice(form, "reason", REASONS)
        forms.metadata(form)

    def create(self, form: Form, cause: Cause) -> Thing:
        """A refund through the API. Without an amount it takes all that is left."""
        charge = self._charge(form)
        self._refuse_unrefundable(charge)
        left = charge["amount_captured"] - charge["amount_refunded"]
        if left == 0:
            raise StripeProblem(
                400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
            )
        amount = forms.integer(form, "amount") or left
        if amount > left:
            raise _too_much(charge, amount, left)
        _refuse_unpayable(amount, charge["currency"])
        reason = form.get("reason")
        if reason == "fraudulent":
            charge["fraud_details"] = {"user_report": "fraudulent"}
        return self.make(charge, amount, reason=reason, metadata=forms.metadata(form), cause=cause)

    def make(
        self,
        charge: Thing,
        amount: int,
        *,
        reason: str | None,
        metadata: Mapping[str, str],
        cause: Cause = NOBODY,
        created: int | None = None,
    ) -> Thing:
        """Enter a refund that nothing speaks against, and plan what becomes of it."""
        at = self._books.seconds if created is None else created
        last4 = charge["payment_method_details"]["card"]["last4"]
        refund = objects.refund(
            refund_id=self._books.new_id("re"),
            charge=charge,
            amount=amount,
            status="pending" if last4 == _PENDING_CARD and charge["captured"] else "succeeded",
            reason=reason,
            created=at,
            metadata=metadata,
        )
        self._books.add(refund)
        self._of_charge.setdefault(charge["id"], []).append(refund)
        self._keys[refund["id"]] = cause.idempotency_key
        previous = self._recount(charge)
        self._events.emit("refund.created", refund, cause=cause, created=at)
        self._events.emit("charge.refunded", charge, previous=previous, cause=cause, created=at)
        self._plan(refund, last4)
        return refund

    def update(self, refund: Thing, form: Form, cause: Cause) -> Thing:
        """Metadata is all that can be changed. https://docs.stripe.com/api/refunds/update ."""
        previous = {"metadata": dict(refund["metadata"])}
        forms.merge_metadata(refund, forms.metadata(form))
        self._events.emit("refund.updated", refund, previous=previous, cause=cause)
        return refund

    @staticmethod
    def cancel(refund: Thing) -> Thing:
        """Only a refund that waits for the customer can be cancelled; a card refund never waits.

        https://docs.stripe.com/api/refunds/cancel
        """
        raise StripeProblem(
            400,
            f"Refund {refund['id']} has a status of {refund['status']}. Only a refund with a status of "
            "requires_action can be canceled.",
        )

    def fail(self, refund: Thing, reason: str) -> None:
        """The bank sends the money back: the charge has it left again.

        https://docs.stripe.com/refunds#failed-refunds
        """
        previous = {"status": refund["status"], "failure_reason": None, "failure_balance_transaction": None}
        refund |= {
            "status": "failed",
            "failure_reason": reason,
            "failure_balance_transaction": f"txn_f{refund['id'][3:]}",
        }
        refund.pop("pending_reason", None)
        charge = self._books.require("charge", refund["charge"])
        self._recount(charge)
        self._events.emit("refund.updated", refund, previous=previous)
        self._events.emit("refund.failed", refund)

    def ledger(self) -> list[Thing]:
        """All money that went back, oldest first. The release of an authorisation is none."""
        return [
            {
                "id": refund["id"],
                "charge": refund["charge"],
                "amount_minor": refund["amount"],
                "currency": refund["currency"],
                "status": refund["status"],
                "reason": refund["reason"],
                "metadata": dict(refund["metadata"]),
                "created": refund["created"],
                "idempotency_key": self._keys[refund["id"]],
            }
            for refund in reversed(self._books.newest_first("refund"))
            if self._books.require("charge", refund["charge"])["captured"]
        ]

    def _charge(self, form: Form) -> Thing:
        if form.get("charge"):
            return self._books.require("charge", form["charge"], param="charge")
        intent = self._books.require("payment_intent", form["payment_intent"], param="payment_intent")
        return self._books.require("charge", intent["latest_charge"], param="payment_intent")

    def _refuse_unrefundable(self, charge: Thing) -> None:
        if not charge["captured"]:
            raise StripeProblem(
                400,
                f"The payment of charge {charge['id']} has not been captured: cancel its PaymentIntent "
                f"{charge['payment_intent']} instead of refunding it.",
                code="payment_intent_unexpected_state",
            )
        disputes = self._books.newest_first("dispute", {"charge": charge["id"]})
        if any(entry["status"] in _BANK_DECIDES for entry in disputes):
            raise StripeProblem(
                400, f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
            )

    def _recount(self, charge: Thing) -> Thing:
        """Bring the charge's own figures up to date; what they were before."""
        previous = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
        whole = charge["amount_captured"] if charge["captured"] else charge["amount"]
        refunded = sum(
            entry["amount"] for entry in self._of_charge.get(charge["id"], []) if entry["status"] not in _GONE
        )
        charge |= {"amount_refunded": refunded, "refunded": refunded == whole}
        self._books.changed(charge)
        if charge["refunded"]:
            self._settle_warnings(charge)
        return {name: value for name, value in previous.items() if charge[name] != value}

    def _settle_warnings(self, charge: Thing) -> None:
        for warning in self._books.newest_first("radar.early_fraud_warning", {"charge": charge["id"]}):
            warning["actionable"] = False

    def _plan(self, refund: Thing, last4: str) -> None:
        if refund["status"] == "pending":
            self._books.later(self._some_time, lambda: self._succeed(refund))
        elif last4 == _FAILING_CARD:
            self._books.later(self._some_time, lambda: self.fail(refund, "expired_or_canceled_card"))

    def _succeed(self, refund: Thing) -> None:
        previous = {"status": refund["status"], "pending_reason": refund.pop("pending_reason", None)}
        refund["status"] = "succeeded"
        self._events.emit("refund.updated", refund, previous=previous)


def _too_much(charge: Thing, amount: int, left: int) -> StripeProblem:
    whole = charge["amount_captured"]
    asked, limit = Money(amount, charge["currency"]), Money(whole if amount > whole else left, charge["currency"])
    what = "charge amount" if amount > whole else "unrefunded amount on charge"
    return StripeProblem(400, f"Refund amount ({asked}) is greater than {what} ({limit})", param="amount")


def _refuse_unpayable(amount: int, currency: str) -> None:
    """https://docs.stripe.com/currencies#three-decimal and #special-cases ."""
    step = 10 if exponent(currency) == _THREE_DECIMALS else 100 if currency in _WHOLE_ONLY else 1
    if amount % step:
        raise invalid(f"Invalid amount: an amount in {currency} must be a multiple of {step}", param="amount")
