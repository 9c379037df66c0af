"""How each kind of effect is sent, and how one finds out afterwards whether it happened.

This is the one place where the settlement meets the adapters. A post returns one of the three outcomes and never raises
for what a vendor does; a look is complete (Stripe's list by charge, Zendesk's audits of the ticket), never a search,
which lags behind (https://docs.stripe.com/search#data-freshness).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from connectors.outcome import Done, WriteOutcome
from connectors.stripe.bodies import PAYMENT_INTENT, SUBSCRIPTION, WHEN, CancelWhen, form_of
from connectors.stripe.client import StripeAdapter
from connectors.stripe.wire import ChargeView, PaymentView, RefundView, SubscriptionView
from connectors.stripe.words import PaymentStatus, SubscriptionStatus
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.update import UpdateView
from graph.casefile import TWIN_WINDOW, twin_of
from graph.settlement.models import EffectKind
from graph.snapshot import version_of

View = TypeVar("View")


@dataclass(frozen=True, slots=True)
class Sendable:
    """What a post needs: the stored key and the stored body, never anything made anew."""

    effect_id: str
    kind: EffectKind
    ticket_id: str
    charge_id: str | None
    idempotency_key: str
    body: str
    has_ticket_stamp: bool = False
    is_duplicate: bool = False


@dataclass(frozen=True, slots=True)
class VendorAnswer:
    """What the vendor calls the thing that happened. `came_back` says that its money is with us again already."""

    vendor_object: str | None
    vendor_status: str | None
    came_back: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """What an effect rests on, as it is now; None where that does not matter to it.

    `has_lost_its_twin`: the payment that made this one a duplicate was given back, so that this one is none any more.
    """

    ticket_stamp: str | None = None
    refunded_minor: int | None = None
    is_disputed: bool = False
    has_lost_its_twin: bool = False


@dataclass(frozen=True, slots=True)
class Performer:
    """All are blocking and run in a thread, outside any transaction.

    `find` returns None only where a complete look found nothing; it raises a `ConnectorError` where it cannot tell, and
    so does `present`. `looks_first` is true where a second post with the same key would be a second effect.
    """

    post: Callable[[Sendable], WriteOutcome[VendorAnswer]]
    find: Callable[[Sendable], VendorAnswer | None]
    looks_first: bool = False
    present: Callable[[Sendable], Present] | None = None


Performers = Mapping[EffectKind, Performer]


def performers(stripe: StripeAdapter, zendesk: ZendeskAdapter) -> Performers:
    """Every kind of effect, through a tenant's adapters."""
    return {
        EffectKind.REFUND: _refunds(stripe, zendesk),
        EffectKind.CANCEL_SUBSCRIPTION: _subscriptions(stripe),
        EffectKind.CANCEL_PAYMENT: _payments(stripe),
        EffectKind.ZENDESK_UPDATE: _updates(zendesk),
    }


def _version(zendesk: ZendeskAdapter, ticket_id: int) -> str:
    # The ticket first: what is written between the two reads makes the version later, never earlier.
    digest = zendesk.ticket(ticket_id).digest
    return version_of(digest, max(comment.comment_id for comment in zendesk.comments(ticket_id)))


def _refunds(stripe: StripeAdapter, zendesk: ZendeskAdapter) -> Performer:
    def post(effect: Sendable) -> WriteOutcome[VendorAnswer]:
        return _told(stripe.create_refund(effect.body, idempotency_key=effect.idempotency_key), refund_answer)

    def find(effect: Sendable) -> VendorAnswer | None:
        assert effect.charge_id is not None
        ours = [view for view in stripe.refunds_of(effect.charge_id) if view.intent_id == effect.effect_id]
        return refund_answer(ours[0]) if ours else None

    def present(effect: Sendable) -> Present:
        assert effect.charge_id is not None
        charge = stripe.charge(effect.charge_id)
        stamp = _version(zendesk, int(effect.ticket_id)) if effect.has_ticket_stamp else None
        return Present(stamp, charge.refunded.minor, charge.is_disputed, effect.is_duplicate and not has_twin(charge))

    def has_twin(charge: ChargeView) -> bool:
        if charge.customer_id is None:
            return False
        beside = stripe.charges_of(charge.customer_id, since=charge.created_at - TWIN_WINDOW)
        return twin_of(charge, beside) is not None

    return Performer(post, find, present=present)


def refund_answer(refund: RefundView) -> VendorAnswer:
    """A refund as the settlement sees it. Pending counts as happened: the vendor has it and nobody else may."""
    return VendorAnswer(refund.refund_id, refund.status.value, came_back=not refund.status.holds_money)


def _subscriptions(stripe: StripeAdapter) -> Performer:
    def post(effect: Sendable) -> WriteOutcome[VendorAnswer]:
        return _told(stripe.cancel_subscription(effect.body, idempotency_key=effect.idempotency_key), _subscription)

    def find(effect: Sendable) -> VendorAnswer | None:
        form = form_of(effect.body)
        view = stripe.subscription(form[SUBSCRIPTION])
        # A cancellation has no object of its own: that the subscription ends is what was wanted, whoever did it.
        ends = view.cancel_at_period_end and form[WHEN] == CancelWhen.PERIOD_END.value
        return _subscription(view) if ends or view.status is SubscriptionStatus.CANCELED else None

    return Performer(post, find)


def _subscription(view: SubscriptionView) -> VendorAnswer:
    return VendorAnswer(view.subscription_id, view.status.value)


def _payments(stripe: StripeAdapter) -> Performer:
    def post(effect: Sendable) -> WriteOutcome[VendorAnswer]:
        return _told(stripe.cancel_payment(effect.body, idempotency_key=effect.idempotency_key), _payment)

    def find(effect: Sendable) -> VendorAnswer | None:
        view = stripe.payment(form_of(effect.body)[PAYMENT_INTENT])
        return _payment(view) if view.status is PaymentStatus.CANCELED else None

    return Performer(post, find)


def _payment(view: PaymentView) -> VendorAnswer:
    return VendorAnswer(view.payment_intent_id, view.status.value)


def _updates(zendesk: ZendeskAdapter) -> Performer:
    def post(effect: Sendable) -> WriteOutcome[VendorAnswer]:
        return _told(zendesk.update_ticket(int(effect.ticket_id), effect.body), _update)

    def find(effect: Sendable) -> VendorAnswer | None:
        has_comment = "comment" in json.loads(effect.body)["ticket"]
        found = zendesk.find_marker(int(effect.ticket_id), effect.effect_id, has_comment=has_comment)
        return VendorAnswer(effect.ticket_id, None) if found else None

    # https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency : creating a ticket only.
    return Performer(post, find, looks_first=True)


def _update(view: UpdateView) -> VendorAnswer:
    return VendorAnswer(str(view.ticket.ticket_id), view.ticket.status)


def _told(outcome: WriteOutcome[View], tell: Callable[[View], VendorAnswer]) -> WriteOutcome[VendorAnswer]:
    return Done(tell(outcome.value), outcome.request_id) if isinstance(outcome, Done) else outcome
