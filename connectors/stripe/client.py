"""The Stripe adapter: every read and write that Countersign makes, through `stripe.StripeClient`, synchronous.

Promises that a list is complete or raises, that a write sends the stored bytes once under the stored key, and that it
ends in `Done`, `Refused` or `Unknown`. Reads raise the errors of `connectors.errors`. It refuses to retry, to make up
an idempotency key, and to refund without an amount.

It may be shared by threads: each gets its own connections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeVar, cast

import stripe
from stripe.params import (
    CustomerSearchParams,
    PaymentIntentCancelParams,
    RefundCreateParams,
    SubscriptionCancelParams,
    SubscriptionUpdateParams,
)

from connectors.errors import ConfigurationError, VendorRefused, WireError
from connectors.outcome import Done, Unknown, WriteOutcome
from connectors.stripe import bodies, wire
from connectors.stripe.failures import read_failure, write_failure
from connectors.stripe.fields import Json
from connectors.stripe.probe import Probe, probe
from connectors.stripe.transport import open_client
from connectors.stripe.words import SubscriptionStatus

PAGE_SIZE: Final = 100
"""The most that one page may hold. https://docs.stripe.com/api/pagination ."""

_NOT_FOUND: Final = 404
_BAD_REQUEST: Final = 400
_MAX_KEY: Final = 255
_PREFIXES: Final = ("sk_test_", "sk_live_", "rk_test_", "rk_live_")
_SUBSCRIPTION_EXPAND: Final = ["data.latest_invoice.payments"]

View = TypeVar("View")
Params = Mapping[str, object]


class _Listing(Protocol):
    """Any `list` of the SDK, seen without its own parameter type."""

    def __call__(self, params: Params) -> stripe.StripeObject: ...


