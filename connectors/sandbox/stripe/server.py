"""Stripe, as one object: routes to mount, `add_*` to furnish it, `ledger` to judge by.

Promises that every change goes through one lock, that the same seed and calls give the same ids, and that `ledger` is
kept by the double alone. It refuses to be kinder than Stripe: a replayed 500 stays a 500, a pruned key is a new
request, and two partial refunds under two keys are two refunds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connectors.sandbox.deliveries import Deliveries
from connectors.sandbox.faults import Faults
from connectors.sandbox.stripe import objects
from connectors.sandbox.stripe.books import Books
from connectors.sandbox.stripe.keys import Keys
from connectors.sandbox.stripe.objects import Thing, unix
from connectors.sandbox.stripe.operations import Operation, Operations
from connectors.sandbox.stripe.pipeline import Pipeline
from connectors.sandbox.stripe.refunds import Refunds
from connectors.sandbox.stripe.webhooks import Events
from policies.money import Money

_ACCOUNT_AGE: Final = timedelta(days=365)
_DISPUTED_CARDS: Final = {
    # https://docs.stripe.com/testing#disputes
    "4000000000000259": ("fraudulent", "needs_response"),
    "4000000000002685": ("product_not_received", "needs_response"),
    "4000000000001976": ("general", "warning_needs_response"),
}
_WARNED_CARD: Final = "4000000000005423"
_CLOSED: Final = frozenset({"won", "lost", "warning_closed", "prevented"})


class StripeDouble:
    """The double of Stripe.

    Args:
        now: sandbox time, aware.
        faults: asked once per request, at places such as `stripe.refunds.create` or `stripe.charges.list`.
        deliveries: sends the webhooks, at the place `stripe.webhook`.
        keys: permissions by API key; `*` is all. An unknown key gets 401, a missing permission 403.
        webhook_secret: `whsec_...`.
        webhook_url: where events go; `None` sends none.
        seed: makes the ids.
        search_delay_s: how long search lags behind; Stripe says under a minute.
        some_time_s: after how long a pending refund succeeds or a failing one fails, in sandbox time.
    """

    def __init__(  # noqa: PLR0913 - what an account consists of
        self,
        *,
        now: Callable[[], datetime],
        faults: Faults,
        deliveries: Deliveries,
        keys: Mapping[str, frozenset[str]],
        webhook_secret: str,
        webhook_url: str | None,
        seed: int,
        search_delay_s: float = 45.0,
        some_time_s: float = 60.0,
    ) -> None:
        self._lock = threading.RLock()
        self._books = Books(now=now, seed=seed, search_delay=timedelta(seconds=search_delay_s))
        self.account = self._books.new_id("acct")
        self._events = Events(self._books, deliveries, url=webhook_url, secret=webhook_secret)
        self._refunds = Refunds(self._books, self._events, some_time=timedelta(seconds=some_time_s))
        self._operations = Operations(self._books, self._events, self._refunds)
        self._pipeline = Pipeline(
            books=self._books,
            keys=Keys(keys, account=self.account),
            faults=faults,
            lock=self._lock,
            tick=self._books.run_due,
            account=self.account,
        )

    def routes(self) -> list[BaseRoute]:
        """Everything under `/v1/` that the double answers."""
        return [
            Route(operation.path, self._endpoint(operation), methods=[operation.method])
            for operation in self._operations.all()
        ]

    def _endpoint(self, operation: Operation) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            return await self._pipeline.serve(operation, request)

        return endpoint

    def tick(self) -> None:
        """Let happen what the clock has made due; each request does so too."""
        with self._lock:
            self._books.run_due()

    def prune(self) -> None:
        """Forget all finished idempotency keys now, as if a day had passed."""
        with self._lock:
            self._pipeline.store.prune_all()

    def ledger(self) -> list[Thing]:
        """Every refund of captured money, oldest first.

        Keys: `id`, `charge`, `amount_minor`, `currency`, `status`, `reason`, `metadata`, `created` (Unix seconds),
        `idempotency_key` (`None` for one that did not come through the API).
        """
        with self._lock:
            self._books.run_due()
            return self._refunds.ledger()

    def shows(self, kind: str, name: str) -> Thing:
        """A copy of one object as it stands: kind `charge`, `payment_intent`, `subscription` and so on, and its id."""
        with self._lock:
            self._books.run_due()
            return dict(self._books.require(kind, name))

    def add_customer(self, *, email: str | None, name: str | None, metadata: Mapping[str, str] | None = None) -> str:
        """A customer of long standing, which search knows; its id."""
        with self._lock:
            made = objects.customer(
                customer_id=self._books.new_id("cus"),
                email=email,
                name=name,
                created=unix(self._books.now - _ACCOUNT_AGE),
                metadata=metadata or {},
            )
            return str(self._books.add(made, searchable_at_once=True)["id"])

    def add_charge(  # noqa: PLR0913 - what a charge is made of
        self,
        *,
        customer: str | None,
        amount_minor: int,
        currency: str,
        created: datetime,
        description: str = "",
        metadata: Mapping[str, str] | None = None,
        card: str = "4242424242424242",
        captured: bool = True,
        risk_level: str = "normal",
        billing_email: str | None = None,
    ) -> str:
        """A charge that succeeded, with its payment intent; its id.

        `card` is a number of https://docs.stripe.com/testing : some decide what becomes of refunds, some dispute.

        Raises:
            MoneyError: an amount or currency that cannot be.
            ValueError: an unknown test card.
        """
        Money(amount_minor, currency)
        if card not in objects.CARDS:
            raise ValueError(f"unknown test card {card!r}: use one of {', '.join(objects.CARDS)}")
        with self._lock:
            if customer is not None:
                self._books.require("customer", customer)
            # Customers share the few test numbers, but not their cards.
            fingerprint = self._books.token(f"card:{customer}:{card}")[:16]
            made = objects.charge(
                charge_id=self._books.new_id("ch"),
                intent_id=self._books.new_id("pi"),
                customer=customer,
                amount=amount_minor,
                currency=currency,
                created=unix(created),
                description=description,
                metadata=metadata or {},
                card=objects.card_details(card, fingerprint),
                captured=captured,
                risk_level=risk_level,
                billing_email=billing_email,
            )
            self._books.add(made, searchable_at_once=True)
            intent = objects.payment_intent(intent_id=made["payment_intent"], charge=made)
            self._books.add(intent, searchable_at_once=True)
            self._events.emit("charge.succeeded", made, created=unix(created))
        self._trouble(made["id"], card, created)
        return str(made["id"])

    def _trouble(self, charge: str, card: str, created: datetime) -> None:
        if card in _DISPUTED_CARDS:
            reason, status = _DISPUTED_CARDS[card]
            self.add_dispute(charge=charge, reason=reason, status=status, created=created)
        if card == _WARNED_CARD:
            self.add_early_fraud_warning(charge=charge, created=created)

    def add_refund(
        self,
        *,
        charge: str,
        amount_minor: int,
        created: datetime,
        metadata: Mapping[str, str] | None = None,
        reason: str | None = None,
    ) -> str:
        """A refund made by a person in the Dashboard; its id.

        Raises:
            ValueError: the charge has less left.
        """
        with self._lock:
            target = self._books.require("charge", charge)
            left = target["amount_captured"] - target["amount_refunded"]
            if not 0 < amount_minor <= left:
                raise ValueError(f"cannot refund {amount_minor} of charge {charge!r}: it has {left} left")
            made = self._refunds.make(
                target, amount_minor, reason=reason, metadata=metadata or {}, created=unix(created)
            )
            return str(made["id"])

    def fail_refund(self, refund: str, *, reason: str = "declined") -> None:
        """Let a refund fail now, as a bank may days later."""
        with self._lock:
            self._refunds.fail(self._books.require("refund", refund), reason)

    def add_dispute(self, *, charge: str, reason: str, status: str, created: datetime) -> str:
        """A dispute, or with a `warning_` status an inquiry, which leaves the charge refundable; its id."""
        with self._lock:
            target = self._books.require("charge", charge)
            target["disputed"] = True
            self._books.changed(target)
            refundable = status.startswith("warning_") and not target["refunded"]
            made = objects.dispute(
                dispute_id=self._books.new_id("dp"),
                charge=target,
                reason=reason,
                status=status,
                refundable=refundable,
                created=unix(created),
            )
            self._books.add(made)
            self._events.emit("charge.dispute.created", made, created=unix(created))
            return str(made["id"])

    def change_dispute(self, dispute: str, *, status: str) -> None:
        """The bank's next word."""
        with self._lock:
            target = self._books.require("dispute", dispute)
            previous = {"status": target["status"]}
            target |= {"status": status, "is_charge_refundable": status.startswith("warning_")}
            kind = "charge.dispute.closed" if status in _CLOSED else "charge.dispute.updated"
            self._events.emit(kind, target, previous=previous)

    def add_early_fraud_warning(self, *, charge: str, created: datetime, actionable: bool = True) -> str:
        """A card issuer's warning; its id."""
        with self._lock:
            target = self._books.require("charge", charge)
            made = objects.early_fraud_warning(
                warning_id=self._books.new_id("issfr"), charge=target, actionable=actionable, created=unix(created)
            )
            self._books.add(made)
            self._events.emit("radar.early_fraud_warning.created", made, created=unix(created))
            return str(made["id"])

    def add_subscription(
        self,
        *,
        customer: str,
        price_minor: int,
        currency: str,
        interval: str,
        current_period_start: datetime,
        status: str = "active",
        latest_charge: str | None = None,
    ) -> str:
        """A subscription in its current period, paid by `latest_charge` where there is one; its id.

        `interval` is `day`, `week`, `month` (30 days here) or `year` (365).
        """
        Money(price_minor, currency)
        with self._lock:
            self._books.require("customer", customer)
            made = objects.subscription(
                subscription_id=self._books.new_id("sub"),
                customer=customer,
                price_minor=price_minor,
                currency=currency,
                interval=interval,
                start=unix(current_period_start),
                status=status,
                latest_invoice=None,
            )
            self._books.add(made, searchable_at_once=True)
            if latest_charge is not None:
                self._invoice(made, self._books.require("charge", latest_charge))
            return str(made["id"])

    def _invoice(self, subscription: Thing, charge: Thing) -> None:
        invoice_id = self._books.new_id("in")
        subscription["latest_invoice"] = invoice_id
        self._books.add(objects.invoice(invoice_id=invoice_id, subscription=subscription, charge=charge))
        payment_id = self._books.new_id("inpay")
        self._books.add(objects.invoice_payment(payment_id=payment_id, invoice_id=invoice_id, charge=charge))
