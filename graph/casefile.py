"""From a dossier to the facts of one candidate action. Pure; a fact without a source is left out and so is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from connectors.orders.wire import Category, Fulfilment, ItemView, OrderView
from connectors.stripe.wire import ChargeView, SubscriptionView
from connectors.stripe.words import DisputeStatus, RiskLevel
from graph.dossier import ChargeHistory, Dossier
from graph.models.triage import Claims, Triage
from graph.naming import names_charge, same_order_id
from policies.facts import Facts
from policies.proposal import Candidate
from policies.vocabulary import ActionKind

TWIN_WINDOW: Final = timedelta(hours=48)
"""How close two equal charges must stand to count as twins."""

PRICE_SUFFIX: Final = ":price"
"""Marks a price adjustment's item key: it is not the refund of the item, which may still come."""
_MOVES_MONEY: Final = frozenset({ActionKind.REFUND, ActionKind.CANCEL_PAYMENT, ActionKind.STORE_CREDIT})
_SPEAKS: Final = frozenset({ActionKind.REPLY, ActionKind.ASK_CUSTOMER})
_CATEGORY_STRICTNESS: Final = (Category.PHYSICAL, Category.PERISHABLE, Category.DIGITAL, Category.CUSTOM)

Values = dict[str, object]


def facts_for(
    candidate: Candidate,
    dossier: Dossier,
    triage: Triage,
    *,
    channel: str,
    brand: str | None,
    run: Mapping[str, object],
    now: datetime,
    recipients: int | None = None,
) -> Facts:
    """The facts of one candidate, for `policies.evaluate.decide`.

    Args:
        candidate: what would be done, from `graph.planning`.
        dossier: what was read about the requester.
        triage: what the customer says.
        channel: how the ticket came in, as Zendesk names it.
        brand: the ticket's brand, where it has one.
        run: the `run.*` facts.
        now: business time.
        recipients: how many people a public comment on the ticket reaches, where that is certain.
    """
    values: Values = {**run, **_request(candidate, triage, channel, brand), **_claims(triage.claims)}
    values |= _requester(dossier, now)
    charge = next((one for one in dossier.charges or () if one.charge_id == candidate.charge_id), None)
    order: OrderView | None = None
    if charge is not None:
        order = dossier.order_of(charge)
        values |= _charge(charge, dossier, now)
        values |= _money_history(dossier, charge)
    if order is None and candidate.order_id is not None:
        order = next((one for one in dossier.orders or () if one.id == candidate.order_id), None)
    if dossier.orders is not None:
        values["order.known"] = order is not None
    if order is not None:
        values |= _order(order, now) | _item(order, candidate.item_key)
        values |= _possession(order, charge, dossier, triage.claims)
    values |= _action(candidate, charge)
    if candidate.kind in _SPEAKS:
        values["action.recipient_count"] = recipients
    values |= _subscription(candidate, dossier, charge, now)
    return Facts(values)


def twin_of(charge: ChargeView, charges: tuple[ChargeView, ...]) -> ChargeView | None:
    """The charge that looks like the same payment made twice: equal amount, customer and purpose, close in time.

    One that was given back already makes no duplicate any more: refunding its twin, too, would leave the shop unpaid.
    """
    twins = [
        other
        for other in charges
        if other.charge_id != charge.charge_id
        and other.amount == charge.amount
        and other.is_paid
        and other.refunded.minor == 0
        and abs(other.created_at - charge.created_at) <= TWIN_WINDOW
        and _purpose(other) == _purpose(charge)
    ]
    return min(twins, key=lambda other: abs(other.created_at - charge.created_at), default=None)


def is_later(charge: ChargeView, twin: ChargeView) -> bool:
    """Whether the charge is the second of the two; the id breaks a tie, so exactly one of them is."""
    return (charge.created_at, charge.charge_id) > (twin.created_at, twin.charge_id)


def _purpose(charge: ChargeView) -> str | None:
    return charge.metadata.get("order_id") or charge.description


