"""From what was understood and what was read to what could be done: candidates by code, and a choice among them.

Pure. Candidates come only from the requester's own charges, items and subscriptions; amounts are read from them. Where
one candidate fits what the customer said, no model is needed; where several do, `choose` asks the customer or leaves
the choice to a model that may answer with an index.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from connectors.orders.wire import ItemView, OrderView
from connectors.stripe.wire import ChargeView, SubscriptionView
from connectors.stripe.words import SubscriptionStatus
from graph.casefile import PRICE_SUFFIX, is_later, pays_for, price_drop_minor, twin_of
from graph.dossier import Dossier
from graph.models.triage import Claims, Triage, Want
from graph.naming import names_charge, same_order_id
from policies.money import Money
from policies.proposal import Candidate, Choice, Missing, Proposal
from policies.vocabulary import ActionKind, Intent, Reason


class Answer(StrEnum):
    """What an informative reply is about."""

    ORDER_STATUS = "order_status"
    REFUND_STATUS = "refund_status"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Item:
    """The plan for one request: what could be done, what is missing, or why a person must look."""

    intent: Intent
    candidates: tuple[Candidate, ...] = ()
    missing: frozenset[Missing] = frozenset()
    needs_person: Reason | None = None
    answer: Answer | None = None
    proposals: tuple[Candidate, ...] = ()

    @property
    def is_ambiguous(self) -> bool:
        """Whether a choice among several candidates is open."""
        return Missing.WHICH_CHARGE in self.missing and len(self.candidates) > 1

    @property
    def actions(self) -> tuple[Candidate, ...]:
        """What would be done about the request now: where something is missing, that is asking for it."""
        return (Candidate(ActionKind.ASK_CUSTOMER, self.intent),) if self.missing else self.candidates


@dataclass(frozen=True, slots=True)
class Plan:
    """One item per request, in the order of the ticket."""

    items: tuple[Item, ...]


def settled(plan: Plan, proposal: Proposal) -> Plan:
    """The plan with what a proposal says about each request that was open.

    INVARIANT: a proposal adds nothing. It takes one of the candidates that stand in an open request already, or gives
    the request to a person; about a request that is not open, or with an index of nothing, it changes nothing. Held
    over every proposal by evals/hostile_model.
    """
    pairs = zip(plan.items, proposal.choices, strict=False)
    items = tuple(_settled(item, choice) for item, choice in pairs)
    return Plan((*items, *plan.items[len(items) :]))


def _settled(item: Item, choice: Choice) -> Item:
    if choice.intent is not item.intent or not item.is_ambiguous:
        return item
    if choice.needs_human:
        return replace(item, needs_person=Reason.AMBIGUOUS_REQUEST)
    if choice.candidate is None or not 0 <= choice.candidate < len(item.candidates):
        return item
    return replace(item, candidates=(item.candidates[choice.candidate],), missing=frozenset())


REFUNDING: Final = frozenset(
    {
        Intent.REFUND_REQUEST,
        Intent.UNAUTHORIZED_CHARGE,
        Intent.ITEM_NOT_RECEIVED,
        Intent.ITEM_DAMAGED_OR_WRONG,
        Intent.RETURN_OR_EXCHANGE,
        Intent.CANCEL_ORDER,
    },
)
NEEDS_CHARGES: Final = REFUNDING | {Intent.DUPLICATE_CHARGE, Intent.PRICE_ADJUSTMENT, Intent.REFUND_STATUS}
NEEDS_ORDERS: Final = NEEDS_CHARGES | {Intent.ORDER_STATUS, Intent.CHANGE_ORDER, Intent.CANCEL_SUBSCRIPTION}
NEEDS_SUBSCRIPTIONS: Final = frozenset({Intent.CANCEL_SUBSCRIPTION, Intent.REFUND_REQUEST, Intent.CANCEL_ORDER})
FROM_KNOWLEDGE: Final = frozenset(
    {Intent.POLICY_QUESTION, Intent.INVOICE_OR_RECEIPT, Intent.PAYMENT_PROBLEM, Intent.ACCOUNT_ACCESS},
)
SECONDARY_PERCENT: Final = 45
"""Below it a further request is a guess; the customer will say so if it was meant."""
_TALK: Final = frozenset({Intent.COMPLAINT, Intent.OTHER, Intent.POLICY_QUESTION})
COVERS: Final[Mapping[Intent, frozenset[Intent]]] = {
    Intent.DUPLICATE_CHARGE: _TALK | {Intent.REFUND_REQUEST, Intent.UNAUTHORIZED_CHARGE, Intent.PAYMENT_PROBLEM},
    Intent.UNAUTHORIZED_CHARGE: _TALK | {Intent.REFUND_REQUEST, Intent.PAYMENT_PROBLEM},
    Intent.ITEM_NOT_RECEIVED: _TALK | {Intent.REFUND_REQUEST, Intent.ORDER_STATUS, Intent.REFUND_STATUS},
    Intent.ITEM_DAMAGED_OR_WRONG: _TALK | {Intent.REFUND_REQUEST, Intent.RETURN_OR_EXCHANGE},
    Intent.RETURN_OR_EXCHANGE: _TALK | {Intent.REFUND_REQUEST},
    Intent.CANCEL_ORDER: _TALK | {Intent.REFUND_REQUEST, Intent.CHANGE_ORDER},
    Intent.CANCEL_SUBSCRIPTION: _TALK | {Intent.REFUND_REQUEST, Intent.CANCEL_ORDER},
    Intent.PRICE_ADJUSTMENT: _TALK | {Intent.REFUND_REQUEST},
    Intent.REFUND_STATUS: _TALK | {Intent.REFUND_REQUEST},
    Intent.REFUND_REQUEST: _TALK,
    Intent.ORDER_STATUS: _TALK,
    Intent.CHANGE_ORDER: _TALK,
}
"""What a more specific request says along with itself."""
_ENDED: Final = frozenset({SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED})
_ENDINGS: Final = frozenset({Intent.CANCEL_ORDER, Intent.CANCEL_SUBSCRIPTION})
_WORD = re.compile(r"[a-z]{4,}")
_NO_NAMES: Final = frozenset(
    {"order", "item", "article", "product", "parcel", "package", "payment", "purchase", "thing"}
)
"""Words that everybody uses for whatever they bought: an item that is called so is not named by them."""
_NO_REFUND: Final = re.compile(
    r"\b(?:do ?n.?t|do not|does not|no longer) (?:want|need|wish|like|ask for|require)\b[^.!?]{0,20}\brefund",
    re.IGNORECASE,
)
_INSTEAD: Final = frozenset({Want.REPLACEMENT, Want.EXCHANGE})
_MONEY_BACK = re.compile(r"\b(?:refund|reimburse|money back|charge ?back|pay me back)", re.IGNORECASE)
"""Somebody who ends a subscription says in the same breath whether they want the renewal back."""


def plan(triage: Triage, dossier: Dossier, text: str, *, now: datetime) -> Plan:
    """What could be done about each request.

    Args:
        triage: what the customer asks for and says.
        dossier: what was read about them.
        text: the redacted newest message, in which item names are looked up.
        now: business time.
    """
    return Plan(tuple(_item_for(intent, triage, dossier, text.lower(), now) for intent in requests(triage)))


def requests(triage: Triage) -> tuple[Intent, ...]:
    """What the ticket asks for, each thing once: without guesses, and without what another request says already.

    Somebody whose parcel never came also asks where it is and wants money back; that is one request, not three. A
    request to end something that the customer puts into words is no guess, however unsure its reading is: left out
    beside another one that is granted, it would be lost, and the customer charged again.
    """
    primary = triage.intents[0].intent
    asks_to_end = triage.claims.wants is Want.CANCEL
    sure = [
        score.intent
        for score in triage.intents[1:]
        if score.confidence >= SECONDARY_PERCENT or (asks_to_end and score.intent in _ENDINGS)
    ]
    wanted = list(dict.fromkeys([primary, *sure]))
    covered = {one for intent in wanted for one in COVERS.get(intent, frozenset())}
    if primary in covered and not any(primary in COVERS.get(other, frozenset()) for other in sure):
        covered.discard(primary)
    return tuple(intent for intent in wanted if intent not in covered)


def _item_for(intent: Intent, triage: Triage, dossier: Dossier, text: str, now: datetime) -> Item:  # noqa: PLR0911
    if intent in {Intent.TALK_TO_HUMAN, Intent.COMPLAINT, Intent.CHANGE_ORDER, Intent.OTHER}:
        return Item(intent, needs_person=Reason.OUT_OF_SCOPE)
    if intent in FROM_KNOWLEDGE:
        return Item(intent, candidates=(Candidate(ActionKind.REPLY, intent),), answer=Answer.POLICY)
    if dossier.customer is None or dossier.charges is None:
        return Item(intent, needs_person=_why_no_customer(dossier))
    if intent is Intent.ORDER_STATUS:
        return _order_status(triage.claims, dossier)
    if intent is Intent.REFUND_STATUS:
        return Item(intent, candidates=(Candidate(ActionKind.REPLY, intent),), answer=Answer.REFUND_STATUS)
    if intent is Intent.CANCEL_SUBSCRIPTION:
        return _cancel_subscription(triage, dossier, text, now)
    if intent is Intent.DUPLICATE_CHARGE:
        return _duplicate(triage.claims, dossier.charges, dossier)
    return _money_back(intent, triage.claims, dossier, text)


def _why_no_customer(dossier: Dossier) -> Reason:
    return Reason.TOOL_ERROR if dossier.draft_only else Reason.IDENTITY_NOT_VERIFIED


def narrow(claims: Claims, charges: tuple[ChargeView, ...], dossier: Dossier) -> tuple[ChargeView, ...]:
    """The charges that the customer can mean: by order number first, then by amount, else all of them."""
    if claims.order_ids:
        return tuple(charge for charge in charges if names_charge(claims, charge, dossier.order_of(charge)))
    stated = {(amount.minor, amount.currency) for amount in claims.amounts}
    by_amount = tuple(
        charge
        for charge in charges
        if (charge.amount.minor, charge.amount.currency) in stated or (charge.amount.minor, None) in stated
    )
    return by_amount or charges


def _which_charge(intent: Intent, claims: Claims, candidates: tuple[Candidate, ...]) -> Item:
    """Nothing or too much fits what the customer said: ask for the order number."""
    missing = Missing.ORDER_NUMBER if claims.order_ids or not candidates else Missing.WHICH_CHARGE
    return Item(intent, candidates=candidates, missing=frozenset({missing}))


def _are_each_named(claims: Claims, charges: tuple[ChargeView, ...], dossier: Dossier) -> bool:
    """Whether the customer states an order number for each of the charges, and none that fits two of them."""
    named = [
        [charge.charge_id for charge in charges if names_charge(one, charge, dossier.order_of(charge))]
        for one in (replace(claims, order_ids=(stated,)) for stated in dict.fromkeys(claims.order_ids))
    ]
    return all(len(ids) <= 1 for ids in named) and len({each for ids in named for each in ids}) == len(charges)


def _duplicate(claims: Claims, charges: tuple[ChargeView, ...], dossier: Dossier) -> Item:
    intent = Intent.DUPLICATE_CHARGE
    meant = narrow(claims, tuple(charge for charge in charges if charge.is_paid), dossier)
    later = [charge for charge in meant if (twin := twin_of(charge, charges)) is not None and is_later(charge, twin)]
    open_ones = [charge for charge in later if charge.refundable.minor > 0] or later
    if len(open_ones) == 1 or (open_ones and len(meant) > 1 and not claims.order_ids):
        newest = max(open_ones, key=lambda charge: charge.created_at)
        if len(open_ones) == 1:
            return Item(intent, candidates=(_refund(intent, newest, dossier),))
    if len(open_ones) > 1:
        refunds = tuple(_refund(intent, charge, dossier) for charge in open_ones)
        is_clear = _are_each_named(claims, tuple(open_ones), dossier)
        return Item(intent, candidates=refunds) if is_clear else _which_charge(intent, claims, refunds)
    if meant:
        # No two of them are twins, so the policy refuses; asking for a number that was given would help nobody.
        newest = max(meant, key=lambda charge: charge.created_at)
        return Item(intent, candidates=(_refund(intent, newest, dossier),))
    return _which_charge(intent, claims, ())


def _refund(intent: Intent, charge: ChargeView, dossier: Dossier, item: ItemView | None = None) -> Candidate:
    order = dossier.order_of(charge)
    if charge.is_paid and not charge.is_captured:
        return Candidate(
            ActionKind.CANCEL_PAYMENT,
            intent,
            charge_id=charge.charge_id,
            amount=charge.amount,
            order_id=order.id if order else None,
        )
    amount = charge.refundable
    key = "whole"
    if item is not None and item.amount is not None and item.amount.currency == amount.currency:
        amount = min(item.amount, amount)
        key = item.id
    return Candidate(
        ActionKind.REFUND,
        intent,
        charge_id=charge.charge_id,
        item_key=key,
        amount=amount,
        order_id=order.id if order else None,
    )


def _money_back(intent: Intent, claims: Claims, dossier: Dossier, text: str) -> Item:
    charges = tuple(charge for charge in dossier.charges or () if charge.is_paid)
    meant = narrow(claims, charges, dossier)
    if not meant and not charges:
        return Item(intent, missing=frozenset({Missing.ORDER_NUMBER}))
    by_item = _by_item_name(meant, dossier, text)
    if len(by_item) == 1:
        meant = tuple(charge for charge in meant if charge.charge_id in by_item)
    if len(meant) > 1 and intent is not Intent.PRICE_ADJUSTMENT and _are_each_named(claims, meant, dossier):
        parts = [
            _for_items(intent, claims, charge, dossier, by_item.get(charge.charge_id, ()), text) for charge in meant
        ]
        return Item(
            intent,
            candidates=tuple(candidate for part in parts for candidate in part.candidates),
            missing=frozenset(one for part in parts for one in part.missing),
            proposals=tuple(candidate for part in parts for candidate in part.proposals),
        )
    if len(meant) != 1:
        return _which_charge(intent, claims, tuple(_refund(intent, charge, dossier) for charge in meant))
    charge = meant[0]
    if intent is Intent.PRICE_ADJUSTMENT:
        return _price_adjustment(charge, dossier, by_item.get(charge.charge_id, ()))
    return _for_items(intent, claims, charge, dossier, by_item.get(charge.charge_id, ()), text)


def _by_item_name(charges: tuple[ChargeView, ...], dossier: Dossier, text: str) -> dict[str, tuple[ItemView, ...]]:
    """Items of each charge's order that the message names, by all longer words of their name."""
    words = {_singular(word) for word in _WORD.findall(text)}
    named: dict[str, tuple[ItemView, ...]] = {}
    for charge in charges:
        order = dossier.order_of(charge)
        hits = tuple(
            item
            for item in (order.items if order else None) or ()
            if item.name
            and (parts := {_singular(part) for part in _WORD.findall(item.name.lower())})
            and parts <= words
            and not parts <= _NO_NAMES
        )
        if hits:
            named[charge.charge_id] = hits
    return named


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _for_items(
    intent: Intent,
    claims: Claims,
    charge: ChargeView,
    dossier: Dossier,
    named: tuple[ItemView, ...],
    text: str,
) -> Item:
    order = dossier.order_of(charge)
    items = (order.items if order else None) or ()
    proposals = _proposals(intent, claims, charge, order)
    if _wants_something_else(claims, text):
        return Item(intent, needs_person=Reason.OUT_OF_SCOPE, proposals=proposals)
    if intent in {Intent.CANCEL_ORDER, Intent.UNAUTHORIZED_CHARGE} or len(items) <= 1 or len(named) == len(items):
        return Item(intent, candidates=(_refund(intent, charge, dossier),), proposals=proposals)
    if named:
        refunds = tuple(_refund(intent, charge, dossier, item) for item in named)
        return Item(intent, candidates=refunds, proposals=proposals)
    if intent in {Intent.ITEM_DAMAGED_OR_WRONG, Intent.RETURN_OR_EXCHANGE}:
        return Item(intent, missing=frozenset({Missing.WHICH_ITEM}), proposals=proposals)
    return Item(intent, candidates=(_refund(intent, charge, dossier),), proposals=proposals)


