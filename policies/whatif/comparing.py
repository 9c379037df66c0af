"""What a candidate changes about the past: counts, money, flipped tickets, agreement with people, worst days."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

import polars as pl

from policies.document import Policy
from policies.evaluate import decide
from policies.facts import CATALOGUE, Facts
from policies.locked import MOVES_MONEY
from policies.tables import MODES
from policies.vocabulary import Verdict
from policies.whatif.autonomy import choice
from policies.whatif.bounds import lower_bound
from policies.whatif.deciding import LEAST_ACTING, VERDICTS, Decisions, decide_all
from policies.whatif.exposure import worst_day
from policies.whatif.history import AMOUNT, CURRENCY, INTENT, KIND, Prepared, Review

REVIEWS: Final = tuple(review.value for review in Review)
FLIPS_SHOWN: Final = 20
_YES: Final = (Review.APPROVED, Review.EDITED)


class Course(StrEnum):
    """What an answer means for the ticket."""

    ALONE = "alone"
    ASKS = "asks_a_person"
    REFUSES = "refuses"


COURSES: Final = tuple(Course)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many decisions, and the money they are about: minor units by currency."""

    decisions: int
    money_minor: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the answers compare with what people decided. What is left to a person neither agrees nor disagrees.

    `stopped` counts answers without a person whose refund somebody stopped while it was held. Nobody looks at all of
    those, so they enter no share.
    """

    reviewed: int
    agrees: int
    disagrees: int
    left_to_people: int
    stopped: int

    @property
    def share(self) -> float | None:
        """Agreeing answers among those that agree or disagree."""
        judged = self.agrees + self.disagrees
        return self.agrees / judged if judged else None

    @property
    def at_least(self) -> float | None:
        """The share that is certain at 95 % (Clopper-Pearson)."""
        judged = self.agrees + self.disagrees
        return lower_bound(self.agrees, judged) if judged else None


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the comparison. `worst_day` is None where the policy of that side is not known."""

    verdicts: Mapping[str, Tally]
    modes: Mapping[str, Tally]
    courses: Mapping[str, Tally]
    agreement: Agreement
    busiest_day: Mapping[str, int]
    worst_day: Mapping[str, int | None] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Verdict, mode and the rule that decided. `reason` is known where a policy was asked just now."""

    verdict: str
    mode: str
    rule: str | None
    section: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Flip:
    """One decision that would have been another."""

    ticket: str
    at: datetime
    action: str | None
    intent: str | None
    amount_minor: int | None
    currency: str | None
    before: Answer
    after: Answer
    review: str | None
    review_reason: str | None


@dataclass(frozen=True, eq=False)
class WhatIf:
    """The comparison. Flips are worked out when they are asked for.

    Args:
        flipped: decisions whose verdict or mode differs; `flipped_tickets` are the tickets with one.
        loosened: decisions that go from a refusal to a person, or from a person to acting alone.
        tightened: the other way round.
        digest: SHA-256 of the history, the candidate and its answers.
    """

    history: Prepared
    candidate: Policy
    compared_with: Policy | None
    before: Side
    after: Side
    flipped: int
    flipped_tickets: int
    loosened: int
    tightened: int
    digest: str
    sides: pl.DataFrame = field(repr=False)

    @property
    def rows(self) -> int:
        """How many decisions were compared."""
        return len(self.history.history)

    @cached_property
    def _places(self) -> pl.Series:
        """Places of the flipped decisions."""
        order = ["course", "towards", "size", "row"]
        flipped = (
            self.sides.lazy()
            .filter(_IS_FLIPPED)
            .with_columns(towards=-pl.col("was_course").cast(pl.Int8), size=-pl.col("amount").fill_null(0))
        )
        return flipped.sort(order).select("row").collect().to_series()

    def flips(self, limit: int = FLIPS_SHOWN, offset: int = 0) -> list[Flip]:
        """Some of the flipped decisions: those that begin to act alone first, then by amount, the largest first."""
        records = self.history.history[self._places.slice(offset, limit)]
        return [self._flip(record) for record in records.iter_rows(named=True)]

    def _flip(self, record: Mapping[str, Any]) -> Flip:
        facts = Facts({name: value for name, value in record.items() if name in CATALOGUE})
        recorded = Answer(record["verdict"], record["mode"], record["rule"], record["section"])
        return Flip(
            ticket=record["ticket"],
            at=record["at"],
            action=record.get(KIND),
            intent=record.get(INTENT),
            amount_minor=record.get(AMOUNT),
            currency=record.get(CURRENCY),
            before=recorded if self.compared_with is None else _answer(self.compared_with, facts, record["at"]),
            after=_answer(self.candidate, facts, record["at"]),
            review=record["review"],
            review_reason=record["review_reason"],
        )


def _answer(policy: Policy, facts: Facts, at: datetime) -> Answer:
    decision = decide(policy, facts, now=at)
    reason = decision.reasons[0].reason
    return Answer(decision.verdict.value, decision.mode.value, decision.rule, decision.section, reason)


def whatif(
    candidate: Policy, history: Prepared, *, current: Policy | None = None, compared_with: Policy | None = None
) -> WhatIf:
    """Decide the history anew under a candidate.

    Args:
        candidate: the policy that would decide.
        history: the recorded decisions.
        current: the policy that decides today; it gives the worst day before.
        compared_with: compare with what this policy answers, instead of with what was recorded.
    """
    answers = decide_all(candidate, history, is_brief=True)
    sides = _sides(
        history, answers, None if compared_with is None else decide_all(compared_with, history, is_brief=True)
    )
    counts = _counts(sides, history)
    flipped = sides.filter(_IS_FLIPPED).get_column("row")
    reference = current if compared_with is None else compared_with
    currencies = {count.currency for count in counts if count.currency is not None}
    return WhatIf(
        history=history,
        candidate=candidate,
        compared_with=compared_with,
        before=_side(counts, _before, _busiest_day(sides, "was_course", history, currencies), reference, currencies),
        after=_side(counts, _after, _busiest_day(sides, "course", history, currencies), candidate, currencies),
        flipped=len(flipped),
        flipped_tickets=history.history.get_column("ticket").gather(flipped).n_unique(),
        loosened=_many(count for count in counts if COURSES.index(count.course) < COURSES.index(count.was_course)),
        tightened=_many(count for count in counts if COURSES.index(count.course) > COURSES.index(count.was_course)),
        digest=_digest(candidate, history, answers),
        sides=sides,
    )


_IS_FLIPPED: Final = (pl.col("verdict") != pl.col("was")) | (pl.col("mode") != pl.col("was_mode"))


def _course(verdict: str, mode: str) -> pl.Expr:
    alone = (pl.col(verdict) == VERDICTS.index(Verdict.ALLOW)) & (pl.col(mode) >= LEAST_ACTING)
    refused = pl.col(verdict) == VERDICTS.index(Verdict.DENY)
    return choice([(alone, COURSES.index(Course.ALONE)), (refused, COURSES.index(Course.REFUSES))], 1, pl.UInt8)


def _sides(history: Prepared, answers: Decisions, before: Decisions | None) -> pl.DataFrame:
    """For each decision its answers before and after, its money, and what a person said; words as numbers."""
    recorded = history.frame.lazy()
    names = history.frame.columns
    moves = [history.words[KIND][kind.value] for kind in MOVES_MONEY if KIND in names]
    was = history.frame if before is None else before.by_kind
    asked = recorded.select(
        "row",
        "day",
        "review",
        currency=pl.when(pl.col(KIND).is_in(moves)).then(pl.col(CURRENCY)) if {KIND, CURRENCY} <= {*names} else _NONE,
        amount=pl.when(pl.col(KIND).is_in(moves)).then(_AMOUNT) if {KIND, AMOUNT} <= {*names} else _NO_MONEY,
    ).collect()
    columns = [
        answers.by_kind.get_column("verdict"),
        answers.by_kind.get_column("mode"),
        was.get_column("verdict").cast(pl.UInt8).alias("was"),
        was.get_column("mode").cast(pl.UInt8).alias("was_mode"),
    ]
    return asked.hstack(columns).with_columns(course=_course("verdict", "mode"), was_course=_course("was", "was_mode"))


_NONE: Final = pl.lit(None, pl.UInt8)
_AMOUNT: Final = pl.col(AMOUNT).cast(pl.Int64)  # columns are as narrow as their values, sums are not
_NO_MONEY: Final = pl.lit(None, pl.Int64)
_KEYS: Final = ("verdict", "mode", "was", "was_mode")


@dataclass(frozen=True, slots=True)
class _Count:
    """Decisions with the same answers, currency and review: how many, and their money in minor units."""

    verdict: int
    mode: int
    was: int
    was_mode: int
    currency: str | None
    review: str | None
    decisions: int
    minor: int

    @property
    def course(self) -> Course:
        return _course_of(self.verdict, self.mode)

    @property
    def was_course(self) -> Course:
        return _course_of(self.was, self.was_mode)


def _course_of(verdict: int, mode: int) -> Course:
    if VERDICTS[verdict] is Verdict.DENY:
        return Course.REFUSES
    return Course.ALONE if VERDICTS[verdict] is Verdict.ALLOW and mode >= LEAST_ACTING else Course.ASKS


def _counts(sides: pl.DataFrame, history: Prepared) -> list[_Count]:
    """Decisions and money for each combination of answers, currency and review that occurs."""
    sizes = {"verdict": len(VERDICTS), "mode": len(MODES), "was": len(VERDICTS), "was_mode": len(MODES)}
    sizes |= {"currency": len(history.words.get(CURRENCY, ())) + 1, "review": len(REVIEWS) + 1}
    packed = pl.lit(0, pl.UInt32)
    for name, size in sizes.items():
        number = pl.col(name).cast(pl.UInt32)
        packed = packed * size + (number if name in _KEYS else (number + 1).fill_null(0))
    counts = sides.lazy().group_by(packed.alias("packed")).agg(pl.len(), pl.col("amount").sum()).collect()
    currencies = (None, *(history.spelled(CURRENCY) if CURRENCY in history.words else ()))
    found: list[_Count] = []
    for packed_key, decisions, minor in counts.sort("packed").iter_rows():
        rest = packed_key
        place: dict[str, int] = {}
        for name, size in reversed(sizes.items()):
            rest, place[name] = divmod(rest, size)
        currency, review = currencies[place.pop("currency")], (None, *REVIEWS)[place.pop("review")]
        found.append(_Count(**place, currency=currency, review=review, decisions=decisions, minor=minor or 0))
    return found


def _side(
    counts: Sequence[_Count],
    answer: Callable[[_Count], tuple[int, int, Course]],
    busiest: Mapping[str, int],
    policy: Policy | None,
    currencies: set[str],
) -> Side:
    verdicts: dict[int, list[_Count]] = {}
    modes: dict[int, list[_Count]] = {}
    courses: dict[Course, list[_Count]] = {}
    for count in counts:
        verdict, mode, course = answer(count)
        verdicts.setdefault(verdict, []).append(count)
        modes.setdefault(mode, []).append(count)
        courses.setdefault(course, []).append(count)
    return Side(
        verdicts={each.value: _tally(verdicts.get(place, ())) for place, each in enumerate(VERDICTS)},
        modes={each.value: _tally(modes[place]) for place, each in enumerate(MODES) if place in modes},
        courses={each.value: _tally(courses.get(each, ())) for each in COURSES},
        agreement=_agreement(courses),
        busiest_day=busiest,
        worst_day=None if policy is None else worst_day(policy, currencies),
    )


def _before(count: _Count) -> tuple[int, int, Course]:
    return count.was, count.was_mode, count.was_course


def _after(count: _Count) -> tuple[int, int, Course]:
    return count.verdict, count.mode, count.course


def _tally(counts: Sequence[_Count]) -> Tally:
    money: dict[str, int] = {}
    for count in counts:
        if count.currency is not None:
            money[count.currency] = money.get(count.currency, 0) + count.minor
    return Tally(_many(counts), {currency: minor for currency, minor in sorted(money.items()) if minor})


def _many(counts: Iterable[_Count]) -> int:
    return sum(count.decisions for count in counts)


def _agreement(courses: Mapping[Course, Sequence[_Count]]) -> Agreement:
    def said(course: Course, *reviews: Review) -> int:
        return _many(count for count in courses.get(course, ()) if count.review in reviews)

    yes, no = _YES, Review.REJECTED
    return Agreement(
        reviewed=sum(said(course, *yes, no) for course in COURSES),
        agrees=said(Course.ALONE, *yes) + said(Course.REFUSES, no),
        disagrees=said(Course.ALONE, no) + said(Course.REFUSES, *yes),
        left_to_people=said(Course.ASKS, *yes, no),
        stopped=said(Course.ALONE, Review.STOPPED),
    )


def _busiest_day(sides: pl.DataFrame, course: str, history: Prepared, currencies: Iterable[str]) -> dict[str, int]:
    """The money that acted alone on the busiest day, for each currency in which money was asked for."""
    by_day = (
        sides.lazy()
        .filter(pl.col("currency").is_not_null() & (pl.col(course) == COURSES.index(Course.ALONE)))
        .select((pl.col("day") * _CURRENCIES + pl.col("currency")).alias("packed"), "amount")
        .group_by("packed")
        .sum()
        .group_by(currency=pl.col("packed") % _CURRENCIES)
        .agg(pl.col("amount").max())
        .collect()
    )
    most = dict(by_day.iter_rows())
    return {currency: most.get(history.words[CURRENCY][currency], 0) for currency in sorted(currencies)}


_CURRENCIES: Final = 1024
"""More than there are."""


def _digest(candidate: Policy, history: Prepared, answers: Decisions) -> str:
    told = hashlib.sha256(f"{candidate.content_hash} {history.digest}".encode())
    for name in ("verdict", "mode"):
        told.update(answers.by_kind.get_column(name).to_numpy().tobytes())
    return told.hexdigest()
