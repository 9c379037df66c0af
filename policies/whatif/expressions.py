"""A condition of a policy as an expression over columns, with the same three answers: true, false, unknown (null).

What a run of rows has in common is settled while the expression is made, so that a condition on the action or the
intent costs nothing. Polars combines null as Kleene does: false wins in `and`, true wins in `or`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from policies.conditions import (
    All,
    Among,
    Any,
    Condition,
    Interval,
    Leaf,
    MoneyWithin,
    Not,
    Positive,
    Within,
    compile_test,
    leaves,
)
from policies.facts import FactValue

Told = pl.Expr | bool | None
"""An expression of true, false and null, or one of the three for all rows."""

_SEVERAL_WORDS = 4


def all_of(parts: Iterable[Told]) -> Told:
    """Whether every part holds."""
    return _joined(tuple(parts), wins=False)


def any_of(parts: Iterable[Told]) -> Told:
    """Whether at least one part holds."""
    return _joined(tuple(parts), wins=True)


def _joined(parts: tuple[Told, ...], *, wins: bool) -> Told:
    if any(part is wins for part in parts):
        return wins
    asked = [part for part in parts if isinstance(part, pl.Expr)]
    unknown = any(part is None for part in parts)
    if not asked:
        return None if unknown else not wins
    joined = asked[0]
    for part in [*asked[1:], *([pl.lit(None, pl.Boolean)] if unknown else [])]:
        joined = joined | part if wins else joined & part
    return joined


def negated(part: Told) -> Told:
    """Whether the part does not hold."""
    if part is None:
        return None
    return not part if isinstance(part, bool) else ~part


def certain(part: Told) -> pl.Expr | bool:
    """Whether the part holds for certain: never null."""
    if part is None:
        return False
    return part if isinstance(part, bool) else part.fill_null(value=False)


def unknown(part: Told) -> pl.Expr | bool:
    """Whether the part has no answer: never null."""
    return part.is_null() if isinstance(part, pl.Expr) else part is None


def as_expression(part: Told) -> pl.Expr:
    """The part as an expression, also where it is the same for all rows."""
    return part if isinstance(part, pl.Expr) else pl.lit(part, pl.Boolean)


@dataclass(frozen=True, slots=True)
class Rows:
    """What is known about a run of rows before they are looked at.

    Args:
        fixed: facts with one value, or none, in all rows.
        words: the number of each word in the columns, by fact.
        known: facts that no row lacks, so that what asks for them only is never unknown.
    """

    fixed: Mapping[str, FactValue | None]
    words: Mapping[str, Mapping[str, int]]
    known: frozenset[str]

    def is_sure(self, condition: Condition) -> bool:
        """Whether the condition certainly has an answer in every row; where this is false, it may have, too."""
        return all(
            leaf.fact.name in self.known
            and (
                not isinstance(leaf, MoneyWithin)
                or (leaf.currency_fact in self.known and self._words_of(leaf.currency_fact) <= set(leaf.intervals))
            )
            for leaf in leaves(condition)
        )

    def _words_of(self, name: str) -> set[str]:
        return {str(self.fixed[name])} if name in self.fixed else set(self.words[name])

    def truth(self, condition: Condition) -> Told:
        """The condition for each row."""
        if isinstance(condition, All):
            return all_of(self.truth(part) for part in condition.parts)
        if isinstance(condition, Any):
            return any_of(self.truth(part) for part in condition.parts)
        if isinstance(condition, Not):
            return negated(self.truth(condition.part))
        return self._leaf(condition)

    def is_unknown(self, name: str) -> pl.Expr | bool:
        """Whether the fact is unknown."""
        if name in self.fixed:
            return self.fixed[name] is None
        return pl.col(name).is_null()

    def flag(self, name: str) -> Told:
        """A fact that is true or false."""
        if name in self.fixed:
            value = self.fixed[name]
            return None if value is None else bool(value)
        return pl.col(name)

    def number(self, name: str) -> pl.Expr | None:
        """A fact that is a number; None where it is unknown in all rows."""
        if name in self.fixed:
            value = self.fixed[name]
            return None if value is None else pl.lit(value, pl.Int64)
        return pl.col(name)

    def is_word(self, name: str, words: Iterable[FactValue]) -> Told:
        """Whether the fact is one of the words."""
        wanted = frozenset(words)
        if name in self.fixed:
            value = self.fixed[name]
            return None if value is None else value in wanted
        numbers = self.words.get(name)
        if numbers is None:
            return self._is_flag(name, wanted)
        codes = sorted(numbers[word] for word in wanted if isinstance(word, str) and word in numbers)
        column = pl.col(name)
        if not codes or len(codes) == len(numbers):
            return _known(column, answer=bool(codes))
        if len(codes) > _SEVERAL_WORDS:
            return column.is_in(codes)
        return any_of(column == code for code in codes)

    def by_word(self, name: str, values: Mapping[str, int]) -> pl.Expr | None:
        """The number that belongs to the fact's word, null where none does; None where none does in any row."""
        if name in self.fixed:
            number = values.get(str(self.fixed[name]))
            return None if number is None else pl.lit(number, pl.Int64)
        column = pl.Series([values.get(word) for word in self.words[name]], dtype=pl.Int64)
        return pl.lit(column).gather(pl.col(name))

    def _is_flag(self, name: str, wanted: frozenset[FactValue]) -> Told:
        column = pl.col(name)
        if len(wanted) != 1:
            return _known(column, answer=bool(wanted))
        return column if True in wanted else ~column

    def _leaf(self, leaf: Leaf) -> Told:
        names = (leaf.fact.name, leaf.currency_fact) if isinstance(leaf, MoneyWithin) else (leaf.fact.name,)
        if any(name in self.fixed and self.fixed[name] is None for name in names):
            return None
        if all(name in self.fixed for name in names):
            return compile_test(leaf)({name: value for name in names if (value := self.fixed[name]) is not None})
        if isinstance(leaf, Among):
            answer = self.is_word(leaf.fact.name, leaf.values)
            return negated(answer) if leaf.negated else answer
        column = self.number(leaf.fact.name)
        assert column is not None
        if isinstance(leaf, Positive):
            return column > 0 if leaf.positive else column == 0
        if isinstance(leaf, Within):
            return _within(column, leaf.interval)
        return self._money_within(column, leaf)

    def _money_within(self, column: pl.Expr, leaf: MoneyWithin) -> Told:
        if leaf.currency_fact in self.fixed:
            interval = leaf.intervals.get(str(self.fixed[leaf.currency_fact]))
            return None if interval is None else _within(column, interval)
        lowest, highest = -(2**63), 2**63 - 1
        spans = leaf.intervals.items()
        lows = {currency: lowest if span.low is None else span.low for currency, span in spans}
        highs = {currency: highest if span.high is None else span.high for currency, span in spans}
        asked: list[Told] = []
        is_bounded_above = any(span.high is not None for _, span in spans)
        if any(span.low is not None for _, span in spans) or not is_bounded_above:
            low = self.by_word(leaf.currency_fact, lows)
            asked.append(None if low is None else column >= low)
        if is_bounded_above:
            high = self.by_word(leaf.currency_fact, highs)
            asked.append(None if high is None else column <= high)
        return all_of(asked)


def _within(column: pl.Expr, interval: Interval) -> pl.Expr:
    if interval.low is None and interval.high is None:
        return _known(column, answer=True)
    if interval.low is None:
        return column <= interval.high
    if interval.high is None:
        return column >= interval.low
    return column.is_between(interval.low, interval.high)


def _known(column: pl.Expr, *, answer: bool) -> pl.Expr:
    """The answer where the fact is known at all."""
    return pl.when(column.is_not_null()).then(pl.lit(answer))