def _wants_something_else(claims: Claims, text: str) -> bool:
    """Whether the customer wants goods instead of money: nobody pays what was not asked for, and people send goods."""
    return _NO_REFUND.search(text) is not None or (claims.wants in _INSTEAD and _MONEY_BACK.search(text) is None)


def _proposals(intent: Intent, claims: Claims, charge: ChargeView, order: OrderView | None) -> tuple[Candidate, ...]:
    """What a person may prefer to a refund, prefilled for them."""
    kinds: list[ActionKind] = []
    if intent is Intent.RETURN_OR_EXCHANGE:
        kinds.append(ActionKind.RETURN_LABEL)
    if claims.wants in {Want.REPLACEMENT, Want.EXCHANGE}:
        kinds.append(ActionKind.REPLACEMENT)
    return tuple(
        Candidate(kind, intent, charge_id=charge.charge_id, order_id=order.id if order else None) for kind in kinds
    )


def _price_adjustment(charge: ChargeView, dossier: Dossier, named: tuple[ItemView, ...]) -> Item:
    intent = Intent.PRICE_ADJUSTMENT
    order = dossier.order_of(charge)
    items = named or (order.items if order else None) or ()
    drop = price_drop_minor(tuple(items))
    if not drop:
        return Item(intent, needs_person=Reason.MISSING_DATA)
    key = items[0].id if len(items) == 1 else "whole"
    amount = min(Money(drop, charge.amount.currency), charge.refundable)
    refund = Candidate(
        ActionKind.REFUND,
        intent,
        charge_id=charge.charge_id,
        item_key=f"{key}{PRICE_SUFFIX}",
        amount=amount,
        order_id=order.id if order else None,
    )
    return Item(intent, candidates=(refund,))


