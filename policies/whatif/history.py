"""Recorded decisions in one table: what was known, what was answered, what a person said to it.

A history is a Polars frame with a row for each decided action: the record's own columns, and one column for each fact
that occurs, under the fact's name. A fact that was unknown is null. `prepared` makes of it what can be decided quickly,
and may be kept and used again for any number of policies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

import polars as pl

from policies.facts import CATALOGUE, Fact, FactType, FactValue
from policies.money import MAX_MINOR
from policies.vocabulary import Mode, Verdict

_TIME: Final = pl.Datetime("us", "UTC")


class Review(StrEnum):
    """What a person said to a decided action. `stopped` is a refund that somebody stopped while it was held."""

    APPROVED = "approved"
    EDITED = "edited"  # approved, with other words to the customer
    REJECTED = "rejected"
    STOPPED = "stopped"


RECORD: Final[Mapping[str, pl.DataType]] = {
    "ticket": pl.String(),
    "at": _TIME,
    "policy": pl.String(),
    "verdict": pl.Enum([verdict.value for verdict in Verdict]),
    "mode": pl.Enum([mode.value for mode in Mode]),
    "rule": pl.String(),
    "section": pl.String(),
    "review": pl.Enum([review.value for review in Review]),
    "review_reason": pl.String(),
    "refunded_minor": pl.Int64(),
}
"""Columns of a history beside the facts, with their types."""

REQUIRED: Final = ("ticket", "at", "verdict", "mode")
"""Columns that every record states. The others may be unknown."""

_TOLD_ONLY: Final = {"policy", "rule", "section", "review_reason"}
"""Columns that are shown and count for nothing."""

KIND: Final = "action.kind"
INTENT: Final = "request.intent"
AMOUNT: Final = "action.amount_minor"
CURRENCY: Final = "action.currency"
SEGMENT: Final = "requester.segment"


FEWEST_ROWS: Final = 150_000
"""From so many rows on it pays to look at the rows of one action and intent by themselves."""


class HistoryError(ValueError):
    """A history that cannot be used; the message names the place, the value and the next step."""


def fact_type(fact: Fact) -> pl.DataType:
    """How a history holds the fact. An open word list is text."""
    if fact.type is FactType.BOOLEAN:
        return pl.Boolean()
    if fact.type is FactType.ENUM:
        return pl.Enum([str(word) for word in fact.values])
    if fact.type is FactType.LABEL:
        return pl.String()
    return pl.Int64()


def empty_history() -> pl.DataFrame:
    """A history without a decision."""
    return pl.DataFrame(schema=dict(RECORD))


@dataclass(frozen=True, slots=True)
class Kind:
    """A run of rows of `Prepared.frame` with the same action and intent.

    Args:
        offset: where it begins.
        length: how many rows it has.
        fixed: facts that have one value, or none, in all of them.
        known: facts that no row lacks.
    """

    offset: int
    length: int
    fixed: Mapping[str, FactValue | None]
    known: frozenset[str]

    def value(self, name: str) -> FactValue | None:
        """The word that all rows share; None where it is unknown."""
        return self.fixed.get(name)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A history ready to be decided again and again. Nothing in it is ever changed.

    Args:
        history: the frame as it came.
        frame: the same rows by action and intent, words as numbers (`words`), the day of the decision as `day`, the
            place of the row in `history` as `row`.
        kinds: the runs of rows of one action and intent, which cover the frame.
        words: for each fact of words, the number of each word that occurs or is declared.
    """

    history: pl.DataFrame
    frame: pl.DataFrame
    kinds: tuple[Kind, ...]
    words: Mapping[str, Mapping[str, int]]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every value that a result rests on, in the order of the history: the same on every machine."""
        told = hashlib.sha256()
        for name in sorted({*self.history.columns} - _TOLD_ONLY):
            column = self.history.get_column(name)
            told.update(f"{name}\0{len(column)}\0".encode())
            if column.null_count():
                told.update(column.is_null().to_numpy().tobytes())
            if column.dtype == pl.String and name in self.words:
                column = _numbered(column, CATALOGUE[name])[0]
                told.update("\0".join(self.words[name]).encode())
            if column.dtype == pl.String:
                told.update(column.fill_null("").str.join("\0")[0].encode())
            else:
                plain = column.cast(pl.UInt8) if column.dtype == pl.Boolean else column.to_physical()
                told.update(plain.fill_null(0).to_numpy().tobytes())
        return told.hexdigest()

    def spelled(self, fact: str) -> tuple[str, ...]:
        """The words of a fact, each at the place that is its number."""
        return tuple(sorted(self.words[fact], key=self.words[fact].__getitem__))


def prepared(history: pl.DataFrame) -> Prepared:
    """The history made ready.

    Raises:
        HistoryError: an amount that cannot be money, or a frame without the columns of a history.
    """
    _check(history)
    facts = [name for name in history.columns if name in CATALOGUE]
    columns: list[pl.Series] = []
    words: dict[str, dict[str, int]] = {}
    for name in facts:
        column = history.get_column(name)
        if CATALOGUE[name].type in {FactType.ENUM, FactType.LABEL}:
            column, words[name] = _numbered(column, CATALOGUE[name])
        columns.append(column.shrink_dtype())  # comparing is as fast as memory: most numbers fit into a byte or two
    given = history.select(
        pl.col("at").dt.date().to_physical().alias("day"),
        pl.col("verdict").to_physical(),
        pl.col("mode").to_physical(),
        pl.col("review").to_physical(),
    )
    keys: list[str] = [name for name in (KIND, INTENT) if name in facts]
    frame = given.with_columns(columns).with_row_index("row")
    frame = frame.sort(keys, maintain_order=True) if keys else frame
    kinds = tuple(_kind(frame, offset, length, facts, words) for offset, length in _runs(frame, keys))
    return Prepared(history, frame.rechunk(), kinds, words)


def _check(history: pl.DataFrame) -> None:
    missing = [name for name in RECORD if name not in history.columns]
    if missing:
        raise HistoryError(f"a history without column {missing[0]!r}: read it with `policies.whatif.reading`")
    for name in history.columns:
        fact = CATALOGUE.get(name)
        if fact is None or fact.type is not FactType.MONEY:
            continue
        beyond = history.get_column(name).abs() > MAX_MINOR
        if beyond.any():
            place, value = beyond.arg_max(), history.get_column(name).abs().max()
            raise HistoryError(
                f"record {(place or 0) + 1}: fact {name!r} is {value!r}, beyond {MAX_MINOR} minor units: check the unit"
            )


def _numbered(column: pl.Series, fact: Fact) -> tuple[pl.Series, dict[str, int]]:
    """The column with a number for each word, and the numbers."""
    words = [str(word) for word in fact.values] if fact.values else column.drop_nulls().unique().sort().to_list()
    coded = column.cast(pl.Enum(words)).to_physical().alias(column.name)
    return coded, {str(word): number for number, word in enumerate(words)}


def _runs(frame: pl.DataFrame, keys: list[str]) -> list[tuple[int, int]]:
    """Offset and length of each run of one action and intent. Small runs of one action stand together."""
    if not keys or frame.is_empty():
        return [(0, len(frame))] if len(frame) else []
    runs: list[tuple[int, int]] = []
    offset, before = 0, None
    for *words, length in frame.group_by(keys, maintain_order=True).len().iter_rows():
        action = words[0] if keys[0] == KIND else None
        if runs and action == before and min(length, runs[-1][1]) < FEWEST_ROWS:
            runs[-1] = (runs[-1][0], runs[-1][1] + length)
        else:
            runs.append((offset, length))
        offset, before = offset + length, action
    return runs


def _kind(
    frame: pl.DataFrame, offset: int, length: int, facts: list[str], words: Mapping[str, Mapping[str, int]]
) -> Kind:
    rows = frame.slice(offset, length)
    fixed: dict[str, FactValue | None] = dict.fromkeys(name for name in CATALOGUE if name not in facts)
    known: set[str] = set()
    for name in facts:
        column = rows.get_column(name)
        unknown = column.null_count()
        if unknown == length:
            fixed[name] = None
        elif not unknown:
            known.add(name)
            if column.min() == column.max():
                first = column[0]
                fixed[name] = list(words[name])[first] if name in words else first
    return Kind(offset, length, fixed, frozenset(known))
