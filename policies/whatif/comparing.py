"""What a candidate changes about the past: counts, money, flipped tickets, agreement with people, worst days."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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
_YES: Final = (Review.APPROVED.value, Review.EDITED.value)


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
    days = _days(sides, history)
    currencies = set(counts.get_column("currency").drop_nulls().to_list())
    return WhatIf(
        history=history,
        candidate=candidate,
        compared_with=compared_with,
        before=_side(counts, _BEFORE, days, reference, currencies),
        after=_side(counts, _AFTER, days, candidate, currencies),
        flipped=len(flipped),
        flipped_tickets=history.history.get_column("ticket").gather(flipped).n_unique(),
        loosened=_count(counts.filter(pl.col("course") < pl.col("was_course"))),
        tightened=_count(counts.filter(pl.col("course") > pl.col("was_course"))),
        digest=_digest(candidate, history, answers),
        sides=sides,
    )


_AFTER: Final = ("verdict", "mode", "course")
_BEFORE: Final = ("was", "was_mode", "was_course")
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
        amount=pl.when(pl.col(KIND).is_in(moves)).then(pl.col(AMOUNT)) if {KIND, AMOUNT} <= {*names} else _NO_MONEY,
    ).collect()
    columns = [
        answers.by_kind.get_column("verdict"),
        answers.by_kind.get_column("mode"),
        was.get_column("verdict").cast(pl.UInt8).alias("was"),
        was.get_column("mode").cast(pl.UInt8).alias("was_mode"),
    ]
    return asked.hstack(columns).with_columns(course=_course("verdict", "mode"), was_course=_course("was", "was_mode"))


_NONE: Final = pl.lit(None, pl.UInt8)
_NO_MONEY: Final = pl.lit(None, pl.Int64)
_KEYS: Final = ("verdict", "mode", "was", "was_mode")


def _counts(sides: pl.DataFrame, history: Prepared) -> pl.DataFrame:
    """Decisions and money for each combination of answers, currency and review."""
    sizes = {"verdict": len(VERDICTS), "mode": len(MODES), "was": len(VERDICTS), "was_mode": len(MODES)}
    sizes |= {"currency": len(history.words.get(CURRENCY, ())) + 1, "review": len(REVIEWS) + 1}
    packed = pl.lit(0, pl.UInt32)
    for name, size in sizes.items():
        number = pl.col(name).cast(pl.UInt32)
        packed = packed * size + (number if name in _KEYS else (number + 1).fill_null(0))
    counts = sides.lazy().group_by(packed.alias("packed")).agg(pl.len().alias("decisions"), pl.col("amount").sum())
    found, rest = counts.collect(), pl.col("packed")
    unpacked: dict[str, pl.Expr] = {}
    for name, size in reversed(sizes.items()):
        unpacked[name], rest = rest % size, rest // size
    words = {"currency": history.spelled(CURRENCY) if CURRENCY in history.words else (), "review": REVIEWS}
    return found.with_columns(**unpacked).with_columns(
        *(
            pl.col(name).replace_strict(dict(enumerate((None, *known))), return_dtype=pl.String)
            for name, known in words.items()
        ),
        course=_course("verdict", "mode"),
        was_course=_course("was", "was_mode"),
    )


def _side(
    counts: pl.DataFrame,
    columns: tuple[str, str, str],
    days: pl.DataFrame,
    policy: Policy | None,
    currencies: set[str],
) -> Side:
    verdict, mode, course = columns
    return Side(
        verdicts={each.value: _tally(counts, verdict, place) for place, each in enumerate(VERDICTS)},
        modes={
            each.value: tally for place, each in enumerate(MODES) if (tally := _tally(counts, mode, place)).decisions
        },
        courses={each.value: _tally(counts, course, place) for place, each in enumerate(COURSES)},
        agreement=_agreement(counts, course),
        busiest_day={row["currency"]: row[course] for row in days.sort("currency").iter_rows(named=True)},
        worst_day=None if policy is None else worst_day(policy, currencies),
    )


def _tally(counts: pl.DataFrame, column: str, place: int) -> Tally:
    rows = counts.filter(pl.col(column) == place)
    money = rows.drop_nulls("currency").group_by("currency").agg(pl.col("amount").sum()).sort("currency")
    return Tally(_count(rows), {str(currency): int(minor) for currency, minor in money.iter_rows() if minor})


def _count(counts: pl.DataFrame) -> int:
    return int(counts.get_column("decisions").sum())


def _agreement(counts: pl.DataFrame, course: str) -> Agreement:
    reviewed = counts.filter(pl.col("review").is_in([*_YES, Review.REJECTED.value]))
    stopped = counts.filter(pl.col("review") == Review.STOPPED.value)
    said_yes = pl.col("review").is_in(_YES)
    alone, refused = pl.col(course) == COURSES.index(Course.ALONE), pl.col(course) == COURSES.index(Course.REFUSES)
    return Agreement(
        reviewed=_count(reviewed),
        agrees=_count(reviewed.filter((alone & said_yes) | (refused & ~said_yes))),
        disagrees=_count(reviewed.filter((alone & ~said_yes) | (refused & said_yes))),
        left_to_people=_count(reviewed.filter(pl.col(course) == COURSES.index(Course.ASKS))),
        stopped=_count(stopped.filter(alone)),
    )


def _days(sides: pl.DataFrame, history: Prepared) -> pl.DataFrame:
    """The money that acted alone on the busiest day, for each currency and side."""
    money = {
        side: pl.when(pl.col(side) == COURSES.index(Course.ALONE)).then(pl.col("amount"))
        for side in ("course", "was_course")
    }
    by_day = (
        sides.lazy()
        .filter(pl.col("currency").is_not_null())
        .select((pl.col("day") * _CURRENCIES + pl.col("currency")).alias("packed"), **money)
        .group_by("packed")
        .sum()
        .group_by(currency=pl.col("packed") % _CURRENCIES)
        .agg(pl.col("course", "was_course").max())
        .collect()
    )
    words = dict(enumerate(history.spelled(CURRENCY))) if CURRENCY in history.words else {}
    return by_day.with_columns(pl.col("currency").replace_strict(words, return_dtype=pl.String))


_CURRENCIES: Final = 1024
"""More than there are."""


def _digest(candidate: Policy, history: Prepared, answers: Decisions) -> str:
    told = hashlib.sha256(f"{candidate.content_hash} {history.digest}".encode())
    for name in ("verdict", "mode"):
        told.update(answers.by_kind.get_column(name).to_numpy().tobytes())
    return told.hexdigest()
