"""Conditions on facts, with three answers: true, false, unknown.

A condition never raises and never matches text: it compares integers with intervals and words with sets. Unknown
follows Kleene: `false` wins over unknown in `all`, `true` wins over unknown in `any`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf

from policies.facts import Fact, FactValue

Truth = bool | None
"""True, False, or None for unknown."""

Values = Mapping[str, FactValue]
Test = Callable[[Values], Truth]


@dataclass(frozen=True, slots=True)
class Interval:
    """Whole numbers from `low` to `high`, both included; None is open. `below 10` is at most 9: facts are integers."""

    low: int | None = None
    high: int | None = None

    def __contains__(self, number: int) -> bool:
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)


@dataclass(frozen=True, slots=True)
class Within:
    """A number of days, minutes, percent or things lies in the interval."""

    fact: Fact
    interval: Interval


@dataclass(frozen=True, slots=True)
class MoneyWithin:
    """An amount lies in the interval of its currency, which the fact `currency_fact` names.

    A currency without an interval leaves the answer unknown: no amount is converted, and none is assumed.
    """

    fact: Fact
    currency_fact: str
    intervals: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Positive:
    """An amount is above zero (`positive`), or exactly zero, in any currency."""

    fact: Fact
    positive: bool


@dataclass(frozen=True, slots=True)
class Among:
    """A word or a truth value is one of `values`, or none of them where `negated`."""

    fact: Fact
    values: frozenset[FactValue]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds. Without parts it is true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


Leaf = Within | MoneyWithin | Positive | Among
Condition = Leaf | All | Any | Not
_SEVERAL = (All, Any)


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every comparison in the condition, in its order."""
    if isinstance(condition, _SEVERAL):
        for part in condition.parts:
            yield from leaves(part)
    elif isinstance(condition, Not):
        yield from leaves(condition.part)
    else:
        yield condition


def admits(condition: Condition, name: str, value: FactValue) -> bool:
    """False only where the condition cannot be true once the fact has this value, as far as its top level tells."""
    parts = condition.parts if isinstance(condition, All) else (condition,)
    return all(
        (value in part.values) is not part.negated
        for part in parts
        if isinstance(part, Among) and part.fact.name == name
    )


def settled(condition: Condition, known: Values) -> Condition:
    """The condition without the words of its top level that these facts fulfil already."""
    if not isinstance(condition, All):
        return condition
    kept = tuple(
        part
        for part in condition.parts
        if not (
            isinstance(part, Among)
            and part.fact.name in known
            and (known[part.fact.name] in part.values) is not part.negated
        )
    )
    return condition if len(kept) == len(condition.parts) else All(kept)


def compile_test(condition: Condition) -> Test:
    """The condition as one function of the facts."""
    if isinstance(condition, All):
        return _all(condition.parts)
    if isinstance(condition, Any):
        return _any(condition.parts)
    if isinstance(condition, Not):
        return _not(condition.part)
    return _leaf(condition)


def _leaf(condition: Leaf) -> Test:
    if isinstance(condition, Within):
        return _within(condition.fact.name, condition.interval)
    if isinstance(condition, MoneyWithin):
        return _money_within(condition)
    if isinstance(condition, Positive):
        return _positive(condition)
    return _among(condition)


def _within(name: str, interval: Interval) -> Test:
    low, high = _ends(interval)

    def test(values: Values) -> Truth:
        number = values.get(name)
        return None if number is None else low <= number <= high  # type: ignore[operator]  # an integer fact

    return test


def _money_within(condition: MoneyWithin) -> Test:
    name, currency_fact, intervals = condition.fact.name, condition.currency_fact, dict(condition.intervals)

    def test(values: Values) -> Truth:
        amount, currency = values.get(name), values.get(currency_fact)
        if amount is None or currency is None:
            return None
        assert isinstance(amount, int)
        assert isinstance(currency, str)
        interval = intervals.get(currency)
        return None if interval is None else amount in interval

    return test


def _positive(condition: Positive) -> Test:
    name, positive = condition.fact.name, condition.positive

    def test(values: Values) -> Truth:
        amount = values.get(name)
        if amount is None:
            return None
        assert isinstance(amount, int)
        return amount > 0 if positive else amount == 0

    return test


def _among(condition: Among) -> Test:
    name, words, negated = condition.fact.name, condition.values, condition.negated

    def test(values: Values) -> Truth:
        word = values.get(name)
        return None if word is None else (word in words) is not negated

    return test


def _all(parts: tuple[Condition, ...]) -> Test:
    if len(parts) == 1:
        return compile_test(parts[0])
    others = tuple(compile_test(part) for part in parts if not _is_plain(part))
    return _conjunction((_plain(parts), *others)) if others else _plain(parts)


def _plain(parts: tuple[Condition, ...]) -> Test:
    """The plain comparisons in one loop: most conditions are nothing else, and calls cost most."""
    words = tuple((part.fact.name, part.values) for part in parts if isinstance(part, Among) and not part.negated)
    ranges = tuple((part.fact.name, *_ends(part.interval)) for part in parts if isinstance(part, Within))

    def test(values: Values) -> Truth:
        answer: Truth = True
        for name, allowed in words:
            word = values.get(name)
            if word is None:
                answer = None
            elif word not in allowed:
                return False
        for name, low, high in ranges:
            number = values.get(name)
            if number is None:
                answer = None
            elif not low <= number <= high:  # type: ignore[operator]  # an integer fact
                return False
        return answer

    return test


def _conjunction(tests: tuple[Test, ...]) -> Test:
    def test(values: Values) -> Truth:
        answer: Truth = True
        for part in tests:
            truth = part(values)
            if truth is False:
                return False
            if truth is None:
                answer = None
        return answer

    return test


def _is_plain(part: Condition) -> bool:
    return isinstance(part, Within) or (isinstance(part, Among) and not part.negated)


def _ends(interval: Interval) -> tuple[float, float]:
    """The ends with an open one as infinity, so that the hottest comparison has no branch. Facts hold integers only."""
    return (
        -inf if interval.low is None else interval.low,
        inf if interval.high is None else interval.high,
    )


def _any(parts: tuple[Condition, ...]) -> Test:
    tests = tuple(compile_test(part) for part in parts)

    def test(values: Values) -> Truth:
        answer: Truth = False
        for part in tests:
            truth = part(values)
            if truth is True:
                return True
            if truth is None:
                answer = None
        return answer

    return test


def _not(part: Condition) -> Test:
    inner = compile_test(part)

    def test(values: Values) -> Truth:
        truth = inner(values)
        return None if truth is None else not truth

    return test
