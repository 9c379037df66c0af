"""Charges, orders, dossiers and decisions as the pure parts of the graph see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.orders.wire import Category, Fulfilment, ItemView, OrderView
from connectors.stripe.wire import CardView, ChargeView, CustomerView, SubscriptionItemView, SubscriptionView
from connectors.stripe.words import RiskLevel, SubscriptionStatus
from graph.dossier import Dossier, Identity
from graph.models.triage import Claims, IntentScore, Triage
from graph.snapshot import Snapshot
from policies.decision import Decision
from policies.money import Money
from policies.proposal import Candidate
from policies.vocabulary import ActionKind, Intent, Mode, Verdict

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
CUSTOMER = "cus_ana"


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def a_charge(charge_id: str = "ch_1", minor: int = 2490, currency: str = "usd", **changes: Any) -> ChargeView:
    amount = Money(minor, currency)
    order = changes.pop("order", None)
    fields: dict[str, Any] = {
        "charge_id": charge_id,
        "customer_id": CUSTOMER,
        "payment_intent_id": f"pi_{charge_id}",
        "amount": amount,
        "captured_amount": amount,
        "refunded": Money(0, currency),
        "created_at": ago(days=3),
        "is_paid": True,
        "is_captured": True,
        "is_disputed": False,
        "risk_level": RiskLevel.NORMAL,
        "payment_method": "card",
        "card": CardView("fp_1", "4242", "visa", "credit", "US"),
        "billing_email": None,
        "description": f"Order {order}" if order else None,
        "metadata": {"order_id": order} if order else {},
    }
    return ChargeView(**{**fields, **changes})


def an_item(item_id: str = "i1", name: str = "stoneware pitcher", minor: int = 2490, **changes: Any) -> ItemView:
    fields: dict[str, Any] = {
        "name": name,
        "amount": Money(minor, "usd"),
        "quantity": 1,
        "category": Category.PHYSICAL,
        "final_sale": False,
        "fulfilment": Fulfilment.DELIVERED,
        "shipped_at": ago(days=8),
        "delivered_at": ago(days=5),
    }
    return ItemView(id=item_id, **{**fields, **changes})


def an_order(order_id: str = "1042", charge_id: str = "ch_1", *items: ItemView, **changes: Any) -> OrderView:
    fields: dict[str, Any] = {"charge_ids": (charge_id,), "items": items or (an_item(),), "placed_at": ago(days=10)}
    return OrderView(id=order_id, **{**fields, **changes})


def a_subscription(subscription_id: str = "sub_1", **changes: Any) -> SubscriptionView:
    period = SubscriptionItemView("si_1", Money(1900, "usd"), 1, "month", 1, ago(days=2), NOW + timedelta(days=28))
    fields: dict[str, Any] = {
        "subscription_id": subscription_id,
        "customer_id": CUSTOMER,
        "status": SubscriptionStatus.ACTIVE,
        "items": (period,),
        "cancel_at_period_end": False,
        "cancel_at": None,
        "canceled_at": None,
        "ended_at": None,
        "created_at": ago(days=62),
        "latest_payment_intent_id": None,
        "metadata": {},
    }
    return SubscriptionView(**{**fields, **changes})


def a_dossier(*charges: ChargeView, **changes: Any) -> Dossier:
    fields: dict[str, Any] = {
        "identity": Identity.VERIFIED,
        "segment": "standard",
        "customer": CustomerView(CUSTOMER, "ana@customers.example", "Ana Ruiz", ago(days=400), {}),
        "charges": charges,
        "orders": (),
        "subscriptions": (),
        "refunds_90d": 0,
    }
    return Dossier(read_at=NOW, **{**fields, **changes})


def a_snapshot(name: str = "Ana Ruiz", **changes: Any) -> Snapshot:
    """An ordinary ticket by e-mail."""
    fields: dict[str, Any] = {
        "ticket_id": "7",
        "subject": "My order",
        "status": "open",
        "channel": "email",
        "brand": None,
        "requester_id": "11",
        "requester_email": "ana@customers.example",
        "requester_verified": True,
        "requester_tags": (),
        "is_carbon_copied": False,
        "flags": (),
        "newest_comment_id": 70,
        "newest": "Please help.",
        "history": (),
        "attachments": (),
        "tags": (),
        "custom_fields": {},
        "ticket_digest": "5f0c",
        "read_at": NOW,
    }
    return Snapshot(requester_name=name, **{**fields, **changes})


def a_triage(*intents: Intent | tuple[Intent, int], language: str = "en", **claims: Any) -> Triage:
    """What the customer asks for, each surely unless a percentage is given, and what they say."""
    scores = tuple(IntentScore(*one) if isinstance(one, tuple) else IntentScore(one, 95) for one in intents)
    return Triage(scores, claims=Claims(**claims), language=language)


def a_refund(minor: int = 2490, currency: str = "usd", **changes: Any) -> Candidate:
    fields: dict[str, Any] = {
        "kind": ActionKind.REFUND,
        "intent": Intent.DUPLICATE_CHARGE,
        "charge_id": "ch_1",
        "amount": Money(minor, currency),
    }
    return Candidate(**{**fields, **changes})


def a_decision(verdict: Verdict = Verdict.ALLOW, mode: Mode = Mode.AUTO, **changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "rule": "duplicate-charge",
        "section": "refund-policy#3.2",
        "reasons": (),
        "approvers": (),
        "hold_s": 600,
        "policy_id": "p",
        "policy_hash": "h",
        "input_hash": "i",
    }
    return Decision(verdict=verdict, mode=mode, **{**fields, **changes})
