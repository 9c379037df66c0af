"""A made-up history of a shop like the shipped one: for a demo, a benchmark and tests, never for a real threshold.

`docs/history.md` describes the distribution; the numbers stand here once. The same seed gives the same history, row for
row. Nobody in it exists: tickets are numbers, and customers are not in it at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from policies.document import Policy
from policies.facts import CATALOGUE
from policies.tables import MODES
from policies.vocabulary import ActionKind, Intent, Verdict
from policies.whatif.deciding import VERDICTS, decide_all
from policies.whatif.history import RECORD, Review, fact_type, prepared

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Habit:
    """How tickets of one intent look.

    Args:
        share: of all refunds.
        median_usd: of the amount, which is log-normal.
        spread: standard deviation of its logarithm.
        median_days: age of the charge, log-normal with a spread of 0.8.
    """

    share: float
    median_usd: float
    spread: float
    median_days: float


HABITS: Final[Mapping[Intent, Habit]] = {
    Intent.RETURN_OR_EXCHANGE: Habit(0.22, 42.0, 0.80, 18.0),
    Intent.ITEM_NOT_RECEIVED: Habit(0.18, 34.0, 0.75, 16.0),
    Intent.ITEM_DAMAGED_OR_WRONG: Habit(0.17, 31.0, 0.70, 9.0),
    Intent.DUPLICATE_CHARGE: Habit(0.14, 29.0, 0.90, 3.0),
    Intent.REFUND_REQUEST: Habit(0.12, 38.0, 0.95, 12.0),
    Intent.CANCEL_ORDER: Habit(0.09, 55.0, 0.85, 0.7),
    Intent.CANCEL_SUBSCRIPTION: Habit(0.05, 24.0, 0.30, 5.0),
    Intent.PRICE_ADJUSTMENT: Habit(0.03, 9.0, 0.60, 6.0),
}
INTENTS: Final = tuple(Intent)
KINDS: Final = tuple(ActionKind)
REVIEWS: Final = tuple(Review)
FULFILMENTS: Final = ("unfulfilled", "shipped", "delivered")
REFUNDS: Final = 0.78
"""Share of refunds among the decisions; the rest are answers and ended subscriptions."""
OTHERS: Final[Mapping[tuple[ActionKind, Intent], float]] = {
    (ActionKind.REPLY, Intent.ORDER_STATUS): 0.45,
    (ActionKind.REPLY, Intent.POLICY_QUESTION): 0.25,
    (ActionKind.REPLY, Intent.REFUND_STATUS): 0.12,
    (ActionKind.CANCEL_SUBSCRIPTION, Intent.CANCEL_SUBSCRIPTION): 0.18,
}
CURRENCIES: Final[Mapping[str, tuple[float, float]]] = {
    "usd": (0.62, 100.0),
    "eur": (0.20, 92.0),
    "gbp": (0.10, 80.0),
    "cad": (0.05, 136.0),
    "jpy": (0.03, 150.0),
}
"""Share, and minor units for a US dollar."""
SEGMENTS: Final = {"standard": 0.72, "loyal": 0.17, "vip": 0.06, "wholesale": 0.05}
LANGUAGES: Final = {"en": 0.91, "de": 0.05, "fr": 0.04}
CHANNELS: Final = {"email": 0.55, "web": 0.45}
TOPICS: Final = {"none": 0.978, "legal": 0.008, "press": 0.002, "health": 0.006, "threat": 0.006}
CATEGORIES: Final = {"physical": 0.86, "perishable": 0.07, "custom": 0.04, "digital": 0.03}
DISPUTES: Final = {"open": 0.6, "won": 0.15, "lost": 0.25}
RISKS: Final = {"normal": 0.93, "elevated": 0.05, "highest": 0.02}
REJECTIONS: Final = {"not_eligible": 0.5, "suspected_abuse": 0.25, "wrong_amount": 0.15, "more_information": 0.10}

DAYS: Final = 180
_THURSDAY: Final = 3
_SATURDAY: Final = 5
_AFTERNOON_S: Final = 14 * 3600
YOUNG_DAYS: Final = 14
TICKETS_A_CUSTOMER: Final = 1.7
REJECTED_ODDS: Final = 0.008
"""Odds that a person rejects a plain refund of 50 USD; `_odds` says what raises them."""
ANSWERED: Final = 0.985
EDITED: Final = 0.12
DOUBTS: Final = ("verified", "unverified_email", "unauthenticated_mail", "shared_address")
REPEATED_PHOTOS: Final = 50
"""One in so many tickets shows a picture that another one showed."""
STOPPED_OF_REJECTED: Final = 0.35
"""Of what a person would have rejected and was paid alone, this share is stopped while it is held."""


def invented_history(policy: Policy, *, count: int, seed: int, until: datetime) -> pl.DataFrame:
    """Decisions of the half year before `until` under a policy, in the order of their time.

    Args:
        policy: decides them; its segments and languages are those of the shipped policy, or the tickets are foreign.
        count: how many.
        seed: of everything that is drawn.
        until: aware; the end of the history.
    """
    drawn = _Drawn(np.random.default_rng(seed), count, until)
    frame = _undecided(drawn)
    decisions = decide_all(policy, prepared(frame))
    answered = decisions.frame
    alone = decisions.alone.to_numpy()
    asked = answered.get_column("verdict").to_numpy() == VERDICTS.index(Verdict.NEEDS_APPROVAL)
    review, reason = drawn.reviews(alone, asked)
    agreed = (review == REVIEWS.index(Review.APPROVED)) | (review == REVIEWS.index(Review.EDITED))
    stopped = review == REVIEWS.index(Review.STOPPED)
    ground = answered.get_column("ground").to_numpy()
    return frame.with_columns(
        pl.lit(policy.content_hash).alias("policy"),
        **_typed(
            {
                "verdict": _worded(VERDICTS, answered.get_column("verdict").to_numpy()),
                "mode": _worded(MODES, answered.get_column("mode").to_numpy()),
                "rule": _worded([each.rule for each in decisions.grounds], ground),
                "section": _worded([each.section for each in decisions.grounds], ground),
                "review": _worded(REVIEWS, review, review < len(REVIEWS)),
                "review_reason": _worded(list(REJECTIONS), reason, review == REVIEWS.index(Review.REJECTED)),
                "refunded_minor": _known(drawn.is_refund & (alone | agreed) & ~stopped, drawn.amount),
            }
        ),
    )


def _undecided(drawn: _Drawn) -> pl.DataFrame:
    """The facts, with the record's own columns still empty."""
    facts = {name: column.cast(fact_type(CATALOGUE[name])) for name, column in drawn.facts().items()}
    own = {
        "ticket": pl.Series(np.arange(100_001, 100_001 + drawn.count)).cast(pl.String),
        "at": pl.Series(drawn.seconds * 1_000_000).cast(pl.Datetime("us", "UTC")),
    }
    empty = [pl.lit(None, kind).alias(name) for name, kind in RECORD.items() if name not in own]
    return pl.DataFrame(own).with_columns(empty).with_columns(**facts).select(*RECORD, *facts)


