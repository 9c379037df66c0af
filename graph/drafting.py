"""From verdicts and facts to the paragraphs of a reply: which template, with which slots. Pure.

Every slot is filled from a fact, a verdict or a stored section; no model writes into it. What a paragraph says about
money is what the settlement did, so a reply is rendered again once its effects have come to their end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from connectors.orders.wire import Fulfilment, OrderView
from connectors.stripe.wire import ChargeView, RefundView
from connectors.stripe.words import RefundStatus
from graph.casefile import PRICE_SUFFIX
from graph.dossier import Dossier
from graph.planning import Answer, Item, Plan
from graph.replies.render import Frame, Said, reply
from graph.replies.templates import MOVES_MONEY, SLOTS, Closing, Opening, Slots, Template
from graph.sections import Section, Sections
from graph.verdicts import EXECUTABLE, Decided, Verdicts
from policies.money import Money
from policies.proposal import Missing
from policies.vocabulary import ActionKind, Intent, Verdict


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One thing that a reply says: a template, its slots, the section it cites, and the request that it answers."""

    template: Template
    slots: Slots
    cites: str | None = None
    about: Intent | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply as it would be sent now: its paragraphs, its language, and the text they make.

    `gloss` is the same in English, for colleagues who do not read the language; empty where the reply is English.
    """

    paragraphs: tuple[Paragraph, ...]
    language: str
    text: str
    gloss: str = ""

    @property
    def cites(self) -> tuple[str, ...]:
        """The sections it names, in the order in which they are needed."""
        return _cited(self.paragraphs)


def draft_of(said: tuple[Paragraph, ...], *, language: str, name: str, shop: str, is_upset: bool = False) -> Draft:
    """The draft that some paragraphs make.

    Args:
        said: in the order of the requests.
        language: one that there are texts in, see `graph.replies.render.spoken`.
        name: the customer's, as their profile has it.
        shop: who signs.
        is_upset: the customer complains, so that the reply begins with a word about it.
    """
    frame = Frame(first_name(name), shop, _cited(said), _opening(said, is_upset=is_upset), _closing(said))
    pieces = [Said(one.template, one.slots, one.about) for one in said]
    gloss = "" if language == GLOSS else reply(pieces, frame, GLOSS)
    return Draft(said, language, reply(pieces, frame, language), gloss)


def _cited(said: tuple[Paragraph, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.cites for one in said if one.cites is not None))


def _opening(said: tuple[Paragraph, ...], *, is_upset: bool) -> Opening:
    """One opening, and an apology only where the customer had trouble that was ours to spare them."""
    wants = {one.about for one in said}
    if any(one.template in _ASKING for one in said):
        return Opening.ASKS
    if len({one for one in wants if one is not None}) > 1:
        return Opening.SEVERAL
    if any(one.template is Template.DENIED for one in said):
        return Opening.THANKS
    sorry = next((_SORRY[one] for one in wants if one is not None and one in _SORRY), None)
    if sorry is not None:
        return sorry
    return Opening.SORRY_TROUBLE if is_upset else Opening.THANKS


def _closing(said: tuple[Paragraph, ...]) -> Closing | None:
    if any(one.template is Template.DENIED for one in said):
        return Closing.DENIED
    return Closing.REFUNDED if any(one.template in _REFUNDED for one in said) else None


def first_name(name: str) -> str:
    """The first word of a name where it is letters only; a profile is its owner's text, so no more of it is taken."""
    first = name.split(maxsplit=1)[0] if name.split() else ""
    return first if _NAME.fullmatch(first) else ""


_NAME: Final = re.compile(r"[^\W\d_](?:[^\W\d_]|['\u2019\-]){0,30}")
ASKS: Mapping[Missing, Template] = {
    Missing.ORDER_NUMBER: Template.ASK_ORDER_NUMBER,
    Missing.WHICH_CHARGE: Template.ASK_WHICH_ORDER,
    Missing.PHOTO: Template.ASK_PHOTO,
    Missing.WHICH_ITEM: Template.ASK_WHICH_ITEM,
    Missing.WHICH_SUBSCRIPTION: Template.ASK_WHICH_SUBSCRIPTION,
}
GLOSS: Final = "en"
"""The language in which a reviewer reads what they may not be able to read."""
_ASKING: Final = frozenset(ASKS.values())
_REFUNDED: Final = MOVES_MONEY - {Template.REFUND_PENDING, Template.REFUND_FAILED, Template.PAYMENT_CANCELLED}
_SORRY: Final[Mapping[Intent, Opening]] = {
    Intent.DUPLICATE_CHARGE: Opening.SORRY_PAYMENT,
    Intent.UNAUTHORIZED_CHARGE: Opening.TOLD,
    Intent.ITEM_NOT_RECEIVED: Opening.SORRY_WAITING,
    Intent.ITEM_DAMAGED_OR_WRONG: Opening.SORRY_ITEM,
    Intent.COMPLAINT: Opening.SORRY_TROUBLE,
}
_FAILED: Final = frozenset({RefundStatus.FAILED.value, RefundStatus.CANCELED.value})
_PENDING: Final = frozenset({RefundStatus.PENDING.value, RefundStatus.REQUIRES_ACTION.value})
_PLAIN: Final = re.compile(r"[\w][\w ,.'\u2019&+\-]{0,60}")
_ORDER: Final = re.compile(r"#?[\w][\w-]{0,40}")