def _days(since: datetime | None, now: datetime) -> int | None:
    return None if since is None else (now - since) // timedelta(days=1)


def _request(candidate: Candidate, triage: Triage, channel: str, brand: str | None) -> Values:
    scores = {score.intent: score.confidence for score in triage.intents}
    return {
        "request.intent": candidate.intent.value,
        "request.confidence_percent": scores.get(candidate.intent, triage.confidence),
        "request.sensitive_topic": triage.sensitive_topic.value,
        "request.language": triage.language,
        "request.channel": channel,
        "request.brand": brand,
        "request.injection_suspected": triage.injection_suspected,
        "request.count": len(triage.intents),
    }


def _claims(claims: Claims) -> Values:
    return {
        "claim.not_received": claims.not_received,
        "claim.delivered": claims.delivered,
        "claim.damaged": claims.damaged,
        "claim.wrong_item": claims.wrong_item,
        "claim.unauthorised": claims.unauthorised,
        "claim.duplicate": claims.duplicate,
        "claim.unopened": claims.unopened,
        "claim.photo_attached": claims.photo_attached,
    }


def _requester(dossier: Dossier, now: datetime) -> Values:
    values: Values = {
        "requester.verified": dossier.is_verified,
        "requester.identity": dossier.identity.value,
        "requester.mail_authentication": dossier.mail.value if dossier.mail is not None else None,
        "requester.address_shared": dossier.is_address_shared,
        "requester.segment": dossier.segment,
        "request.photo_repeated": dossier.photo_repeated,
        "customer.refunds_90d": dossier.refunds_90d,
        "run.draft_only": bool(dossier.draft_only),
    }
    if dossier.customer is not None:
        values["requester.account_age_days"] = _days(dossier.customer.created_at, now)
    known = [entry for entry in dossier.history.values() if entry.disputes is not None]
    if known:
        disputes = [one for entry in known for one in entry.disputes or ()]
        year_ago = now - timedelta(days=365)
        values["customer.open_disputes"] = sum(one.is_open for one in disputes)
        values["customer.disputes_365d"] = sum(one.created_at >= year_ago for one in disputes)
    warned = [entry.warnings for entry in dossier.history.values() if entry.warnings is not None]
    if warned:
        values["customer.early_fraud_warnings"] = sum(len(warnings) for warnings in warned)
    return values


def _money_history(dossier: Dossier, charge: ChargeView) -> Values:
    if dossier.refunds_90d is None:
        return {}
    return {"customer.refunded_90d_minor": dossier.refunded_90d_minor.get(charge.amount.currency, 0)}


def _charge(charge: ChargeView, dossier: Dossier, now: datetime) -> Values:
    history = dossier.history.get(charge.charge_id, ChargeHistory())
    owner = dossier.customer.customer_id if dossier.customer is not None else None
    values: Values = {
        "charge.owned_by_requester": owner is not None and charge.customer_id == owner,
        "charge.status": _charge_status(charge),
        "charge.amount_minor": charge.captured_amount.minor,
        "charge.refundable_minor": max(0, charge.refundable.minor - history.reserved_minor),
        "charge.refunded_minor": charge.refunded.minor,
        "charge.currency": charge.amount.currency,
        "charge.age_days": _days(charge.created_at, now),
        "charge.disputed": charge.is_disputed or bool(history.disputes),
        "charge.payment_method": _payment_method(charge.payment_method),
        "charge.refund_in_flight": history.refund_in_flight,
        "charge.prior_refusals": history.prior_refusals,
    }
    if charge.risk_level not in {RiskLevel.UNKNOWN, RiskLevel.NOT_ASSESSED}:
        values["charge.risk_level"] = charge.risk_level.value
    if history.disputes is not None:
        values["charge.dispute_status"] = _dispute_status(history)
    if history.warnings is not None:
        values["charge.early_fraud_warning"] = bool(history.warnings)
    if history.refunds is not None:
        # The list and the charge are two reads, and the charge may know of a refund first.
        values["charge.refunds"] = max(len(history.refunds), 1 if charge.refunded.minor else 0)
    if dossier.charges is not None:
        values |= _twin(charge, dossier) | _card(charge, dossier.charges, now)
    return values


