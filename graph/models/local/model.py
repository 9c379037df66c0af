"""The local provider's triage: newest message, language, sentences, head and rules, put together into one `Triage`.

It promises the same answer for the same text and weights, and low confidence where it does not know: a ticket in a
language without written cues, a subject outside a shop's work and a tie between intents all ask for a person.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from graph.models.local import signals
from graph.models.local.dates import find_dates
from graph.models.local.examples import Cues
from graph.models.local.head import INTENTS, Head, judge, load_head
from graph.models.local.language import SUPPORTED, language_of
from graph.models.local.newest import Newest, newest_message
from graph.models.local.numbers import Amount, Days, OrderNumber, find_amounts, find_days_since_purchase, find_orders
from graph.models.local.reading import Embeds, Matrix, Reader
from graph.models.triage import (
    Claim,
    Claims,
    Evidence,
    IntentScore,
    Part,
    PersonReason,
    Sensitive,
    Triage,
)
from policies.vocabulary import Intent

_MAX_TEXT: Final = 20_000
_ALSO_FROM: Final = 0.5
_ALSO_FROM_WITH_CUE: Final = 0.3
_MAX_INTENTS: Final = 4
_WEAK_BELOW: Final = 40
"""Whole percent of confidence."""
_WANTS_PERSON_FROM: Final = 40
"""Whole percent of confidence; the harm of fetching a person who was not asked for is small."""
_SEPARATOR: Final = "\n\n"
_SURE_OTHER: Final = re.compile(
    r"\b(?:out of (?:the )?office|automatic reply|auto-?reply|undeliverable|mailer-daemon|delivery status notification|"
    r"could not be delivered to|final-recipient|backlinks?|guest post)\b",
    re.IGNORECASE,
)
_BARE_NUMBER: Final = re.compile(
    r"(?=.*\d)(?:[\W\d_]|\b(?:it|its|is|s|was|the|this|that|one|ones|of|with|my|order|orders|number|numbers|nr|id|first|"
    r"second|last|other|please|thanks|thank|you|hi|hello|sorry|here|es|el|la|pedido|numero|le|commande|die|nummer|"
    r"bestellung|bestellnummer|ist|o|e|gracias|merci|danke|obrigado|obrigada)\b)+",
    re.IGNORECASE | re.DOTALL,
)
"""A message that names a number and says nothing else: the answer to "which order?". A no is not among its words."""
_MONEY_INTENTS: Final = frozenset(
    {Intent.REFUND_REQUEST, Intent.DUPLICATE_CHARGE, Intent.UNAUTHORIZED_CHARGE, Intent.REFUND_STATUS}
)


class LocalModel:
    """Triage by embeddings, a fitted head and written rules. Safe to share between threads if `embedder` is."""

    def __init__(self, embedder: Embeds, head: Head, *, shop_currency: str | None = None) -> None:
        self._reader = Reader(embedder, Cues())
        self._head = head
        self._shop_currency = shop_currency

    def triage(self, subject: str, body: str) -> Triage:
        """What the newest message of a ticket asks for and claims.

        Args:
            subject: the ticket's subject; counts as its first line.
            body: the newest comment as sent, with quoted mail and markup, after redaction. Text beyond 20,000
                characters is not read.
        """
        newest = newest_message(body[:_MAX_TEXT])
        text = subject + _SEPARATOR + newest.text
        language = language_of(text)
        intents = self._intents(subject, newest.text)
        if _SURE_OTHER.search(text):
            intents = (IntentScore(Intent.OTHER, 95),)
        topic, topic_place = signals.sensitive_topic(text)
        injected = signals.injection_place(text)
        claims, evidence = self._claims(text, newest)
        for place, claim in ((topic_place, Claim.SENSITIVE), (injected, Claim.INJECTION)):
            if place is not None:
                evidence.append(Evidence(*place, claim))
        asks_human = any(item.claim is Claim.ASKS_FOR_HUMAN for item in evidence)
        return Triage(
            intents=intents,
            claims=claims,
            evidence=tuple(_in_parts(item, len(subject)) for item in sorted(evidence, key=lambda item: item.start)),
            language=language,
            person_reasons=self._reasons(intents, topic, language, asks_human=asks_human),
            sensitive_topic=topic,
            injection_suspected=injected is not None or newest.has_hidden_text,
            urgency=signals.urgency(text),
        )

    def _intents(self, subject: str, text: str) -> tuple[IntentScore, ...]:
        reading = self._reader.ticket(subject, text)
        if reading is None or _BARE_NUMBER.fullmatch(f"{subject} {text}"):
            return (IntentScore(Intent.OTHER, 0),)
        judged = judge(self._head.scorers, reading)
        found = np.asarray(reading.cues.max(axis=0), dtype=np.float32)
        return _ranked(self._head.probabilities(judged), judged.best, found)

    def _reasons(
        self, intents: tuple[IntentScore, ...], topic: Sensitive, language: str, *, asks_human: bool
    ) -> tuple[PersonReason, ...]:
        reasons = []
        if topic is not Sensitive.NONE:
            reasons.append(PersonReason(topic.value))
        if asks_human or any(
            score.intent is Intent.TALK_TO_HUMAN and score.confidence >= _WANTS_PERSON_FROM for score in intents
        ):
            reasons.append(PersonReason.ASKS_FOR_HUMAN)
        if language not in SUPPORTED and language != "und":
            reasons.append(PersonReason.LANGUAGE)
        if intents[0].confidence < self._head.unsure_below:
            reasons.append(PersonReason.UNSURE)
        return tuple(reasons)

    def _claims(self, text: str, newest: Newest) -> tuple[Claims, list[Evidence]]:
        amounts = find_amounts(text, self._shop_currency)
        orders = find_orders(text, amounts)
        days = find_days_since_purchase(text)
        dates = find_dates(text)
        evidence = [*signals.find_claims(text), *_number_evidence(amounts, orders, days, Part.BODY)]
        evidence += [Evidence(stated.start, stated.end, Claim.DATE) for stated in dates]
        old_amounts: list[Amount] = []
        old_orders: list[OrderNumber] = []
        if newest.history.strip() and not (amounts and orders):
            # A reply rarely repeats what the mail below it says; the place tells that it is quoted.
            shift = len(text) - len(newest.text)
            history = " " * shift + newest.history
            quoted = find_amounts(history, self._shop_currency)
            old_amounts = [] if amounts else quoted
            old_orders = [] if orders else find_orders(history, quoted)
            evidence += _number_evidence(old_amounts, old_orders, None, Part.QUOTED)
        said = {item.claim for item in evidence}
        claims = Claims(
            order_ids=tuple(order.order_id for order in orders or old_orders),
            amounts=tuple(amount.amount for amount in amounts or old_amounts),
            dates=tuple(stated.day for stated in dates),
            days_since_purchase_stated=days.days if days else None,
            delivered=signals.delivered(text),
            not_received=Claim.NOT_RECEIVED in said,
            damaged=Claim.DAMAGED in said,
            wrong_item=Claim.WRONG_ITEM in said,
            unauthorised=Claim.UNAUTHORISED in said,
            duplicate=Claim.DUPLICATE in said,
            unopened=True if Claim.UNOPENED in said else None,
            wants=signals.wanted(text),
            photo_attached=Claim.PHOTO in said,
        )
        return claims, evidence


def gives_orders(subject: str, body: str) -> bool:
    """Whether a ticket's words talk to a machine, or some are hidden from its reader; `triage` says so, too."""
    newest = newest_message(body[:_MAX_TEXT])
    return newest.has_hidden_text or signals.injection_place(subject + _SEPARATOR + newest.text) is not None