def _order_status(claims: Claims, dossier: Dossier) -> Item:
    intent = Intent.ORDER_STATUS
    if dossier.orders is None:
        return Item(intent, needs_person=Reason.MISSING_DATA)
    meant = orders_meant(claims, dossier.orders)
    if len(meant) == 1:
        reply = Candidate(ActionKind.REPLY, intent, order_id=meant[0].id)
        return Item(intent, candidates=(reply,), answer=Answer.ORDER_STATUS)
    missing = Missing.ORDER_NUMBER if not meant else Missing.WHICH_CHARGE
    return Item(intent, missing=frozenset({missing}))


def orders_meant(claims: Claims, orders: tuple[OrderView, ...]) -> tuple[OrderView, ...]:
    """The orders that the customer can mean."""
    if claims.order_ids:
        return tuple(order for order in orders if any(same_order_id(one, order.id) for one in claims.order_ids))
    return orders


def _cancel_subscription(triage: Triage, dossier: Dossier, text: str, now: datetime) -> Item:
    intent = Intent.CANCEL_SUBSCRIPTION
    if dossier.subscriptions is None:
        return Item(intent, needs_person=Reason.MISSING_DATA)
    running = [one for one in dossier.subscriptions if one.status not in _ENDED]
    if not running:
        return Item(intent, needs_person=Reason.MISSING_DATA)
    if len(running) > 1:
        return Item(intent, missing=frozenset({Missing.WHICH_SUBSCRIPTION}))
    subscription = running[0]
    renewal = _renewal(subscription, dossier, now)
    wants_money = triage.claims.wants is Want.REFUND or _MONEY_BACK.search(text) is not None
    timing = "now" if wants_money and renewal is not None else "period_end"
    cancel = Candidate(
        ActionKind.CANCEL_SUBSCRIPTION,
        intent,
        subscription_id=subscription.subscription_id,
        timing=timing,
    )
    if not wants_money or renewal is None:
        return Item(intent, candidates=(cancel,))
    refund = Candidate(
        ActionKind.REFUND,
        intent,
        charge_id=renewal.charge_id,
        amount=renewal.refundable,
        subscription_id=subscription.subscription_id,
    )
    return Item(intent, candidates=(cancel, refund))


def _renewal(subscription: SubscriptionView, dossier: Dossier, now: datetime) -> ChargeView | None:
    paid = [charge for charge in dossier.charges or () if pays_for(charge, subscription) and charge.created_at <= now]
    return max(paid, key=lambda charge: charge.created_at, default=None)
