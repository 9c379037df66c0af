"""The endpoints of the double, one line each: where a fault can strike, what is allowed, checked and done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from connectors.sandbox.stripe import forms, listing, objects, search
from connectors.sandbox.stripe.books import Books
from connectors.sandbox.stripe.forms import Form
from connectors.sandbox.stripe.objects import Thing
from connectors.sandbox.stripe.payments import Payments
from connectors.sandbox.stripe.refunds import Refunds
from connectors.sandbox.stripe.subscriptions import STATUSES, Subscriptions
from connectors.sandbox.stripe.webhooks import Cause, Events


@dataclass(frozen=True, slots=True)
class Call:
    """One request that passed authentication. `target` is the id in the path, empty where there is none."""

    form: Form
    target: str
    path: str
    cause: Cause


def _nothing(form: Form) -> None:
    """No check beyond the names of the parameters."""
    del form


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint.

    `place` is where a fault file aims. `permission` is what a restricted key needs. `check` is validation: what it
    refuses is not kept under an idempotency key; what `run` refuses is.
    """

    place: str
    method: str
    path: str
    permission: str
    allowed: frozenset[str]
    run: Callable[[Call], Thing]
    check: Callable[[Form], None] = field(default=_nothing)


_LISTS: Final = {
    # kind: (path, resource of the permission, filters, name of the place)
    "customer": ("/v1/customers", "customer", frozenset({"email"}), "customers"),
    "charge": ("/v1/charges", "charge", frozenset({"customer", "payment_intent"}), "charges"),
    "refund": ("/v1/refunds", "charge", frozenset({"charge", "payment_intent"}), "refunds"),
    "dispute": ("/v1/disputes", "dispute", frozenset({"charge", "payment_intent"}), "disputes"),
    "radar.early_fraud_warning": (
        "/v1/radar/early_fraud_warnings",
        "radar_early_fraud_warning",
        frozenset({"charge", "payment_intent"}),
        "early_fraud_warnings",
    ),
    "payment_intent": ("/v1/payment_intents", "payment_intent", frozenset({"customer"}), "payment_intents"),
    "invoiceitem": ("/v1/invoiceitems", "invoice", frozenset({"customer"}), "invoiceitems"),
    "event": ("/v1/events", "event", frozenset({"type"}), "events"),
}
_SEARCHES: Final = {
    "customer": ("/v1/customers", "customer", "customers"),
    "charge": ("/v1/charges", "charge", "charges"),
    "payment_intent": ("/v1/payment_intents", "payment_intent", "payment_intents"),
    "subscription": ("/v1/subscriptions", "subscription", "subscriptions"),
}
_REFERENCES: Final = ("customer", "charge", "payment_intent")
_CUSTOMER: Final = frozenset({"email", "name", "metadata", "description", "phone", "expand"})
_REFUND: Final = frozenset(
    {
        "amount",
        "charge",
        "currency",
        "customer",
        "expand",
        "instructions_email",
        "metadata",
        "origin",
        "payment_intent",
        "reason",
        "refund_application_fee",
        "reverse_transfer",
    },
)
_EXPAND: Final = frozenset({"expand"})