def plainer(said: tuple[Paragraph, ...]) -> tuple[Paragraph, ...]:
    """The same without the values that may be left out, which are the ones that others have written."""
    return tuple(
        replace(
            one,
            slots={name: "" if SLOTS[one.template][name].may_be_empty else value for name, value in one.slots.items()},
        )
        for one in said
    )


def questions(plan: Plan) -> tuple[Paragraph, ...]:
    """What the customer is asked, once each."""
    asked: dict[Missing, Intent] = {}
    for item in plan.items:
        for one in sorted(item.missing):
            asked.setdefault(one, item.intent)
    return tuple(Paragraph(ASKS[one], {}, about=intent) for one, intent in asked.items())


def paragraphs(
    plan: Plan,
    verdicts: Verdicts,
    dossier: Dossier,
    sections: Sections,
    effected: Mapping[str, str | None],
) -> tuple[Paragraph, ...]:
    """What is said about each request, in the order of the ticket.

    Args:
        plan: what was asked.
        verdicts: what was decided.
        dossier: the facts.
        sections: the sections that were found.
        effected: Stripe's word for each charge that was refunded; empty while the reply is a draft.
    """
    said: list[Paragraph] = []
    for item in plan.items:
        said += _about(item, verdicts, dossier, sections, effected)
    return tuple(_unique(said))


def _unique(said: list[Paragraph]) -> list[Paragraph]:
    kept: list[Paragraph] = []
    for one in said:
        if one not in kept:
            kept.append(one)
    return kept


def _about(
    item: Item,
    verdicts: Verdicts,
    dossier: Dossier,
    sections: Sections,
    effected: Mapping[str, str | None],
) -> list[Paragraph]:
    match item.answer:
        case Answer.POLICY:
            said = [_policy(sections.found[0])] if sections.found else []
        case Answer.ORDER_STATUS:
            said = [_order_status(item, dossier)]
        case Answer.REFUND_STATUS:
            said = [_refund_status(dossier)]
        case None:
            done = [one for one in verdicts.of(item.intent) if one.candidate.kind in EXECUTABLE]
            said = [_action(one, dossier, sections, effected) for one in done]
    return [replace(one, about=item.intent) for one in said]


def _policy(section: Section) -> Paragraph:
    slots: Slots = {"heading": section.heading, "quote": section.text.strip()}
    return Paragraph(Template.ANSWER_POLICY, slots, section.section_id)


def _action(one: Decided, dossier: Dossier, sections: Sections, effected: Mapping[str, str | None]) -> Paragraph:
    section = one.decision.section
    if one.decision.verdict is Verdict.DENY:
        found = sections.named(section)
        return Paragraph(Template.DENIED, {"heading": found.heading if found is not None else ""}, section)
    match one.candidate.kind:
        case ActionKind.CANCEL_SUBSCRIPTION:
            return _subscription(one, dossier)
        case ActionKind.CANCEL_PAYMENT:
            assert one.candidate.amount is not None
            return Paragraph(Template.PAYMENT_CANCELLED, {"amount": one.candidate.amount}, section)
        case _:
            return _refund(one, dossier, effected)


def _refund(one: Decided, dossier: Dossier, effected: Mapping[str, str | None]) -> Paragraph:
    """What the payment system did with a refund: which, how much, to which card, and for what."""
    candidate = one.candidate
    assert candidate.amount is not None
    assert candidate.charge_id is not None
    charge = _charge(dossier, candidate.charge_id)
    slots: Slots = {
        "amount": candidate.amount,
        "paid_on": charge.created_at.date(),
        "card": _card(charge),
        "order": _plain(_ORDER, candidate.order_id),
    }
    word = effected.get(candidate.charge_id)
    if word in _FAILED or word in _PENDING:
        template = Template.REFUND_FAILED if word in _FAILED else Template.REFUND_PENDING
        return Paragraph(template, slots, one.decision.section)
    item = _item_name(dossier, charge, candidate.item_key)
    if candidate.item_key.endswith(PRICE_SUFFIX):
        return Paragraph(Template.REFUND_DONE_PRICE, {**slots, "item": item}, one.decision.section)
    if candidate.intent is Intent.DUPLICATE_CHARGE:
        return Paragraph(Template.REFUND_DONE_DUPLICATE, slots, one.decision.section)
    if _is_part(candidate.amount, charge):
        whole: Slots = {**slots, "whole": charge.amount, "item": item}
        return Paragraph(Template.REFUND_DONE_PARTIAL, whole, one.decision.section)
    return Paragraph(Template.REFUND_DONE, slots, one.decision.section)


