"""What understanding a ticket yields: one frozen value of closed types, whoever produced it.

The local model and Claude both answer with a `Triage`. It holds no free text: intents, claims and reasons are closed
sets, amounts and order numbers are copied out of the customer's own words with the place they stand at. Nothing here
decides anything: a claim is what the customer says, and facts are looked up elsewhere. It refuses an empty intent list.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from policies.vocabulary import Intent


class Want(StrEnum):
    """The remedy the customer asks for in so many words."""

    REFUND = "refund"
    REPLACEMENT = "replacement"
    EXCHANGE = "exchange"
    CANCEL = "cancel"
    INFO = "info"


class Sensitive(StrEnum):
    """A subject that a person answers, whatever else the ticket asks for."""

    NONE = "none"
    LEGAL = "legal"
    PRESS = "press"
    HEALTH = "health"
    THREAT = "threat"
    SELF_HARM = "self_harm"


class PersonReason(StrEnum):
    """Why a person should look at the ticket before anything happens."""

    LEGAL = "legal"
    PRESS = "press"
    HEALTH = "health"
    THREAT = "threat"
    SELF_HARM = "self_harm"
    ASKS_FOR_HUMAN = "asks_for_human"
    LANGUAGE = "language"
    UNSURE = "unsure"


class Urgency(StrEnum):
    """How soon the customer needs an answer, by what they wrote."""

    NORMAL = "normal"
    SOON = "soon"
    NOW = "now"


class Part(StrEnum):
    """Which text an offset counts in. Quoted mail lies inside the body and counts in it."""

    SUBJECT = "subject"
    BODY = "body"
    QUOTED = "quoted"


class Claim(StrEnum):
    """What a span of the ticket is evidence for."""

    ORDER_ID = "order_id"
    AMOUNT = "amount"
    DATE = "date"
    DAYS_SINCE_PURCHASE = "days_since_purchase"
    DELIVERED = "delivered"
    NOT_RECEIVED = "not_received"
    DAMAGED = "damaged"
    WRONG_ITEM = "wrong_item"
    UNAUTHORISED = "unauthorised"
    DUPLICATE = "duplicate"
    UNOPENED = "unopened"
    WANTS = "wants"
    PHOTO = "photo"
    SENSITIVE = "sensitive"
    ASKS_FOR_HUMAN = "asks_for_human"
    INJECTION = "injection"
    INTENT = "intent"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a claim stands: code points `[start, end)` of the part's original text."""

    start: int
    end: int
    claim: Claim
    part: Part = Part.BODY


@dataclass(frozen=True, slots=True)
class StatedAmount:
    """An amount of money as the customer wrote it.

    `minor` counts the currency's minor units; `currency` is None where the text names none and the shop's currency was
    not given, and then `minor` assumes two decimals. `is_currency_assumed` says that the shop's currency was filled in.
    """

    minor: int
    currency: str | None
    is_currency_assumed: bool = False


@dataclass(frozen=True, slots=True)
class IntentScore:
    """One thing the ticket asks for, and the calibrated probability of it in whole percent."""

    intent: Intent
    confidence: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What the customer says, in order of appearance. None means that they do not say."""

    order_ids: tuple[str, ...] = ()
    amounts: tuple[StatedAmount, ...] = ()
    dates: tuple[date, ...] = ()
    days_since_purchase_stated: int | None = None
    delivered: bool | None = None
    not_received: bool = False
    damaged: bool = False
    wrong_item: bool = False
    unauthorised: bool = False
    duplicate: bool = False
    unopened: bool | None = None
    wants: Want | None = None
    photo_attached: bool = False


@dataclass(frozen=True, slots=True)
class Triage:
    """The whole answer. `intents` is never empty and its first entry is the primary one.

    `language` is an ISO 639-1 code, or `und` where too little text tells. `injection_suspected` is a signal for the
    reviewer and never a defence: the decision does not depend on it being right.
    """

    intents: tuple[IntentScore, ...]
    claims: Claims = field(default_factory=Claims)
    evidence: tuple[Evidence, ...] = ()
    language: str = "und"
    person_reasons: tuple[PersonReason, ...] = ()
    sensitive_topic: Sensitive = Sensitive.NONE
    injection_suspected: bool = False
    urgency: Urgency = Urgency.NORMAL

    def __post_init__(self) -> None:
        if not self.intents:
            raise ValueError("a triage without an intent: give Intent.OTHER where none of the others holds")

    @property
    def primary(self) -> Intent:
        """The first thing the ticket asks for."""
        return self.intents[0].intent

    @property
    def confidence(self) -> int:
        """The primary intent's calibrated probability in whole percent."""
        return self.intents[0].confidence

    @property
    def needs_person(self) -> bool:
        """Whether any reason asks for a person."""
        return bool(self.person_reasons)