class StripeAdapter:
    """Stripe for one credential.

    Args:
        api_key: `sk_...` or, better, a restricted `rk_...`.
        base_url: the sandbox's address; `None` is Stripe.
        account: a connected account to act for.
        timeout_s: seconds for connecting and between two bytes of an answer.

    Raises:
        ConfigurationError: the key is not one of Stripe's secret or restricted keys.
    """

    def __init__(self, api_key: str, *, base_url: str | None, account: str | None = None, timeout_s: float) -> None:
        if not api_key.startswith(_PREFIXES):
            raise ConfigurationError("the stripe key is no secret or restricted key: give one that starts with 'rk_'")
        self._client, self._transport = open_client(api_key, base_url=base_url, account=account, timeout_s=timeout_s)
        self._api_key = api_key

    def __repr__(self) -> str:
        return f"StripeAdapter({self._api_key[:8]}...)"

    def close(self) -> None:
        """Close the calling thread's connections."""
        self._transport.close()

    # Reads

    def find_customers(self, *, email: str | None, zendesk_user_id: str | None) -> tuple[wire.CustomerView, ...]:
        """The customers that a requester may be; one alone is an identification, several are not.

        A customer that the shop linked by `metadata.zendesk_user_id` wins. Only without one the address decides, as
        written and in lower case, because Stripe compares it case by case
        (https://docs.stripe.com/api/customers/list#list_customers-email). A single match by address that is linked to
        another Zendesk user is nobody.

        Search lags behind writes and is closed to merchants in India (https://docs.stripe.com/search#data-freshness).
        So each hit is read again by id before it counts, and a refused search leaves only the address.
        """
        linked = self._linked_customers(zendesk_user_id) if zendesk_user_id else ()
        if linked or not email:
            return linked
        found = {
            view.customer_id: view
            for spelling in dict.fromkeys((email, email.lower()))
            for view in self._list(self._client.v1.customers.list, {"email": spelling}, wire.customer)
            if view is not None
        }
        matches = tuple(found.values())
        if zendesk_user_id:
            mine = tuple(view for view in matches if view.zendesk_user_id == zendesk_user_id)
            if mine:
                return mine
        if len(matches) == 1 and matches[0].zendesk_user_id not in {None, zendesk_user_id}:
            return ()
        return matches

    def charges_of(self, customer_id: str, *, since: datetime) -> tuple[wire.ChargeView, ...]:
        """All charges of a customer made at or after `since`, newest first.

        https://docs.stripe.com/api/charges/list
        """
        params = {"customer": customer_id, "created": {"gte": int(since.timestamp())}}
        return tuple(self._list(self._client.v1.charges.list, params, wire.charge))

    def charge(self, charge_id: str) -> wire.ChargeView:
        """One charge as it is now. https://docs.stripe.com/api/charges/retrieve ."""
        return wire.charge(self._read(lambda: self._client.v1.charges.retrieve(charge_id)))

    def refund(self, refund_id: str) -> wire.RefundView:
        """One refund as it is now. https://docs.stripe.com/api/refunds/retrieve ."""
        return wire.refund(self._read(lambda: self._client.v1.refunds.retrieve(refund_id)))

    def refunds_of(self, charge_id: str) -> tuple[wire.RefundView, ...]:
        """Every refund of a charge, ours or not, newest first; complete, and never from search.

        https://docs.stripe.com/api/refunds/list
        """
        return tuple(self._list(self._client.v1.refunds.list, {"charge": charge_id}, wire.refund))

    def refunds_since(self, created_gte: datetime) -> tuple[wire.RefundView, ...]:
        """Every refund of the account made at or after a time, newest first."""
        params = {"created": {"gte": int(created_gte.timestamp())}}
        return tuple(self._list(self._client.v1.refunds.list, params, wire.refund))

    def disputes_of(self, charge_id: str) -> tuple[wire.DisputeView, ...]:
        """Disputes and inquiries about a charge, newest first. https://docs.stripe.com/api/disputes/list ."""
        return tuple(self._list(self._client.v1.disputes.list, {"charge": charge_id}, wire.dispute))

    def early_fraud_warnings_of(self, charge_id: str) -> tuple[wire.EarlyFraudWarningView, ...]:
        """Early fraud warnings about a charge. https://docs.stripe.com/api/radar/early_fraud_warnings/list ."""
        warnings = self._client.v1.radar.early_fraud_warnings.list
        return tuple(self._list(warnings, {"charge": charge_id}, wire.early_fraud_warning))

    def subscriptions_of(self, customer_id: str) -> tuple[wire.SubscriptionView, ...]:
        """A customer's subscriptions, ended ones too, with the payment of the latest invoice.

        https://docs.stripe.com/api/subscriptions/list
        """
        params = {"customer": customer_id, "status": "all", "expand": _SUBSCRIPTION_EXPAND}
        return tuple(self._list(self._client.v1.subscriptions.list, params, wire.subscription))

    def subscription(self, subscription_id: str) -> wire.SubscriptionView:
        """One subscription as it is now, ended or not. https://docs.stripe.com/api/subscriptions/retrieve ."""
        return wire.subscription(self._read(lambda: self._client.v1.subscriptions.retrieve(subscription_id)))

    def payment(self, payment_intent_id: str) -> wire.PaymentView:
        """One payment intent as it is now. https://docs.stripe.com/api/payment_intents/retrieve ."""
        return wire.payment(self._read(lambda: self._client.v1.payment_intents.retrieve(payment_intent_id)))

    def probe(self) -> Probe:
        """What the credential may do, found out without any effect; see `connectors.stripe.probe`."""
        return probe(self._client, self._api_key)

    # Writes

    def create_refund(self, body: str, *, idempotency_key: str) -> WriteOutcome[wire.RefundView]:
        """Send one stored refund. A pending refund is `Done` too: Stripe has taken it on.

        Args:
            body: what `bodies.refund_body` wrote, unchanged.
            idempotency_key: the stored key. Stripe forgets it after 24 hours at the earliest: before sending anything
                older, look for `metadata.intent_id` among `refunds_of` (https://docs.stripe.com/api/idempotent_requests).

        Raises:
            ValueError: body or key cannot be what was stored; nothing was sent.
        """
        form = cast("RefundCreateParams", bodies.form_of(body))
        options = _options(idempotency_key)
        return self._write(lambda: self._client.v1.refunds.create(form, options), wire.refund)

    def cancel_subscription(self, body: str, *, idempotency_key: str) -> WriteOutcome[wire.SubscriptionView]:
        """End a subscription at the end of its period, or now.

        Cancelling now is a DELETE, which keeps no idempotency key: the second one answers 404. So a 404 is looked into,
        and a subscription that has already ended is `Done`. https://docs.stripe.com/api/subscriptions/cancel .
        """
        form = bodies.form_of(body)
        subscription_id = form.pop(bodies.SUBSCRIPTION)
        options = _options(idempotency_key)
        subscriptions = self._client.v1.subscriptions
        if bodies.CancelWhen(form.pop(bodies.WHEN)) is bodies.CancelWhen.PERIOD_END:
            update = cast("SubscriptionUpdateParams", form)
            return self._write(lambda: subscriptions.update(subscription_id, update, options), wire.subscription)
        cancel = cast("SubscriptionCancelParams", form)
        outcome = self._write(lambda: subscriptions.cancel(subscription_id, cancel), wire.subscription)
        if isinstance(outcome, Done | Unknown) or outcome.status != _NOT_FOUND:
            return outcome
        found = self._write(lambda: subscriptions.retrieve(subscription_id), wire.subscription)
        if isinstance(found, Done) and found.value.status is not SubscriptionStatus.CANCELED:
            return outcome
        return found

    def cancel_payment(self, body: str, *, idempotency_key: str) -> WriteOutcome[wire.PaymentView]:
        """Release an authorised payment that was never captured.

        https://docs.stripe.com/api/payment_intents/cancel
        """
        form = bodies.form_of(body)
        payment_intent_id = form.pop(bodies.PAYMENT_INTENT)
        params = cast("PaymentIntentCancelParams", form)
        options = _options(idempotency_key)
        return self._write(
            lambda: self._client.v1.payment_intents.cancel(payment_intent_id, params, options), wire.payment
        )

    # How a call is made

    def _linked_customers(self, zendesk_user_id: str) -> tuple[wire.CustomerView, ...]:
        quoted = zendesk_user_id.replace("\\", "\\\\").replace('"', '\\"')
        params: CustomerSearchParams = {"query": f'metadata["{wire.ZENDESK_USER_KEY}"]:"{quoted}"', "limit": PAGE_SIZE}
        try:
            hits = _entries(self._read(lambda: self._client.v1.customers.search(params)))
        except VendorRefused as error:
            if error.status != _BAD_REQUEST:
                raise
            return ()
        views = (self._customer(_id(hit)) for hit in hits)
        return tuple(view for view in views if view is not None and view.zendesk_user_id == zendesk_user_id)

    def _customer(self, customer_id: str) -> wire.CustomerView | None:
        return wire.customer(self._read(lambda: self._client.v1.customers.retrieve(customer_id)))

    def _read(self, call: Callable[[], stripe.StripeObject]) -> Json:
        try:
            return call().to_dict()
        except stripe.StripeError as error:
            raise read_failure(error) from error

    def _list(self, listing: object, params: Params, parse: Callable[[Json], View]) -> Iterator[View]:
        """Every object of a list, page by page.

        The SDK's own paging stops in silence at an empty page that says there is more; for money that is an error.
        """
        pages = cast("_Listing", listing)
        after: dict[str, object] = {}
        while True:
            page = self._read(partial(pages, {**params, "limit": PAGE_SIZE, **after}))
            entries = _entries(page)
            yield from (parse(entry) for entry in entries)
            if page.get("has_more") is False:
                return
            if page.get("has_more") is not True or not entries:
                raise WireError("stripe's list does not say where it ends: read it again later")
            after = {"starting_after": _id(entries[-1])}

    def _write(self, call: Callable[[], stripe.StripeObject], parse: Callable[[Json], View]) -> WriteOutcome[View]:
        request_id: str | None = None
        try:
            answer = call()
            response = answer.last_response
            request_id = None if response is None else response.request_id
            return Done(parse(answer.to_dict()), request_id=request_id)
        except stripe.StripeError as error:
            return write_failure(error)
        except WireError as error:
            # A 2xx that we cannot read: the effect happened, and what it was must be looked up.
            return Unknown(why="unreadable", detail=str(error), status=200, request_id=request_id)


def _options(idempotency_key: str) -> stripe.RequestOptions:
    if not 0 < len(idempotency_key) <= _MAX_KEY:
        raise ValueError(
            f"idempotency key {idempotency_key!r} must have 1 to {_MAX_KEY} characters: pass the stored key"
        )
    return {"idempotency_key": idempotency_key}


def _entries(page: Json) -> tuple[Json, ...]:
    entries = page.get("data")
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise WireError("stripe's list has no data: check the address of the api")
    return tuple(entries)


def _id(entry: Json) -> str:
    value = entry.get("id")
    if not isinstance(value, str):
        raise WireError("stripe's list has an object without an id: check the address of the api")
    return value