def _is_part(amount: Money, charge: ChargeView) -> bool:
    return amount.currency == charge.amount.currency and amount.minor < charge.amount.minor


def _item_name(dossier: Dossier, charge: ChargeView, item_key: str) -> str:
    """The goods' name as the shop's orders have it, where it is plain words."""
    order = dossier.order_of(charge)
    named = item_key.removesuffix(PRICE_SUFFIX)
    return next((_plain(_PLAIN, one.name) for one in (order.items if order else None) or () if one.id == named), "")


def _plain(form: re.Pattern[str], value: str | None) -> str:
    """A value of another system, where it has the form of what it should be; else nothing."""
    return value if value is not None and form.fullmatch(value) else ""


def _charge(dossier: Dossier, charge_id: str) -> ChargeView:
    return next(charge for charge in dossier.charges or () if charge.charge_id == charge_id)


def _card(charge: ChargeView) -> str:
    """How the customer knows the instrument that paid; empty where Stripe does not say."""
    if charge.card is None or charge.card.last4 is None:
        return ""
    brand = _BRANDS.get(charge.card.brand or "", (charge.card.brand or "card").capitalize())
    return f"{brand} ending in {charge.card.last4}"


_BRANDS: Final[Mapping[str, str]] = {
    "amex": "American Express",
    "diners": "Diners Club",
    "jcb": "JCB",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
}
"""https://docs.stripe.com/api/charges/object#charge_object-payment_method_details-card-brand ."""


def _subscription(one: Decided, dossier: Dossier) -> Paragraph:
    subscription = next(
        entry for entry in dossier.subscriptions or () if entry.subscription_id == one.candidate.subscription_id
    )
    if one.candidate.timing == "now":
        return Paragraph(Template.SUBSCRIPTION_CANCELLED_NOW, {}, one.decision.section)
    ends: datetime = subscription.items[0].current_period_end
    return Paragraph(Template.SUBSCRIPTION_CANCELLED_PERIOD_END, {"ends_on": ends.date()}, one.decision.section)


def _order_status(item: Item, dossier: Dossier) -> Paragraph:
    order_id = item.candidates[0].order_id
    order: OrderView = next(entry for entry in dossier.orders or () if entry.id == order_id)
    items = order.items or ()
    shipped = [one.shipped_at for one in items if one.shipped_at is not None]
    delivered = [one.delivered_at for one in items if one.delivered_at is not None]
    states = {one.fulfilment for one in items}
    if items and states == {Fulfilment.DELIVERED} and delivered:
        return Paragraph(Template.ORDER_DELIVERED, {"order": order.id, "delivered_on": max(delivered).date()})
    if shipped:
        slots: Slots = {"order": order.id, "shipped_on": max(shipped).date(), "carrier": _carrier(order)}
        if order.promised_by is not None:
            slots["promised_by"] = order.promised_by.date()
            return Paragraph(Template.ORDER_SHIPPED_PROMISED, slots)
        return Paragraph(Template.ORDER_SHIPPED, slots)
    return Paragraph(Template.ORDER_NOT_SHIPPED, {"order": order.id})


def _carrier(order: OrderView) -> str:
    return _plain(_PLAIN, order.carrier.name) if order.carrier is not None else ""


def _refund_status(dossier: Dossier) -> Paragraph:
    refunds = [one for entry in dossier.history.values() for one in entry.refunds or ()]
    if not refunds:
        return Paragraph(Template.NO_REFUND_FOUND, {})
    latest: RefundView = max(refunds, key=lambda one: one.created_at)
    slots: Slots = {"amount": latest.amount, "made_on": latest.created_at.date()}
    match latest.status:
        case RefundStatus.SUCCEEDED:
            return Paragraph(Template.REFUND_STATUS_SUCCEEDED, slots)
        case RefundStatus.FAILED | RefundStatus.CANCELED:
            return Paragraph(Template.REFUND_STATUS_FAILED, slots)
        case _:
            return Paragraph(Template.REFUND_STATUS_PENDING, slots)
