"""From verdicts and facts to the paragraphs of a reply: which template, with which slots. Pure.

Every slot is filled from a fact, a verdict or a stored section; no model writes into it. What a paragraph says about
money is what the settlement did, so a reply is rendered again once its effects have come to their end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.orders.wire import Fulfilment, OrderView
from connectors.stripe.wire import ChargeView, RefundView
from connectors.stripe.words import RefundStatus
from graph.dossier import Dossier
from graph.planning import Answer, Item, Plan
from graph.replies.render import reply
from graph.replies.templates import Slots, Template
from graph.sections import Section, Sections
from graph.verdicts import EXECUTABLE, Decided, Verdicts
from policies.proposal import Missing
from policies.vocabulary import ActionKind, Intent


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One thing that a reply says: a template, its slots, and the section it cites."""

    template: Template
    slots: Slots
    cites: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply as it would be sent now: its paragraphs, its language, and the text they make."""

    paragraphs: tuple[Paragraph, ...]
    language: str
    text: str

    @property
    def cites(self) -> tuple[str, ...]:
        """The sections it names, in the order in which they are needed."""
        return tuple(dict.fromkeys(one.cites for one in self.paragraphs if one.cites is not None))


def draft_of(said: tuple[Paragraph, ...], *, language: str, name: str, shop: str) -> Draft:
    """The draft that some paragraphs make."""
    cites = tuple(dict.fromkeys(one.cites for one in said if one.cites is not None))
    pairs = [(one.template, one.slots) for one in said]
    return Draft(said, language, reply(pairs, language=language, name=first_name(name), shop=shop, cites=cites))


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


def questions(plan: Plan) -> tuple[Paragraph, ...]:
    """What the customer is asked, once each."""
    missing = dict.fromkeys(one for item in plan.items for one in sorted(item.missing))
    return tuple(Paragraph(ASKS[one], {}) for one in missing)


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
            return [_policy(sections.found[0])] if sections.found else []
        case Answer.ORDER_STATUS:
            return [_order_status(item, dossier)]
        case Answer.REFUND_STATUS:
            return [_refund_status(dossier)]
        case None:
            done = [one for one in verdicts.of(item.intent) if one.candidate.kind in EXECUTABLE]
            return [_action(one, dossier, effected) for one in done]


def _policy(section: Section) -> Paragraph:
    slots: Slots = {"heading": section.heading, "quote": section.text.strip()}
    return Paragraph(Template.ANSWER_POLICY, slots, section.section_id)


def _action(one: Decided, dossier: Dossier, effected: Mapping[str, str | None]) -> Paragraph:
    candidate, section = one.candidate, one.decision.section
    match candidate.kind:
        case ActionKind.CANCEL_SUBSCRIPTION:
            return _subscription(one, dossier)
        case ActionKind.CANCEL_PAYMENT:
            assert candidate.amount is not None
            return Paragraph(Template.PAYMENT_CANCELLED, {"amount": candidate.amount}, section)
        case _:
            assert candidate.amount is not None
            assert candidate.charge_id is not None
            charge = _charge(dossier, candidate.charge_id)
            pending = effected.get(candidate.charge_id) in {
                RefundStatus.PENDING.value,
                RefundStatus.REQUIRES_ACTION.value,
            }
            template = Template.REFUND_PENDING if pending else _refund_template(candidate.intent)
            slots: Slots = {"amount": candidate.amount, "paid_on": charge.created_at.date(), "card": _card(charge)}
            return Paragraph(template, slots, section)


def _refund_template(intent: Intent) -> Template:
    return Template.REFUND_DONE_DUPLICATE if intent is Intent.DUPLICATE_CHARGE else Template.REFUND_DONE


def _charge(dossier: Dossier, charge_id: str) -> ChargeView:
    return next(charge for charge in dossier.charges or () if charge.charge_id == charge_id)


def _card(charge: ChargeView) -> str:
    """How the customer knows the instrument that paid; empty where Stripe does not say."""
    if charge.card is None or charge.card.last4 is None:
        return ""
    return f"{(charge.card.brand or 'card').capitalize()} ending in {charge.card.last4}"


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
    return order.carrier.name or "" if order.carrier is not None else ""


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