class Operations:
    """All endpoints over one set of books."""

    def __init__(self, books: Books, events: Events, refunds: Refunds) -> None:
        self._books = books
        self._refunds = refunds
        self._payments = Payments(books, events, refunds)
        self._subscriptions = Subscriptions(books, events)

    def all(self) -> Iterator[Operation]:
        """Fixed paths before those with an id in them, which would else swallow `search`."""
        yield from (self._search(kind) for kind in _SEARCHES)
        for kind in _LISTS:
            yield self._list(kind)
            yield self._retrieve(kind)
        yield from self._customers()
        yield from self._refund_writes()
        yield from self._payment_writes()
        yield from self._subscription_calls()

    def _list(self, kind: str) -> Operation:
        path, resource, filters, name = _LISTS[kind]

        def run(call: Call) -> Thing:
            for reference in _REFERENCES:
                if reference in filters and call.form.get(reference):
                    self._books.require(reference, call.form[reference], param=reference, status=400)
            wanted = {key: call.form[key] for key in filters if key in call.form}
            return listing.page(self._books, kind, self._books.newest_first(kind, wanted), call.form, url=path)

        allowed = filters | listing.PAGING | {"created"}
        return Operation(f"stripe.{name}.list", "GET", path, f"{resource}_read", allowed, run, listing.check)

    def _retrieve(self, kind: str) -> Operation:
        path, resource, _, name = _LISTS[kind]
        return Operation(
            f"stripe.{name}.retrieve", "GET", f"{path}/{{id}}", f"{resource}_read", _EXPAND, self._one(kind)
        )

    def _search(self, kind: str) -> Operation:
        path, resource, name = _SEARCHES[kind]
        url = f"{path}/search"
        return Operation(
            f"stripe.{name}.search",
            "GET",
            url,
            f"{resource}_read",
            frozenset({"query", "limit", "page", "expand"}),
            lambda call: search.find(self._books, kind, call.form, url=url),
            search.check,
        )

    def _one(self, kind: str) -> Callable[[Call], Thing]:
        return lambda call: listing.expanded(self._books, dict(self._books.require(kind, call.target)), call.form)

    def _customers(self) -> Iterator[Operation]:
        place, path, need = "stripe.customers", "/v1/customers", "customer_write"

        def create(call: Call) -> Thing:
            made = objects.customer(
                customer_id=self._books.new_id("cus"),
                email=call.form.get("email"),
                name=call.form.get("name"),
                created=self._books.seconds,
                metadata=forms.metadata(call.form),
            )
            return self._books.add(made)

        def update(call: Call) -> Thing:
            customer = self._books.require("customer", call.target)
            customer |= {name: call.form[name] or None for name in ("email", "name") if name in call.form}
            forms.merge_metadata(customer, forms.metadata(call.form))
            self._books.changed(customer)
            return customer

        def check(form: Form) -> None:
            forms.metadata(form)

        yield Operation(f"{place}.create", "POST", path, need, _CUSTOMER, create, check)
        yield Operation(f"{place}.update", "POST", f"{path}/{{id}}", need, _CUSTOMER, update, check)

    def _refund_writes(self) -> Iterator[Operation]:
        place, path, need = "stripe.refunds", "/v1/refunds", "charge_write"
        yield Operation(
            f"{place}.create",
            "POST",
            path,
            need,
            _REFUND,
            lambda call: listing.expanded(self._books, dict(self._refunds.create(call.form, call.cause)), call.form),
            self._refunds.check,
        )
        yield Operation(
            f"{place}.update",
            "POST",
            f"{path}/{{id}}",
            need,
            frozenset({"metadata", "expand"}),
            lambda call: self._refunds.update(self._books.require("refund", call.target), call.form, call.cause),
        )
        yield Operation(
            f"{place}.cancel",
            "POST",
            f"{path}/{{id}}/cancel",
            need,
            _EXPAND,
            lambda call: self._refunds.cancel(self._books.require("refund", call.target)),
        )

    def _payment_writes(self) -> Iterator[Operation]:
        place, path, need = "stripe.payment_intents", "/v1/payment_intents/{id}", "payment_intent_write"
        yield Operation(
            f"{place}.cancel",
            "POST",
            f"{path}/cancel",
            need,
            frozenset({"cancellation_reason", "expand"}),
            lambda call: self._payments.cancel(
                self._books.require("payment_intent", call.target, param="intent"), call.form, call.cause
            ),
            self._payments.check_cancel,
        )
        yield Operation(
            f"{place}.capture",
            "POST",
            f"{path}/capture",
            need,
            frozenset({"expand", "metadata"}),
            lambda call: self._payments.capture(
                self._books.require("payment_intent", call.target, param="intent"), call.form, call.cause
            ),
        )

    def _subscription_calls(self) -> Iterator[Operation]:
        place, path = "stripe.subscriptions", "/v1/subscriptions"
        one = f"{path}/{{id}}"

        def run_list(call: Call) -> Thing:
            entries = self._subscriptions.selected(call.form)
            return listing.page(self._books, "subscription", entries, call.form, url=path)

        def check_list(form: Form) -> None:
            listing.check(form)
            forms.choice(form, "status", STATUSES)

        filters = listing.PAGING | {"created", "customer", "status"}
        yield Operation(f"{place}.list", "GET", path, "subscription_read", filters, run_list, check_list)
        yield Operation(f"{place}.retrieve", "GET", one, "subscription_read", _EXPAND, self._one("subscription"))
        yield Operation(
            f"{place}.update",
            "POST",
            one,
            "subscription_write",
            frozenset({"cancel_at_period_end", "metadata", "proration_behavior", "cancellation_details", "expand"}),
            lambda call: self._subscriptions.update(
                self._books.require("subscription", call.target), call.form, call.cause
            ),
            self._subscriptions.check_update,
        )
        yield Operation(
            f"{place}.cancel",
            "DELETE",
            one,
            "subscription_write",
            frozenset({"prorate", "invoice_now", "cancellation_details", "expand"}),
            lambda call: self._subscriptions.cancel(
                self._books.require("subscription", call.target), call.form, call.cause
            ),
            self._subscriptions.check_cancel,
        )
