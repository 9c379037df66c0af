"""The refunds that a threshold decides, in the order of their amounts: what any value of it means is read off.

A tier's amount decides only whether a refund up to it is paid alone, so two decisions about the whole history, with the
lowest and the highest amount, tell which refunds depend on it; the rest is counting. Whoever keeps them answers for
another value without deciding anything anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

import polars as pl

from policies.document import Policy
from policies.locked import MOVES_MONEY
from policies.money import MAX_MINOR, exponent
from policies.vocabulary import Verdict
from policies.whatif.bounds import lower_bound, upper_bound
from policies.whatif.deciding import VERDICTS, decide_all
from policies.whatif.history import AMOUNT, CURRENCY, INTENT, KIND, SEGMENT, Prepared, Review
from policies.whatif.thresholds import Threshold, with_threshold

TURNED_SHOWN: Final = 20
_ROUND: Final = (10, 15, 20, 25, 30, 40, 50, 60, 80)
_YES: Final = (Review.APPROVED.value, Review.EDITED.value)
_NOTHING: Final = -1
_ASKED: Final = (KIND, CURRENCY, INTENT, SEGMENT)


@dataclass(frozen=True, slots=True)
class Point:
    """What would be so with the threshold at one value.

    Args:
        at_most_minor: the value.
        alone: refunds paid without a person; `alone_minor` is their money.
        reviewed: those of them that a person decided in the past; `agreed` of them with a yes.
        near_reviewed: the same in the upper half of the amounts, from half the value on, so that many small refunds
            cannot speak for a few large ones; `near_agreed` with a yes.
        paid: those of them that were paid alone in the past; `stopped` of them by a person, while they were held.
    """

    at_most_minor: int
    alone: int
    alone_minor: int
    reviewed: int
    agreed: int
    near_reviewed: int
    near_agreed: int
    paid: int
    stopped: int

    @property
    def agreement(self) -> float | None:
        """The share of people's decisions that were a yes."""
        return self.agreed / self.reviewed if self.reviewed else None

    @property
    def at_least(self) -> float | None:
        """The agreement that is certain at 95 % (Clopper-Pearson)."""
        return lower_bound(self.agreed, self.reviewed) if self.reviewed else None

    @property
    def no_at_most(self) -> float | None:
        """The share of noes among people's decisions that is certain not to be passed at 95 %."""
        return upper_bound(self.reviewed - self.agreed, self.reviewed) if self.reviewed else None

    @property
    def near_at_least(self) -> float | None:
        """The agreement that is certain in the upper half of the amounts."""
        return lower_bound(self.near_agreed, self.near_reviewed) if self.near_reviewed else None

    def keeps(self, quality: float) -> bool:
        """Whether the quality is certain, for all amounts and for the upper half of them."""
        return (self.at_least or 0.0) >= quality and (self.near_at_least or 0.0) >= quality


@dataclass(frozen=True, slots=True)
class Band:
    """How many refunds above `above_minor` and up to `at_most_minor` are paid alone, asked about and refused."""

    above_minor: int
    at_most_minor: int
    alone: int
    asked: int
    refused: int


@dataclass(frozen=True, slots=True)
class Turned:
    """A refund that would be paid alone and was not, or the other way round. `review` is what a person said then."""

    ticket: str
    at: datetime
    intent: str | None
    segment: str | None
    amount_minor: int
    review: str | None


