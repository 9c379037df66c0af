"""The facts a decision may know, each declared once, and the immutable values of one case.

A declaration (name, type, unit, source, description) drives validation of policy files, the evaluator, the forms, the
documentation and the columnar what-if. A fact that is not given is unknown; it is never assumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import orjson

from policies.errors import FactError
from policies.money import CURRENCIES
from policies.vocabulary import ActionKind, Intent

FactValue = bool | int | str


class FactType(StrEnum):
    """How a fact is compared. `label` is an open word list that the policy file declares (segments, brands)."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    MONEY = "money"
    ENUM = "enum"
    LABEL = "label"


class Source(StrEnum):
    """Where a fact is read. A `ticket` fact is a claim of the customer, everything else is a record."""

    ZENDESK = "zendesk"
    STRIPE = "stripe"
    ORDERS = "orders"
    LEDGER = "ledger"
    TICKET = "ticket"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Fact:
    """One declaration. `unit` is `minor` for money, `days`, `minutes`, `percent`, `count` or empty."""

    name: str
    type: FactType
    source: Source
    description: str
    unit: str = ""
    values: tuple[str, ...] = ()

    def check(self, value: object) -> FactValue:
        """The value itself where it fits the declaration.

        Raises:
            FactError: another type, or a word that is not in the list.
        """
        if self.type is FactType.BOOLEAN:
            fits = isinstance(value, bool)
        elif self.type in {FactType.INTEGER, FactType.MONEY}:
            fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER
        elif self.type is FactType.ENUM:
            fits = isinstance(value, str) and value in self.values
        else:
            fits = isinstance(value, str) and _is_unicode(value)
        if not fits:
            expected = f"one of {', '.join(self.values[:20])}" if self.values else _EXPECTED[self.type]
            raise FactError(f"fact {self.name!r} cannot be {value!r}: give {expected}")
        assert isinstance(value, bool | int | str)
        return value


MAX_INTEGER: Final = 10**18 - 1
"""Nothing that is counted or paid comes near it."""
_EXPECTED: Final = MappingProxyType(
    {
        FactType.BOOLEAN: "true or false",
        FactType.INTEGER: "a whole number of at most 18 digits",
        FactType.MONEY: "a whole number of minor units, of at most 18 digits",
        FactType.ENUM: "a listed word",
        FactType.LABEL: "a word of Unicode text",
    },
)


def _is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8: half of a surrogate pair cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _boolean(name: str, source: Source, description: str) -> Fact:
    return Fact(name, FactType.BOOLEAN, source, description)


def _integer(name: str, unit: str, source: Source, description: str) -> Fact:
    return Fact(name, FactType.INTEGER, source, description, unit=unit)


def _money(name: str, source: Source, description: str) -> Fact:
    return Fact(name, FactType.MONEY, source, description, unit="minor")


def _enum(name: str, source: Source, values: tuple[str, ...], description: str) -> Fact:
    return Fact(name, FactType.ENUM, source, description, values=values)


def _label(name: str, source: Source, description: str) -> Fact:
    return Fact(name, FactType.LABEL, source, description)


_ZENDESK, _STRIPE, _ORDERS = Source.ZENDESK, Source.STRIPE, Source.ORDERS
_LEDGER, _TICKET, _RUN = Source.LEDGER, Source.TICKET, Source.RUN