def load_local_model(embedder: Embeds, *, shop_currency: str | None = None) -> LocalModel:
    """The local model with the shipped head.

    Args:
        embedder: turns sentences into vectors; shared with retrieval.
        shop_currency: what a bare `44.50` is read in, lower-case ISO 4217.

    Raises:
        ValueError: the shipped head was fitted on other examples than those shipped.
    """
    return LocalModel(embedder, load_head(), shop_currency=shop_currency)


def _ranked(primary: Matrix, best: Matrix, cues: Matrix) -> tuple[IntentScore, ...]:
    """The primary intent, then others that some sentence of its own speaks for."""
    order = [int(place) for place in np.argsort(-primary)]
    first = order[0]
    scores = [IntentScore(INTENTS[first], round(float(primary[first]) * 100))]
    for place in order[1:]:
        bar = _ALSO_FROM_WITH_CUE if cues[place] else _ALSO_FROM
        if INTENTS[place] is not Intent.OTHER and best[place] >= bar and len(scores) < _MAX_INTENTS:
            scores.append(IntentScore(INTENTS[place], round(float(min(primary[place] + best[place], 1)) * 50)))
    if scores[0].confidence < _WEAK_BELOW and scores[0].intent in _MONEY_INTENTS and not cues[first]:
        # So weak a guess without a single word for it is not even a reason to look at money.
        return (IntentScore(Intent.OTHER, scores[0].confidence),)
    return tuple(scores)


def _number_evidence(amounts: list[Amount], orders: list[OrderNumber], days: Days | None, part: Part) -> list[Evidence]:
    evidence = [Evidence(amount.start, amount.end, Claim.AMOUNT, part) for amount in amounts]
    evidence += [Evidence(order.start, order.end, Claim.ORDER_ID, part) for order in orders]
    if days is not None:
        evidence.append(Evidence(days.start, days.end, Claim.DAYS_SINCE_PURCHASE, part))
    return evidence


def _in_parts(item: Evidence, subject_length: int) -> Evidence:
    """Offsets so far count in subject and body as one text; they are handed out per part."""
    if item.start < subject_length:
        return Evidence(item.start, min(item.end, subject_length), item.claim, Part.SUBJECT)
    shift = subject_length + len(_SEPARATOR)
    return Evidence(max(0, item.start - shift), item.end - shift, item.claim, item.part)
