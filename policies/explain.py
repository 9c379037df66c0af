"""Conditions and thresholds in words, and by how much a case meets or misses them."""

from __future__ import annotations

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
    Truth,
    Values,
    Within,
    compile_test,
    leaves,
)
from policies.decision import Threshold
from policies.facts import FactValue
from policies.money import Money

_BOUNDED = (Within, MoneyWithin)


def label(name: str) -> str:
    """A fact's name as a policy file writes it."""
    return name.removesuffix("_minor")


def amount_text(minor: int, currency: str | None) -> str:
    """`24.90 USD`; without a known currency the bare number of minor units."""
    return f"{minor} minor units" if currency is None else str(Money(minor, currency))


Bounded = Within | MoneyWithin


def bounded_leaves(condition: Condition) -> tuple[Bounded, ...]:
    """The comparisons with a threshold that a case can be near to or far from."""
    return tuple(leaf for leaf in leaves(condition) if isinstance(leaf, _BOUNDED))


def margin(bounded: tuple[Bounded, ...], values: Values) -> tuple[str, Threshold] | None:
    """How far the case is from the tightest threshold, in words and as data; None where none speaks about the case.

    Tightest is the smallest distance relative to the bound, so that a day and a cent can be compared.
    """
    tightest: tuple[float, Bounded, int, bool] | None = None
    for leaf in bounded:
        number = values.get(leaf.fact.name)
        interval = (
            leaf.interval if isinstance(leaf, Within) else leaf.intervals.get(str(values.get(leaf.currency_fact)))
        )
        if interval is None or not isinstance(number, int) or interval.low == interval.high:
            continue
        for bound, is_high in ((interval.high, True), (interval.low, False)):
            if bound is not None:
                ratio = abs(number - bound) / (abs(bound) or 1)
                if tightest is None or ratio < tightest[0]:
                    tightest = (ratio, leaf, bound, is_high)
    if tightest is None:
        return None
    _, leaf, bound, is_high = tightest
    number = values[leaf.fact.name]
    assert isinstance(number, int)
    currency = str(values[leaf.currency_fact]) if isinstance(leaf, MoneyWithin) else None
    side = "at_most" if is_high else "at_least"
    threshold = Threshold(label(leaf.fact.name), number, side, bound, leaf.fact.unit, currency)
    return _margin_text(leaf, threshold), threshold


def _margin_text(leaf: Bounded, threshold: Threshold) -> str:
    gap, currency = threshold.gap, threshold.currency
    where = f"{_number(leaf, abs(gap), currency)} {'above' if gap > 0 else 'below'} it" if gap else "exactly on it"
    value, bound = _number(leaf, threshold.value, currency), _number(leaf, threshold.bound, currency)
    return f"{threshold.fact} is {value}, the bound is {threshold.side.replace('_', ' ')} {bound}: {where}"


def _number(leaf: Bounded, number: int, currency: str | None) -> str:
    if isinstance(leaf, MoneyWithin):
        return amount_text(number, currency)
    return f"{number} {leaf.fact.unit}".rstrip()


def unknown_facts(condition: Condition, values: Values) -> tuple[str, ...]:
    """Facts without which the condition has no answer, as a policy file writes them."""
    return tuple(sorted({label(name) for leaf in leaves(condition) for name in _unknown(leaf, values)}))


def _unknown(leaf: Leaf, values: Values) -> tuple[str, ...]:
    if values.get(leaf.fact.name) is None:
        return (leaf.fact.name,)
    if isinstance(leaf, MoneyWithin):
        currency = values.get(leaf.currency_fact)
        if currency is None:
            return (leaf.currency_fact,)
        if currency not in leaf.intervals:
            return (f"{label(leaf.fact.name)} in {currency}",)
    return ()


# conditions in words


def sentence(condition: Condition) -> str:
    """The condition in words: `charge.age_days is at most 90 days and charge.has_twin is true`."""
    if isinstance(condition, All):
        return " and ".join(_nested(part) for part in condition.parts) or "always"
    if isinstance(condition, Any):
        return " or ".join(_nested(part) for part in condition.parts)
    if isinstance(condition, Not):
        return f"not ({sentence(condition.part)})"
    return _leaf_sentence(condition)


def _nested(condition: Condition) -> str:
    several = isinstance(condition, All | Any) and len(condition.parts) > 1
    return f"({sentence(condition)})" if several else sentence(condition)


def _leaf_sentence(leaf: Leaf) -> str:
    name = label(leaf.fact.name)
    if isinstance(leaf, Positive):
        return f"{name} is {'above zero' if leaf.positive else 'zero'}"
    if isinstance(leaf, Among):
        words = sorted(word_text(value) for value in leaf.values)
        said = words[0] if len(words) == 1 else f"one of {', '.join(words)}"
        return f"{name} is {'not ' if leaf.negated else ''}{said}"
    if isinstance(leaf, Within):
        return f"{name} is {_interval_text(leaf, leaf.interval, None)}"
    parts = [_interval_text(leaf, interval, currency) for currency, interval in sorted(leaf.intervals.items())]
    return f"{name} is {' or '.join(parts)}"


def _interval_text(leaf: Bounded, interval: Interval, currency: str | None) -> str:
    low, high = interval.low, interval.high
    if low is None:
        assert high is not None
        return f"at most {_number(leaf, high, currency)}"
    if high is None:
        return f"at least {_number(leaf, low, currency)}"
    if low == high:
        return _number(leaf, low, currency)
    return f"between {_number(leaf, low, currency)} and {_number(leaf, high, currency)}"


def word_text(value: FactValue) -> str:
    """A fact's value as a policy file writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def leaf_truths(condition: Condition, values: Values) -> tuple[tuple[str, Truth, str], ...]:
    """Each comparison in words, its answer for this case, and the value that it saw."""
    return tuple((_leaf_sentence(leaf), compile_test(leaf)(values), _seen(leaf, values)) for leaf in leaves(condition))


def _seen(leaf: Leaf, values: Values) -> str:
    value = values.get(leaf.fact.name)
    if value is None:
        return "unknown"
    if isinstance(leaf, MoneyWithin):
        currency = values.get(leaf.currency_fact)
        return amount_text(int(value), currency if isinstance(currency, str) else None)
    return word_text(value)