def _charge_status(charge: ChargeView) -> str:
    if charge.is_paid and not charge.is_captured:
        return "uncaptured"
    return "succeeded" if charge.is_paid else "failed"


def _payment_method(word: str | None) -> str | None:
    if word is None:
        return None
    if word == "card":
        return "card"
    return "bank_debit" if word.endswith("_debit") else "other"


def _dispute_status(history: ChargeHistory) -> str:
    if not history.disputes:
        return "none"
    open_ones = [one for one in history.disputes if one.is_open]
    if open_ones:
        return "inquiry" if all(one.is_inquiry for one in open_ones) else "open"
    return "lost" if any(one.status is DisputeStatus.LOST for one in history.disputes) else "won"


def _twin(charge: ChargeView, dossier: Dossier) -> Values:
    twin = twin_of(charge, dossier.charges or ())
    if twin is None:
        return {"charge.has_twin": False, "charge.is_later_twin": False}
    if dossier.history.get(twin.charge_id, ChargeHistory()).refund_in_flight:
        return {}  # whether it will still stand beside this one is not known yet
    return {
        "charge.has_twin": True,
        "charge.is_later_twin": is_later(charge, twin),
        "charge.twin_minutes_apart": abs(charge.created_at - twin.created_at) // timedelta(minutes=1),
    }


def _card(charge: ChargeView, charges: tuple[ChargeView, ...], now: datetime) -> Values:
    if charge.card is None or charge.card.fingerprint is None:
        return {}
    same = [
        one.created_at for one in charges if one.card is not None and one.card.fingerprint == charge.card.fingerprint
    ]
    return {"charge.card_first_seen_days": _days(min(same), now)}


def _order(order: OrderView, now: datetime) -> Values:
    values: Values = {
        "order.age_days": _days(order.placed_at, now),
        "order.days_past_promised": _days(order.promised_by, now),
    }
    items = order.items
    if items:
        values["order.fulfilment"] = _fulfilment(items)
        shipped = [item.shipped_at for item in items if item.shipped_at is not None]
        delivered = [item.delivered_at for item in items if item.delivered_at is not None]
        values["order.days_since_shipped"] = _days(max(shipped, default=None), now)
        if len(delivered) == len(items):
            values["order.days_since_delivered"] = _days(max(delivered), now)
    return values


def _possession(order: OrderView, charge: ChargeView | None, dossier: Dossier, claims: Claims) -> Values:
    """Whether the requester has the order: by the records of shop and payment, and by naming it."""
    own = dossier.customer.customer_id if dossier.customer is not None else None
    paid = {one.charge_id for one in dossier.charges or () if own is not None and one.customer_id == own}
    if order.customer_ref is not None:
        is_owned: bool | None = order.customer_ref == own
    elif charge is not None or order.charge_ids:
        is_owned = not paid.isdisjoint(order.charge_ids or ()) or (charge is not None and charge.charge_id in paid)
    else:
        is_owned = None
    named = any(same_order_id(stated, order.id) for stated in claims.order_ids)
    return {
        "order.owned_by_requester": is_owned,
        "order.named_by_requester": named or (charge is not None and names_charge(claims, charge, order)),
    }


def _fulfilment(items: tuple[ItemView, ...]) -> str | None:
    states = {item.fulfilment for item in items}
    if None in states:
        return None
    states.discard(Fulfilment.CANCELLED)
    if not states:
        return "cancelled"
    if len(states) == 1:
        return states.pop().value  # type: ignore[union-attr]  # None was excluded above
    return "shipped" if Fulfilment.UNFULFILLED not in states else "partly_shipped"