@dataclass(frozen=True, eq=False)
class Refunds:
    """The refunds that a threshold speaks about.

    Args:
        threshold: the amount that is moved.
        current_minor: where it is now; None where the tier states none in the currency, so that nothing is covered.
        frame: `row` (its place in the history), `amount`, `always` (paid alone at any value), `depends`, `refused`,
            `agreed`, `reviewed`, `stopped`, `paid`, by amount.
        history: where the rows are.
    """

    threshold: Threshold
    current_minor: int | None
    frame: pl.DataFrame
    history: Prepared

    @property
    def count(self) -> int:
        """How many refunds there are."""
        return len(self.frame)

    @cached_property
    def money_minor(self) -> int:
        """The money that they are about."""
        return int(self.frame.get_column("amount").sum())

    @cached_property
    def _decided(self) -> pl.DataFrame:
        """Those that depend on the threshold."""
        return self.frame.filter("depends")

    @cached_property
    def _amounts(self) -> list[int]:
        return self._decided.get_column("amount").to_list()

    @cached_property
    def _sums(self) -> Mapping[str, Sequence[int]]:
        """Running sums over those that depend: what lies below a value is the difference of two of them."""
        return {name: _running(self._decided, name) for name in ("amount", *_COUNTED)}

    @cached_property
    def _always(self) -> tuple[int, int]:
        """Those that are paid alone at any value: how many, and their money."""
        always = self.frame.filter("always").get_column("amount")
        return len(always), int(always.sum())

    def points(self) -> tuple[Point, ...]:
        """The points of round amounts, and of the present one."""
        return tuple(self.point(value) for value in self._values())

    def point(self, at_most_minor: int) -> Point:
        """What would be so with the threshold at the value."""
        sums, (always, always_minor) = self._sums, self._always
        last = bisect_right(self._amounts, at_most_minor)
        middle = bisect_right(self._amounts, at_most_minor // 2)
        return Point(
            at_most_minor=at_most_minor,
            alone=last + always,
            alone_minor=sums["amount"][last] + always_minor,
            reviewed=sums["reviewed"][last],
            agreed=sums["agreed"][last],
            near_reviewed=sums["reviewed"][last] - sums["reviewed"][middle],
            near_agreed=sums["agreed"][last] - sums["agreed"][middle],
            paid=sums["paid"][last],
            stopped=sums["stopped"][last],
        )

    def turned(self, at_most_minor: int) -> tuple[int, int]:
        """How many tickets, and how many refunds, would go another way with the threshold at the value."""
        rows = self._between(at_most_minor)
        tickets = self.history.history.get_column("ticket").gather(rows.get_column("row"))
        return tickets.n_unique(), len(rows)

    def turned_first(self, at_most_minor: int, limit: int = TURNED_SHOWN) -> list[Turned]:
        """Some of those, the largest first."""
        rows = self._between(at_most_minor).sort(["amount", "row"], descending=[True, False]).head(limit)
        records = self.history.history[rows.get_column("row")]
        return [
            Turned(
                ticket=record["ticket"],
                at=record["at"],
                intent=record.get(INTENT),
                segment=record.get(SEGMENT),
                amount_minor=record[AMOUNT],
                review=record["review"],
            )
            for record in records.iter_rows(named=True)
        ]

    def bands(self, at_most_minor: int, edges: Sequence[int]) -> list[Band]:
        """A histogram with the threshold at the value. Each edge ends a band; the last one takes all that is larger."""
        amounts = self.frame.get_column("amount").to_list()
        sums = {name: _running(self.frame, name) for name in ("always", "depends", "refused")}
        upto = bisect_right(amounts, at_most_minor)
        found, above, first = [], 0, 0
        for edge in edges:
            last = len(amounts) if edge == edges[-1] else bisect_right(amounts, edge)
            covered = min(max(upto, first), last)
            alone = sums["always"][last] - sums["always"][first] + sums["depends"][covered] - sums["depends"][first]
            refused = sums["refused"][last] - sums["refused"][first]
            found.append(Band(above, edge, alone, last - first - alone - refused, refused))
            above, first = edge, last
        return found

    def amount_at(self, share: float) -> int:
        """The amount that so large a share of the refunds does not pass; 0 where there is none."""
        amounts = self.frame.get_column("amount")
        found = amounts.quantile(share, interpolation="lower")
        return 0 if found is None else int(found)

    def _between(self, at_most_minor: int) -> pl.DataFrame:
        """Those that depend and lie between the present value and the other one."""
        current = _NOTHING if self.current_minor is None else self.current_minor
        low, high = sorted((current, at_most_minor))
        first, last = bisect_right(self._amounts, low), bisect_right(self._amounts, high)
        return self._decided.slice(first, last - first)

    def _values(self) -> list[int]:
        """Round amounts from the smallest to the largest refund that the threshold can decide, and the present one."""
        values = set() if self.current_minor is None else {self.current_minor}
        if self._amounts:
            smallest, largest = self._amounts[0], self._amounts[-1]
            scale, beyond = 10 ** exponent(self.threshold.currency), False
            while not beyond:
                for step in _ROUND:
                    value = step * scale // 10
                    if value >= smallest and not beyond:
                        values.add(value)
                        beyond = value >= largest
                scale *= 10
        return sorted(values)


def refunds_of(policy: Policy, history: Prepared, threshold: Threshold) -> Refunds:
    """The refunds in question: whether they are paid alone at any value, and what became of them.

    Args:
        policy: everything else in it stays as it is; amounts of special days are left out.
        history: the recorded decisions.
        threshold: which amount to move.
    """
    never = decide_all(with_threshold(policy, threshold, _NOTHING), history, is_brief=True)
    ever = decide_all(with_threshold(policy, threshold, MAX_MINOR), history, is_brief=True)
    recorded = history.history
    missing = [pl.lit(None, pl.String).alias(name) for name in _ASKED if name not in recorded.columns]
    amount = [] if AMOUNT in recorded.columns else [pl.lit(None, pl.Int64).alias(AMOUNT)]
    wanted = pl.col(KIND).is_in([kind.value for kind in MOVES_MONEY]) & (pl.col(CURRENCY) == threshold.currency)
    if threshold.intent is not None:
        wanted &= pl.col(INTENT) == threshold.intent
    if threshold.segment is not None:
        wanted &= pl.col(SEGMENT) == threshold.segment
    denied = never.frame.get_column("verdict") == VERDICTS.index(Verdict.DENY)
    found = (
        recorded.lazy()
        .with_row_index("row")
        .with_columns(*missing, *amount)
        .with_columns(always=never.alone, depends=ever.alone & ~never.alone, refused=denied & ~never.alone)
        .filter(wanted & pl.col(AMOUNT).is_not_null())
        .select(
            "row",
            "always",
            "depends",
            "refused",
            amount=pl.col(AMOUNT),
            agreed=pl.col("review").is_in(_YES),
            reviewed=pl.col("review").is_in([*_YES, Review.REJECTED.value]),
            stopped=pl.col("review") == Review.STOPPED.value,
            paid=(pl.col("review") == Review.STOPPED.value)
            | (pl.col("review").is_null() & pl.col("refunded_minor").is_not_null()),
        )
    )
    current = (policy.tiers[threshold.tier].at_most or {}).get(threshold.currency)
    return Refunds(threshold, current, found.sort("amount", maintain_order=True).collect(), history)


_COUNTED: Final = ("reviewed", "agreed", "paid", "stopped")


def _running(frame: pl.DataFrame, name: str) -> list[int]:
    counted = frame.get_column(name).fill_null(value=False) if name != "amount" else frame.get_column(name)
    return [0, *counted.cast(pl.Int64).cum_sum().to_list()]