_DECLARED: tuple[Fact, ...] = (
    # the action under decision
    _enum("action.kind", _RUN, tuple(ActionKind), "what would be done"),
    _money("action.amount_minor", _RUN, "the money it would move, in the charge's currency; 0 where none moves"),
    _enum("action.currency", _RUN, tuple(sorted(CURRENCIES)), "the currency of that money"),
    _enum(
        "action.scope", _RUN, ("whole", "part", "item"), "the whole charge, an amount of it, or one item of the order"
    ),
    _enum("action.timing", _RUN, ("now", "period_end"), "when a subscription would end"),
    _integer("action.recipient_count", "count", _RUN, "how many people a message would reach"),
    _boolean("action.payee_is_new", _RUN, "money would go somewhere it has never come from"),
    # the request it answers
    _enum("request.intent", _TICKET, tuple(Intent), "what the customer asks for"),
    _integer("request.confidence_percent", "percent", _RUN, "calibrated confidence that the intent is right"),
    _enum(
        "request.sensitive_topic",
        _TICKET,
        ("none", "legal", "press", "health", "threat", "self_harm"),
        "a topic that belongs to a person",
    ),
    _label("request.language", _TICKET, "language of the newest message, as an ISO 639-1 code"),
    _label("request.channel", _ZENDESK, "how the ticket came in"),
    _label("request.brand", _ZENDESK, "brand the ticket belongs to"),
    _boolean(
        "request.injection_suspected", _TICKET, "the text tries to instruct the agent; a signal, never the defence"
    ),
    _integer("request.count", "count", _TICKET, "how many requests the ticket holds"),
    _boolean("request.photo_repeated", _LEDGER, "a picture of the ticket was on an earlier ticket"),
    # what the customer says
    _boolean("claim.not_received", _TICKET, "says that it never came"),
    _boolean("claim.delivered", _TICKET, "says that it arrived"),
    _boolean("claim.damaged", _TICKET, "says that it is damaged or faulty"),
    _boolean("claim.wrong_item", _TICKET, "says that something else came"),
    _boolean("claim.unauthorised", _TICKET, "says that they did not make the payment"),
    _boolean("claim.duplicate", _TICKET, "says that they paid twice"),
    _boolean("claim.unopened", _TICKET, "says that it is unused"),
    _boolean("claim.photo_attached", _TICKET, "the newest message carries a picture"),
    # who asks
    _boolean(
        "requester.verified", _ZENDESK, "the address is verified, nothing is flagged, one Stripe customer matches"
    ),
    _enum(
        "requester.identity",
        _ZENDESK,
        (
            "verified",
            "unverified_email",
            "unauthenticated_mail",
            "flagged_comment",
            "carbon_copied",
            "shared_address",
            "no_customer",
            "several_customers",
        ),
        "why the requester counts as verified or not",
    ),
    _enum(
        "requester.mail_authentication",
        _ZENDESK,
        ("not_mail", "no_doubt", "failed", "suspended"),
        "what Zendesk records of the sender: a failed authentication, a suspension that somebody lifted, or nothing",
    ),
    _boolean(
        "requester.address_shared",
        _ZENDESK,
        "several people stand behind the address: a role's mailbox, another account's user, several Stripe customers",
    ),
    _label("requester.segment", _STRIPE, "segment of the customer"),
    _integer("requester.account_age_days", "days", _STRIPE, "age of the Stripe customer"),
    # the customer's record
    _integer("customer.refunds_90d", "count", _LEDGER, "refunds of the last 90 days, made by anybody"),
    _money("customer.refunded_90d_minor", _LEDGER, "money refunded in the last 90 days, in the action's currency"),
    _integer("customer.open_disputes", "count", _STRIPE, "disputes that are open now"),
    _integer("customer.disputes_365d", "count", _STRIPE, "disputes of the last 365 days"),
    _integer("customer.early_fraud_warnings", "count", _STRIPE, "early fraud warnings on their charges"),
    # the charge
    _boolean("charge.owned_by_requester", _STRIPE, "the charge belongs to the verified requester's own customer"),
    _enum("charge.status", _STRIPE, ("succeeded", "pending", "failed", "uncaptured"), "state of the payment"),
    _money("charge.amount_minor", _STRIPE, "what was captured"),
    _money("charge.refundable_minor", _STRIPE, "what is left of it after refunds and reservations"),
    _money("charge.refunded_minor", _STRIPE, "what has been refunded already"),
    _enum("charge.currency", _STRIPE, tuple(sorted(CURRENCIES)), "currency of the charge"),
    _integer("charge.age_days", "days", _STRIPE, "whole days since the charge"),
    _boolean("charge.disputed", _STRIPE, "a dispute was opened on it"),
    _enum(
        "charge.dispute_status",
        _STRIPE,
        ("none", "inquiry", "open", "won", "lost"),
        "state of the latest dispute",
    ),
    _boolean("charge.early_fraud_warning", _STRIPE, "the card network warned about it"),
    _enum("charge.risk_level", _STRIPE, ("normal", "elevated", "highest"), "Stripe's risk level"),
    _boolean("charge.has_twin", _STRIPE, "another charge of the same customer, amount and order stands beside it"),
    _integer("charge.twin_minutes_apart", "minutes", _STRIPE, "time between the two"),
    _boolean("charge.is_later_twin", _STRIPE, "it is the later of the two"),
    _enum("charge.payment_method", _STRIPE, ("card", "bank_debit", "wallet", "other"), "how it was paid"),
    _integer("charge.card_first_seen_days", "days", _STRIPE, "since when the card is known for this customer"),
    _boolean("charge.refund_in_flight", _LEDGER, "a refund of it is reserved, sent or unresolved"),
    _integer("charge.refunds", "count", _STRIPE, "refunds made on it so far"),
    _integer(
        "charge.prior_refusals",
        "count",
        _LEDGER,
        "times that policy or a person refused something on it, whoever asked",
    ),
    # the order behind it
    _boolean("order.known", _ORDERS, "the shop knows an order for the charge"),
    _boolean("order.owned_by_requester", _ORDERS, "the order is the verified requester's own customer's"),
    _boolean("order.named_by_requester", _TICKET, "the ticket names the order by its number"),
    _enum(
        "order.fulfilment",
        _ORDERS,
        ("unfulfilled", "partly_shipped", "shipped", "delivered", "cancelled"),
        "how far it came",
    ),
    _integer("order.age_days", "days", _ORDERS, "whole days since it was placed"),
    _integer("order.days_since_shipped", "days", _ORDERS, "whole days since the last parcel left"),
    _integer("order.days_since_delivered", "days", _ORDERS, "whole days since the carrier delivered"),
    _integer("order.days_past_promised", "days", _ORDERS, "whole days since the promised date; negative before it"),
    _boolean("item.known", _ORDERS, "one item of the order is meant"),
    _boolean("item.final_sale", _ORDERS, "sold as final, no returns"),
    _enum(
        "item.category",
        _ORDERS,
        ("physical", "perishable", "custom", "digital"),
        "kind of goods; the strictest of several",
    ),
    _boolean("item.return_received", _ORDERS, "the goods are back"),
    _boolean("item.return_requested", _ORDERS, "a return is under way"),
    _money("item.amount_minor", _ORDERS, "what was paid for it"),
    _money("item.price_drop_minor", _ORDERS, "how much less it costs today, per order line"),
    # the subscription behind it
    _boolean("subscription.known", _STRIPE, "a subscription of the requester is meant"),
    _enum(
        "subscription.status",
        _STRIPE,
        ("trialing", "active", "past_due", "paused", "canceled", "incomplete", "unpaid"),
        "its state",
    ),
    _integer("subscription.days_into_period", "days", _STRIPE, "whole days since the current period began"),
    _boolean("subscription.ends_at_period_end", _STRIPE, "it is already set to end"),
    _boolean("subscription.used_since_renewal", _ORDERS, "the current period was shipped or used"),
    _boolean("charge.is_renewal", _STRIPE, "the charge paid for the current subscription period"),
    # the run itself
    _integer("run.questions_asked", "count", _RUN, "questions the customer was already asked"),
    _integer("run.tool_errors", "count", _RUN, "calls that failed so far"),
    _integer("run.retries", "count", _RUN, "calls that were repeated so far"),
    _integer("run.missing_documents", "count", _RUN, "requests for which no policy section was found"),
    _boolean("run.draft_only", _RUN, "a connector the action needs has fallen back to draft-only"),
)

