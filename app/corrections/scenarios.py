"""A corrected run as a scenario file that `countersign evals run` plays: the same case, with nobody in it.

What the run read becomes the world: charges, orders, refunds, disputes and subscriptions with their amounts and ages,
and the customer's words. Vendors' ids, order numbers and everything about the person are replaced. The expectation is
what people's correction says for certain: that this is not done alone. What else must be true a person adds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import yaml

from app.corrections.groups import Cause, Corrected
from app.corrections.masks import EMAIL, NAMES, Mask, numbered
from app.corrections.strangers import strangers_in
from connectors.orders.wire import ItemView, OrderView
from connectors.stripe.wire import ChargeView, RefundView, SubscriptionView
from connectors.stripe.words import RefundStatus, SubscriptionStatus
from graph.dossier import ChargeHistory, Dossier
from graph.redaction.profile import KnownProfile
from graph.snapshot import Snapshot
from policies.document import Policy
from policies.money import Money
from policies.parse import parse_policy
from policies.shelf import shipped_text
from policies.spelling import amount_word
from policies.standalone import policy_source

CUSTOMER: Final = "customer"
_WHY: Final[Mapping[Cause, str]] = {
    Cause.REJECTED: "People said no to what the agent proposed here",
    Cause.EDITED: "People rewrote what the agent would have said here",
    Cause.STOPPED: "People stopped what the agent would have done here alone",
    Cause.JUDGED: "People would not have done what the agent did here alone",
}
_DAY_S: Final = 86_400
_STATUSES: Final = frozenset(SubscriptionStatus) - {
    SubscriptionStatus.PAUSED,
    SubscriptionStatus.INCOMPLETE_EXPIRED,
    SubscriptionStatus.UNKNOWN,
}
"""Statuses that a scenario's world can have."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a scenario is made from. `dossier` is None where the run read nothing about the requester."""

    corrected: Corrected
    snapshot: Snapshot
    dossier: Dossier | None
    policy: Policy


def scenario_text(case: Case, candidate_id: str) -> str:
    """One scenario as YAML.

    Raises:
        RedactionError: the customer's words cannot be made safe.
    """
    mask = _mask(case)
    world, ticket = _world(case, mask), _ticket(case.snapshot, mask)
    corrected = case.corrected
    reason = f" ({corrected.reason_code.replace('_', ' ')})" if corrected.reason_code else ""
    form = {
        "id": f"candidate-{candidate_id.rpartition('_')[2][:12]}",
        "why": f"{_WHY[corrected.cause]}{reason}.",
        "tags": ["candidate", f"intent:{corrected.intent}", f"cause:{corrected.cause.value}"],
        "policy": _policy(case.policy),
        "world": world,
        "ticket": ticket,
        "expect": {"outcome": ["waiting_for_review", "handed_off", "waiting_for_customer"], "refunds": []},
    }
    return yaml.safe_dump(form, sort_keys=False, allow_unicode=True, width=120)


def suite_text(texts: Sequence[str]) -> str:
    """Several scenarios as one suite file."""
    scenarios = [yaml.safe_load(text) for text in texts]
    return yaml.safe_dump({"scenarios": scenarios}, sort_keys=False, allow_unicode=True, width=120)


def _mask(case: Case) -> Mask:
    dossier, snapshot = case.dossier, case.snapshot
    customer = dossier.customer if dossier is not None else None
    charges = (dossier.charges or ()) if dossier is not None else ()
    names = {snapshot.requester_name, customer.name if customer is not None else None}
    emails = {snapshot.requester_email, customer.email if customer is not None else None}
    emails |= {charge.billing_email for charge in charges}
    known = KnownProfile(tuple(sorted(one for one in names if one)), tuple(sorted(one for one in emails if one)))
    orders = [order.id for order in (dossier.orders or ())] if dossier is not None else []
    orders += [str(charge.metadata["order_id"]) for charge in charges if charge.metadata.get("order_id")]
    said = (snapshot.subject, *snapshot.history, snapshot.newest)
    return Mask(known, numbered(orders), strangers_in(said))


def _policy(policy: Policy) -> str | dict[str, Any]:
    if policy.content_hash == parse_policy(shipped_text(), name="shipped").content_hash:
        return "shipped"
    written: dict[str, Any] = yaml.safe_load(policy_source(policy))
    return written


def _ticket(snapshot: Snapshot, mask: Mask) -> dict[str, Any]:
    said = [*snapshot.history, snapshot.newest]
    comments: list[dict[str, Any]] = [{"from": CUSTOMER, "body": mask.hidden(body) or "-"} for body in said]
    comments[-1] |= _kept(
        {
            "flags": list(snapshot.flags),
            "attachments": [
                {"name": f"file{place}", "content_type": one.content_type, "size": one.size_bytes}
                for place, one in enumerate(snapshot.attachments, 1)
            ],
        }
    )
    return {
        "requester": CUSTOMER,
        "channel": snapshot.channel,
        "subject": mask.hidden(snapshot.subject),
        "comments": comments,
    }