def _item(order: OrderView, item_key: str) -> Values:
    items = order.items or ()
    named = item_key.removesuffix(PRICE_SUFFIX)
    chosen = [item for item in items if named in {"whole", item.id}]
    if not chosen:
        return {"item.known": False}
    values: Values = {"item.known": named != "whole" or len(chosen) == 1}
    finals = [item.final_sale for item in chosen]
    values["item.final_sale"] = True if True in finals else (None if None in finals else False)
    categories = [item.category for item in chosen]
    if None not in categories:
        values["item.category"] = max(categories, key=_CATEGORY_STRICTNESS.index)
    values["item.return_received"] = _all_dated([item.return_received_at for item in chosen])
    values["item.return_requested"] = _all_dated([item.return_requested_at for item in chosen])
    amounts = [item.amount for item in chosen]
    if None not in amounts:
        values["item.amount_minor"] = sum(amount.minor for amount in amounts if amount is not None)
    values["item.price_drop_minor"] = price_drop_minor(tuple(chosen))
    return values


def _all_dated(moments: list[datetime | None]) -> bool:
    """A shop that knows the order knows its returns: no date means that it has not happened."""
    return all(moment is not None for moment in moments)


def price_drop_minor(items: tuple[ItemView, ...]) -> int | None:
    """How much less the items cost today; None where the shop does not say."""
    drops = [
        item.amount.minor - item.price_now.minor
        for item in items
        if item.amount is not None and item.price_now is not None and item.amount.currency == item.price_now.currency
    ]
    return max(0, sum(drops)) if len(drops) == len(items) and items else None


def _action(candidate: Candidate, charge: ChargeView | None) -> Values:
    values: Values = {"action.kind": candidate.kind.value, "action.timing": candidate.timing}
    values["action.amount_minor"] = 0 if candidate.amount is None else candidate.amount.minor
    if candidate.amount is not None:
        values["action.currency"] = candidate.amount.currency
    if candidate.kind in _MOVES_MONEY:
        values["action.payee_is_new"] = False  # a refund can only go back to the instrument that paid
        if candidate.item_key != "whole":
            values["action.scope"] = "item"
        elif charge is not None and candidate.amount is not None:
            values["action.scope"] = "whole" if candidate.amount == charge.refundable else "part"
    return values


def _subscription(candidate: Candidate, dossier: Dossier, charge: ChargeView | None, now: datetime) -> Values:
    if dossier.subscriptions is None:
        return {}
    chosen = _chosen_subscription(candidate, dossier, charge)
    if chosen is None:
        return {"subscription.known": False, "charge.is_renewal": False} if charge is not None else {}
    values: Values = {
        "subscription.known": True,
        "subscription.ends_at_period_end": chosen.cancel_at_period_end or chosen.cancel_at is not None,
        "subscription.used_since_renewal": _used_since_renewal(dossier, chosen),
    }
    if chosen.status.value in {"trialing", "active", "past_due", "paused", "canceled", "incomplete", "unpaid"}:
        values["subscription.status"] = chosen.status.value
    if chosen.items:
        values["subscription.days_into_period"] = _days(chosen.items[0].current_period_start, now)
    if charge is not None:
        values["charge.is_renewal"] = pays_for(charge, chosen)
    return values


def pays_for(charge: ChargeView, subscription: SubscriptionView) -> bool:
    """Whether the charge paid for the subscription's current period."""
    payment = subscription.latest_payment_intent_id
    return payment is not None and charge.payment_intent_id == payment


def _chosen_subscription(
    candidate: Candidate,
    dossier: Dossier,
    charge: ChargeView | None,
) -> SubscriptionView | None:
    for one in dossier.subscriptions or ():
        if candidate.subscription_id == one.subscription_id:
            return one
        if candidate.subscription_id is None and charge is not None and pays_for(charge, one):
            return one
    return None


def _used_since_renewal(dossier: Dossier, subscription: SubscriptionView) -> bool | None:
    periods = [
        period
        for order in dossier.orders or ()
        for period in order.subscription_periods or ()
        if period.subscription_id == subscription.subscription_id and period.period_start is not None
    ]
    if not periods:
        return None
    return max(periods, key=lambda period: period.period_start or subscription.created_at).used_since_renewal
