"""Good replies: what templates write for many requests, answers, currencies and languages, with what they rest on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.orders.wire import CarrierView, Category, Fulfilment, ItemView, OrderView
from connectors.stripe.wire import (
    CardView,
    ChargeView,
    CustomerView,
    RefundView,
    SubscriptionItemView,
    SubscriptionView,
)
from connectors.stripe.words import RefundStatus, RiskLevel, SubscriptionStatus
from graph.checks.evidence import Evidence, ground_of
from graph.dossier import ChargeHistory, Dossier, Identity
from graph.drafting import Draft, draft_of, paragraphs, questions
from graph.planning import Answer, Item, Plan
from graph.replies.render import LOCALES
from graph.sections import Section, Sections
from graph.verdicts import Decided, Verdicts
from policies.decision import Decision
from policies.document import Domains
from policies.money import Money
from policies.proposal import Candidate, Missing
from policies.vocabulary import ActionKind, Intent, Mode, Verdict

NOW: Final = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SHOP: Final = "Larkspur Goods"
NAME: Final = "Ana Ruiz"
SECTION: Final = "refund-policy#3.2"
SECTIONS: Final = Sections(
    (
        Section(
            SECTION, 1, "Charges made twice", "Whoever was charged twice gets the later charge back.", None, 1, 0.9
        ),
        Section(
            "returns#2", 1, "Returns", "Goods come back within 30 days, unused. We promise an answer.", None, 1, 0.8
        ),
    )
)
DOMAINS: Final = Domains(links=("help.larkspur-goods.example",))
CARD: Final = CardView("fp", "4242", "visa", "credit", "US")
MONEY: Final = (Money(2490, "usd"), Money(124_050, "eur"), Money(1200, "jpy"), Money(500, "gbp"))


@dataclass(frozen=True, slots=True)
class GoodReply:
    """One reply and its ground. `story` names the situation."""

    story: str
    draft: Draft
    evidence: Evidence


def good_replies(currencies: int = len(MONEY)) -> Iterator[GoodReply]:
    """Every story, in every language and in so many currencies."""
    for amount in MONEY[:currencies]:
        for story, plan, verdicts, dossier, effected in _stories(amount):
            asks = any(item.missing for item in plan.items)
            said = questions(plan) if asks else paragraphs(plan, verdicts, dossier, SECTIONS, effected)
            refunds = [one for entry in dossier.history.values() for one in entry.refunds or ()]
            evidence = Evidence(
                verdicts,
                SECTIONS,
                DOMAINS,
                asks,
                "ana@customers.example",
                ground=ground_of(dossier, verdicts),
                refunded=frozenset(one.amount for one in refunds),
                name="Ana",
                shop=SHOP,
                internal=("duplicate-charge", "The later of two equal charges is returned by this rule."),
            )
            for language in LOCALES:
                draft = draft_of(said, language=language, name=NAME, shop=SHOP, is_upset=story == "no refund")
                yield GoodReply(f"{story}, {amount.currency}, {language}", draft, evidence)


Story = tuple[str, Plan, Verdicts, Dossier, dict[str, str | None]]


def _stories(amount: Money) -> Iterator[Story]:
    yield from _refunds(amount)
    yield from _answers(amount)
    for missing in Missing:
        yield (
            f"asks {missing.value}",
            _plan(Intent.REFUND_REQUEST, missing=frozenset({missing})),
            Verdicts(()),
            _read(amount),
            {},
        )


def _refunds(amount: Money) -> Iterator[Story]:
    whole = Candidate(ActionKind.REFUND, Intent.DUPLICATE_CHARGE, "ch_1", amount=amount, order_id="1042")
    for word in ("succeeded", "pending", "failed"):
        yield f"duplicate {word}", _plan(whole.intent, whole), _decided(whole), _read(amount), {"ch_1": word}
    yield "duplicate denied", _plan(whole.intent, whole), _decided(whole, verdict=Verdict.DENY), _read(amount), {}
    asked = _decided(whole, verdict=Verdict.NEEDS_APPROVAL)
    yield "duplicate for a person", _plan(whole.intent, whole), asked, _read(amount, card=None), {}
    for intent in (Intent.ITEM_NOT_RECEIVED, Intent.UNAUTHORIZED_CHARGE, Intent.REFUND_REQUEST, Intent.CANCEL_ORDER):
        one = replace(whole, intent=intent)
        yield f"refund {intent.value}", _plan(intent, one), _decided(one), _read(amount), {}
    part = replace(
        whole, intent=Intent.ITEM_DAMAGED_OR_WRONG, item_key="i2", amount=Money(amount.minor // 2, amount.currency)
    )
    yield "part", _plan(part.intent, part), _decided(part), _read(amount), {}
    price = replace(part, intent=Intent.PRICE_ADJUSTMENT, item_key="i1:price")
    yield "price", _plan(price.intent, price), _decided(price), _read(amount), {}
    payment = replace(whole, kind=ActionKind.CANCEL_PAYMENT, intent=Intent.CANCEL_ORDER)
    yield "payment cancelled", _plan(payment.intent, payment), _decided(payment), _read(amount), {}
    status = _status()
    both = Plan((Item(whole.intent, (whole,)), Item(status.intent, (status,), answer=Answer.ORDER_STATUS)))
    yield "several", both, Verdicts((*_decided(whole).decided, *_decided(status).decided)), _read(amount), {}


def _answers(amount: Money) -> Iterator[Story]:
    status = _status()
    for fulfilment in (Fulfilment.DELIVERED, Fulfilment.SHIPPED, Fulfilment.UNFULFILLED):
        plan = _plan(status.intent, status, answer=Answer.ORDER_STATUS)
        yield f"order {fulfilment.value}", plan, _decided(status), _read(amount, fulfilment=fulfilment), {}
    plan = _plan(Intent.POLICY_QUESTION, answer=Answer.POLICY)
    yield "question", plan, Verdicts(()), _read(amount), {}
    plan = _plan(Intent.REFUND_STATUS, answer=Answer.REFUND_STATUS)
    for word in (RefundStatus.SUCCEEDED, RefundStatus.PENDING, RefundStatus.FAILED):
        yield f"refund was {word.value}", plan, Verdicts(()), _read(amount, refund=word), {}
    yield "no refund", plan, Verdicts(()), _read(amount), {}
    for timing in ("now", "period_end"):
        end = Candidate(
            ActionKind.CANCEL_SUBSCRIPTION, Intent.CANCEL_SUBSCRIPTION, subscription_id="sub_1", timing=timing
        )
        yield f"subscription {timing}", _plan(end.intent, end), _decided(end), _read(amount), {}


def _plan(
    intent: Intent, *candidates: Candidate, answer: Answer | None = None, missing: frozenset[Missing] = frozenset()
) -> Plan:
    return Plan((Item(intent, candidates, answer=answer, missing=missing),))


def _status() -> Candidate:
    return Candidate(ActionKind.REPLY, Intent.ORDER_STATUS, order_id="1042")


def _decided(candidate: Candidate, *, verdict: Verdict = Verdict.ALLOW) -> Verdicts:
    section = None if candidate.kind is ActionKind.REPLY else SECTION
    decision = Decision(verdict, Mode.AUTO, "duplicate-charge", section, (), (), 600, "shop", "p", "i")
    return Verdicts((Decided(candidate, decision),))


def _read(
    amount: Money,
    *,
    fulfilment: Fulfilment = Fulfilment.DELIVERED,
    refund: RefundStatus | None = None,
    card: CardView | None = CARD,
) -> Dossier:
    """Two equal charges for order 1042 of two items, and a subscription."""
    first = ChargeView(
        charge_id="ch_0",
        customer_id="cus_ana",
        payment_intent_id="pi_0",
        amount=amount,
        captured_amount=amount,
        refunded=Money(0, amount.currency),
        created_at=NOW - timedelta(days=3, minutes=15),
        is_paid=True,
        is_captured=True,
        is_disputed=False,
        risk_level=RiskLevel.NORMAL,
        payment_method="card",
        card=card,
        billing_email=None,
        description="Order 1042",
        metadata={"order_id": "1042"},
    )
    second = replace(first, charge_id="ch_1", payment_intent_id="pi_1", created_at=NOW - timedelta(days=3))
    shipped = None if fulfilment is Fulfilment.UNFULFILLED else NOW - timedelta(days=2)
    delivered = NOW - timedelta(days=1) if fulfilment is Fulfilment.DELIVERED else None
    items = tuple(
        ItemView(
            id=f"i{number}",
            name=name,
            amount=Money(amount.minor // 2, amount.currency),
            category=Category.PHYSICAL,
            fulfilment=fulfilment,
            shipped_at=shipped,
            delivered_at=delivered,
        )
        for number, name in ((1, "stoneware pitcher"), (2, "desk lamp No 5"))
    )
    order = OrderView(
        id="1042",
        charge_ids=("ch_0", "ch_1"),
        placed_at=NOW - timedelta(days=3),
        promised_by=NOW + timedelta(days=2),
        items=items,
        carrier=CarrierView("PostNord", None),
    )
    period = SubscriptionItemView("si_1", amount, 1, "month", 1, NOW - timedelta(days=2), NOW + timedelta(days=28))
    subscription = SubscriptionView(
        subscription_id="sub_1",
        customer_id="cus_ana",
        status=SubscriptionStatus.ACTIVE,
        items=(period,),
        cancel_at_period_end=False,
        cancel_at=None,
        canceled_at=None,
        ended_at=None,
        created_at=NOW - timedelta(days=62),
        latest_payment_intent_id=None,
        metadata={},
    )
    made = NOW - timedelta(days=6)
    refunds = (
        () if refund is None else (RefundView("re_1", "ch_1", "pi_1", amount, refund, None, None, None, made, {}),)
    )
    return Dossier(
        read_at=NOW,
        identity=Identity.VERIFIED,
        segment="standard",
        customer=CustomerView("cus_ana", "ana@customers.example", NAME, NOW - timedelta(days=400), {}),
        charges=(first, second),
        history={"ch_1": ChargeHistory(refunds=refunds)},
        orders=(order,),
        subscriptions=(subscription,),
        refunds_90d=0,
    )