def _typed(columns: Mapping[str, pl.Series]) -> dict[str, pl.Series]:
    return {name: column.cast(RECORD[name]) for name, column in columns.items()}


class _Drawn:
    """The tickets of one seed. What is drawn is drawn in the order of this class, once."""

    def __init__(self, chance: np.random.Generator, count: int, until: datetime) -> None:
        self.chance, self.count = chance, count
        self.seconds = self._times(until)
        self.customer = (count / TICKETS_A_CUSTOMER * chance.random(count) ** 1.6).astype(np.int64)
        self.is_refund: Flags = self._happens(REFUNDS)
        refunded = np.array([INTENTS.index(intent) for intent in HABITS])[
            self._one_of(habit.share for habit in HABITS.values())
        ]
        other = self._one_of(OTHERS.values())
        kinds = np.array([KINDS.index(kind) for kind, _ in OTHERS])
        intents = np.array([INTENTS.index(intent) for _, intent in OTHERS])
        self.kind: Numbers = np.where(self.is_refund, KINDS.index(ActionKind.REFUND), kinds[other])
        self.intent: Numbers = np.where(self.is_refund, refunded, intents[other])
        self.currency = self._one_of(share for share, _ in CURRENCIES.values())
        self.amount = self._amounts()
        self.age_days: Numbers = np.maximum(0, self._per_intent("median_days") * self._lognormal(0.8)).astype(np.int64)
        self.refunds_90d = self._earlier_refunds()
        self.account_days: Numbers = np.maximum(self.age_days, chance.exponential(420.0, count).astype(np.int64))
        self.verified: Flags = self._happens(0.94)
        self.risk_level = self._one_of(RISKS.values())
        self.photo: Flags = self._happens(0.72)
        self.injection: Flags = self._happens(0.004)

    def facts(self) -> dict[str, pl.Series]:
        """The facts by name, unknown where the shop could not know them."""
        return {**self._of_request(), **self._of_money(), **self._of_order(), **self._of_subscription()}

    def reviews(self, alone: Flags, asked: Flags) -> tuple[Numbers, Numbers]:
        """What people said, and why: places in `REVIEWS` and `REJECTIONS`; beyond them where nobody said anything."""
        odds = self._odds()
        bad = self._happens(odds / (1 + odds))
        answered = self._happens(ANSWERED)
        edited = self._happens(EDITED)
        noticed = self._happens(STOPPED_OF_REJECTED)
        held = alone & self.is_refund & bad & noticed
        said = np.select(
            [held, asked & answered & bad, asked & answered & edited, asked & answered],
            [REVIEWS.index(one) for one in (Review.STOPPED, Review.REJECTED, Review.EDITED, Review.APPROVED)],
            len(REVIEWS),
        )
        return said, self._one_of(REJECTIONS.values())

    def _is_each(self, nth: int) -> Flags:
        """Every so many tickets: for what is rare and goes with nothing else, so that no draw is spent on it."""
        found: Flags = np.arange(self.count) % nth == nth - 1
        return found

    def _doubts(self) -> Numbers:
        """Places in `DOUBTS`: of four who are not verified, one for the mail and one for the address."""
        why = np.array([DOUBTS.index(one) for one in ("unverified_email", "unauthenticated_mail", "shared_address")])
        chosen = why[np.array([0, 1, 2, 0])[np.arange(self.count) % 4]]
        doubts: Numbers = np.where(self.verified, DOUBTS.index("verified"), chosen)
        return doubts

    def _is(self, intent: Intent) -> Flags:
        found: Flags = self.intent == INTENTS.index(intent)
        return found

    def _odds(self) -> Reals:
        """Odds that a person says no: with the amount, the customer's record, and what makes people careful."""
        usd = self.amount / self._rate()
        odds: Reals = REJECTED_ODDS * np.maximum(usd, 1.0) ** 0.8 / 50**0.8
        odds *= 1.9 ** np.minimum(self.refunds_90d, 4)
        odds *= np.where(self.account_days < YOUNG_DAYS, 2.5, 1.0)
        odds *= np.array([1.0, 3.0, 8.0])[self.risk_level]
        odds *= np.where(self.verified, 1.0, 6.0) * np.where(self.injection, 10.0, 1.0)
        undocumented = self._is(Intent.ITEM_DAMAGED_OR_WRONG) & ~self.photo
        odds *= np.where(undocumented, 3.0, 1.0) * np.where(self._is(Intent.REFUND_REQUEST), 1.5, 1.0)
        return odds

    def _times(self, until: datetime) -> Numbers:
        """Seconds since 1970, ascending: fewer at night and at the weekend."""
        end = int(until.timestamp())
        day = self.chance.integers(1, DAYS + 1, self.count)
        weekend = ((end // 86_400 - day + _THURSDAY) % 7 >= _SATURDAY) & self._happens(0.5)
        day = np.where(weekend, np.maximum(1, day - 2), day)
        second = np.clip(self.chance.normal(_AFTERNOON_S, 4 * 3600, self.count), 0, 86_399).astype(np.int64)
        return np.sort(np.minimum((end // 86_400 - day) * 86_400 + second, end))

    def _happens(self, share: float | Reals) -> Flags:
        return self.chance.random(self.count) < share

    def _one_of(self, shares: Iterable[float]) -> Numbers:
        """A place among the shares, each as often as its share."""
        bounds = np.cumsum(list(shares))
        drawn: Numbers = np.searchsorted(bounds, self.chance.random(self.count) * bounds[-1])
        return drawn.clip(max=len(bounds) - 1)

    def _lognormal(self, spread: float | Reals) -> Reals:
        return np.exp(self.chance.standard_normal(self.count) * spread)

    def _per_intent(self, part: str) -> Reals:
        known = {intent: float(getattr(habit, part)) for intent, habit in HABITS.items()}
        return np.array([known.get(intent, 1.0) for intent in INTENTS])[self.intent]

    def _rate(self) -> Reals:
        return np.array([rate for _, rate in CURRENCIES.values()])[self.currency]

    def _amounts(self) -> Numbers:
        """Minor units; most prices end in 90, and yen in a round ten."""
        amount = self._per_intent("median_usd") * self._lognormal(self._per_intent("spread")) * self._rate()
        minor: Numbers = np.clip(amount, 100, 5_000_000).astype(np.int64)
        round_ten = minor // 10 * 10
        priced = np.where(self.currency == list(CURRENCIES).index("jpy"), round_ten, minor // 100 * 100 + 90)
        return np.where(self.is_refund, np.where(self._happens(0.7), priced, minor), 0)

    def _earlier_refunds(self) -> Numbers:
        """Refunds of the same customer within the 90 days before."""
        window = 90 * 86_400
        base = self.seconds - self.seconds.min() if self.count else self.seconds
        key = self.customer * (4 * DAYS * 86_400) + base + window
        refunds = np.sort(key[self.is_refund])
        return np.searchsorted(refunds, key) - np.searchsorted(refunds, key - window)

    def _of_request(self) -> dict[str, pl.Series]:
        chance, count = self.chance, self.count
        refund = self.is_refund
        damaged = refund & self._is(Intent.ITEM_DAMAGED_OR_WRONG)
        return {
            "action.kind": _worded(KINDS, self.kind),
            "action.amount_minor": _known(refund, self.amount),
            "action.currency": _worded(list(CURRENCIES), self.currency, refund),
            "request.intent": _worded(INTENTS, self.intent),
            "request.confidence_percent": pl.Series(
                np.clip(100 * chance.beta(9.0, 1.4, count), 5, 99).astype(np.int64)
            ),
            "request.sensitive_topic": self._worded(TOPICS),
            "request.language": self._worded(LANGUAGES),
            "request.channel": self._worded(CHANNELS),
            "request.injection_suspected": pl.Series(self.injection),
            "request.count": pl.Series(1 + self._happens(0.08).astype(np.int64)),
            "claim.photo_attached": _known(damaged, self.photo),
            "claim.damaged": pl.Series(damaged),
            "claim.not_received": pl.Series(refund & self._is(Intent.ITEM_NOT_RECEIVED)),
            "claim.unauthorised": pl.Series(refund & self._happens(0.004)),
            "requester.verified": pl.Series(self.verified),
            "requester.identity": _worded(DOUBTS, self._doubts()),
            "requester.mail_authentication": _worded(
                ("no_doubt", "failed"), (self._doubts() == DOUBTS.index("unauthenticated_mail")).astype(np.int64)
            ),
            "requester.address_shared": pl.Series(self._doubts() == DOUBTS.index("shared_address")),
            "request.photo_repeated": _known(damaged & self.photo, self._is_each(REPEATED_PHOTOS)),
            "requester.segment": self._worded(SEGMENTS, self.verified),
            "requester.account_age_days": _known(self.verified, self.account_days),
            "customer.refunds_90d": _known(self.verified, self.refunds_90d),
            "customer.open_disputes": _known(self.verified, self._happens(0.006).astype(np.int64)),
            "customer.disputes_365d": _known(self.verified, self._happens(0.015).astype(np.int64)),
            "customer.early_fraud_warnings": _known(self.verified, self._happens(0.008).astype(np.int64)),
            "run.questions_asked": pl.Series(self._happens(0.1).astype(np.int64)),
            "run.tool_errors": pl.Series(self._happens(0.03).astype(np.int64)),
            "run.retries": pl.Series(np.zeros(count, np.int64)),
            "run.missing_documents": pl.Series(self._happens(0.06).astype(np.int64)),
            "run.draft_only": pl.Series(self._happens(0.003)),
        }

    def _of_money(self) -> dict[str, pl.Series]:
        chance, count, refund = self.chance, self.count, self.is_refund
        whole = self._happens(0.7)
        captured = np.where(whole, self.amount, (self.amount * (1 + chance.exponential(0.9, count))).astype(np.int64))
        twin = refund & self._is(Intent.DUPLICATE_CHARGE) & self._happens(0.92)
        later = twin & self._happens(0.94)
        disputed = self._happens(0.007)
        status = np.where(disputed, self._one_of(DISPUTES.values()), len(DISPUTES))
        before = self._happens(0.03)
        return {
            "action.scope": _worded(("item", "whole"), whole.astype(np.int64), refund),
            "charge.owned_by_requester": _known(refund, self.verified | self._happens(0.97)),
            "charge.status": _worded(("succeeded",), np.zeros(count, np.int64), refund),
            "charge.amount_minor": _known(refund, captured),
            "charge.refundable_minor": _known(refund, np.where(before, captured * 9 // 10, captured)),
            "charge.refunded_minor": _known(refund, np.where(before, captured // 10, 0)),
            "charge.refunds": _known(refund, before.astype(np.int64)),
            "charge.currency": _worded(list(CURRENCIES), self.currency, refund),
            "charge.age_days": _known(refund, self.age_days),
            "charge.disputed": _known(refund, disputed),
            "charge.dispute_status": _worded([*DISPUTES, "none"], status, refund),
            "charge.early_fraud_warning": _known(refund, self._happens(0.006)),
            "charge.risk_level": _worded(list(RISKS), self.risk_level, refund),
            "charge.payment_method": _worded(("card",), np.zeros(count, np.int64), refund),
            "charge.card_first_seen_days": _known(refund, np.minimum(self.account_days, self.age_days + 200)),
            "charge.refund_in_flight": _known(refund, self._happens(0.004)),
            "charge.prior_refusals": _known(refund, self._happens(0.01).astype(np.int64)),
            "charge.has_twin": _known(refund, twin),
            "charge.is_later_twin": _known(refund, later),
        }

    def _of_order(self) -> dict[str, pl.Series]:
        chance, count = self.chance, self.count
        known = self.is_refund & ~self._is(Intent.CANCEL_SUBSCRIPTION) & self._happens(0.97)
        late = self._is(Intent.ITEM_NOT_RECEIVED)
        early = self._is(Intent.CANCEL_ORDER)
        fulfilment = np.select(
            [late & self._happens(0.85), early & self._happens(0.8)],
            [FULFILMENTS.index("shipped"), FULFILMENTS.index("unfulfilled")],
            FULFILMENTS.index("delivered"),
        )
        delivered = known & (fulfilment == FULFILMENTS.index("delivered"))
        since = np.maximum(0, self.age_days - chance.integers(2, 8, count))
        return {
            "order.known": _known(self.is_refund, known),
            "order.owned_by_requester": _known(known, self.verified),
            "order.fulfilment": _worded(FULFILMENTS, fulfilment, known),
            "order.age_days": _known(known, self.age_days),
            "order.days_since_delivered": _known(delivered, since),
            "order.days_past_promised": _known(known, self.age_days - chance.integers(3, 9, count)),
            "item.final_sale": _known(known, self._happens(0.05)),
            "item.category": self._worded(CATEGORIES, known),
            "item.return_received": _known(delivered, self._happens(0.62)),
        }

    def _of_subscription(self) -> dict[str, pl.Series]:
        known = self._is(Intent.CANCEL_SUBSCRIPTION)
        now = self._happens(0.4).astype(np.int64)
        ends = known & ~self.is_refund
        return {
            "subscription.known": _known(known, known),
            "subscription.days_into_period": _known(known, np.minimum(self.age_days, 30)),
            "subscription.used_since_renewal": _known(known, self._happens(0.3)),
            "charge.is_renewal": _known(known & self.is_refund, known),
            "action.timing": _worded(("period_end", "now"), now, ends),
        }

    def _worded(self, shares: Mapping[str, float], known: Flags | None = None) -> pl.Series:
        return _worded(list(shares), self._one_of(shares.values()), known)


def _known(known: Flags, values: Numbers | Flags) -> pl.Series:
    """The values, null where they are not known."""
    return pl.select(pl.when(pl.Series(known)).then(pl.Series(values))).to_series()


def _worded(words: Sequence[str | None], places: Numbers, known: Flags | None = None) -> pl.Series:
    """The word at each place, null where it is not known."""
    kept = places if known is None else np.where(known, places, 0)
    spelled = pl.Series([None if word is None else str(word) for word in words], dtype=pl.String).gather(kept)
    return spelled if known is None else pl.select(pl.when(pl.Series(known)).then(spelled)).to_series()