CATALOGUE: Final[Mapping[str, Fact]] = MappingProxyType({fact.name: fact for fact in _DECLARED})


class Facts(Mapping[str, FactValue]):
    """The facts of one case. Frozen and checked against the catalogue; a missing name is unknown.

    >>> Facts({"charge.disputed": False}).get("charge.age_days") is None
    True

    Raises:
        FactError: an unknown name or a value of the wrong type.
    """

    __slots__ = ("_digest", "_values")

    def __init__(self, values: Mapping[str, object]) -> None:
        checked: dict[str, FactValue] = {}
        for name, value in values.items():
            if value is None:
                continue
            fact = CATALOGUE.get(name)
            if fact is None:
                raise FactError(f"unknown fact {name!r}: `countersign policy facts` lists the names")
            checked[name] = fact.check(value)
        self._values = checked
        self._digest: str | None = None

    def __getitem__(self, name: str) -> FactValue:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    @property
    def by_name(self) -> Mapping[str, FactValue]:
        """The same values as a plain mapping, which is faster to ask often. Its type lets nobody change it."""
        return self._values

    @property
    def digest(self) -> str:
        """SHA-256 of the facts in one spelling (JSON in UTF-8, sorted keys, no blanks), computed once."""
        if self._digest is None:
            spelled = orjson.dumps(self._values, option=orjson.OPT_SORT_KEYS)
            self._digest = hashlib.sha256(spelled).hexdigest()
        return self._digest

    def __repr__(self) -> str:
        return f"Facts({self._values!r})"

    def with_values(self, **_named: FactValue) -> Facts:
        """A copy with other values; names are given with `__` for the dot."""
        return Facts({**self._values, **{name.replace("__", "."): value for name, value in _named.items()}})