def _world(case: Case, mask: Mask) -> dict[str, Any]:
    dossier, snapshot = case.dossier, case.snapshot
    customer = {
        "key": CUSTOMER,
        "name": NAMES[0],
        "email": EMAIL,
        "verified": snapshot.requester_verified,
        "stripe": dossier is not None and dossier.customer is not None,
        "segment": dossier.segment if dossier is not None else None,
        "shared": snapshot.is_shared_user,
    }
    if dossier is None:
        return {"customers": [_kept(customer)]}
    now, charges = dossier.read_at, dossier.charges or ()
    keys = {charge.charge_id: f"charge{place}" for place, charge in enumerate(charges, 1)}
    told = [(keys[one.charge_id], dossier.history.get(one.charge_id, ChargeHistory())) for one in charges]
    return _kept(
        {
            "customers": [_kept(customer)],
            "charges": [_charge(one, keys[one.charge_id], mask, now) for one in charges],
            "orders": [_order(one, place, keys, mask, now) for place, one in enumerate(dossier.orders or (), 1)],
            "subscriptions": [
                _subscription(one, place, now) for place, one in enumerate(dossier.subscriptions or (), 1)
            ],
            "disputes": [
                {"charge": key, "reason": one.reason, "status": one.status.value, "days_ago": _age(one.created_at, now)}
                for key, history in told
                for one in history.disputes or ()
            ],
            "early_fraud_warnings": [
                {"charge": key, "actionable": one.is_actionable, "days_ago": _age(one.created_at, now)}
                for key, history in told
                for one in history.warnings or ()
            ],
            "refunds": [
                _refund(one, key, now)
                for key, history in told
                for one in history.refunds or ()
                if one.status is RefundStatus.SUCCEEDED
            ],
        }
    )


def _charge(charge: ChargeView, key: str, mask: Mask, now: datetime) -> dict[str, Any]:
    order = charge.metadata.get("order_id")
    return _kept(
        {
            "key": key,
            "customer": CUSTOMER,
            "amount": _amount(charge.amount),
            "currency": charge.amount.currency,
            "days_ago": _age(charge.created_at, now),
            "description": mask.hidden(charge.description or ""),
            "order": mask.orders[order] if order else None,
            "captured": charge.is_captured,
            "risk_level": charge.risk_level.value,
        }
    )


def _refund(refund: RefundView, key: str, now: datetime) -> dict[str, Any]:
    return {"charge": key, "amount": _amount(refund.amount), "days_ago": _age(refund.created_at, now)}


def _order(order: OrderView, place: int, keys: Mapping[str, str], mask: Mask, now: datetime) -> dict[str, Any]:
    promised: dict[str, Any] = {}
    if order.promised_by is not None:
        is_past = order.promised_by <= now
        earlier, later = (order.promised_by, now) if is_past else (now, order.promised_by)
        promised = {"promised_days_ago" if is_past else "promised_in_days": _age(earlier, later)}
    return _kept(
        {
            "key": f"order{place}",
            "customer": CUSTOMER,
            "number": mask.orders[order.id],
            "charges": [keys[one] for one in order.charge_ids or () if one in keys],
            "currency": order.currency,
            "items": [_item(one, number, mask, now) for number, one in enumerate(order.items or (), 1)],
            "placed_days_ago": _age(order.placed_at, now),
            **promised,
        }
    )


def _item(item: ItemView, number: int, mask: Mask, now: datetime) -> dict[str, Any]:
    return _kept(
        {
            "key": f"item{number}",
            "name": mask.hidden(item.name) if item.name else None,
            "amount": _amount(item.amount) if item.amount is not None else None,
            "quantity": item.quantity,
            "category": item.category.value if item.category is not None else None,
            "final_sale": item.final_sale,
            "fulfilment": item.fulfilment.value if item.fulfilment is not None else None,
            "shipped_days_ago": _age(item.shipped_at, now),
            "delivered_days_ago": _age(item.delivered_at, now),
            "return_requested_days_ago": _age(item.return_requested_at, now),
            "returned_days_ago": _age(item.return_received_at, now),
            "price_now": _amount(item.price_now) if item.price_now is not None else None,
        }
    )


def _subscription(one: SubscriptionView, place: int, now: datetime) -> dict[str, Any]:
    item = one.items[0] if one.items else None
    price = item.unit_price if item is not None else None
    return _kept(
        {
            "key": f"subscription{place}",
            "customer": CUSTOMER,
            "price": _amount(price) if price is not None else "0",
            "currency": price.currency if price is not None else "usd",
            "period": item.interval if item is not None and item.interval else "month",
            "started_days_ago": _age(one.created_at, now),
            "status": one.status.value if one.status in _STATUSES else None,
        }
    )


def _amount(money: Money) -> str:
    return amount_word(money.minor, currency=money.currency)


def _age(at: datetime | None, now: datetime) -> str | None:
    """Days to a hundred-thousandth, about a second; never less than none."""
    if at is None:
        return None
    days = Decimal(max((now - at).total_seconds(), 0)) / _DAY_S
    return str(days.quantize(Decimal("0.00001")))


def _kept(form: dict[str, Any]) -> dict[str, Any]:
    """What is known and not empty."""
    return {name: value for name, value in form.items() if value not in (None, [], "")}
