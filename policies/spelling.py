"""Conditions and amounts as a policy file writes them: the inverse of `policies.language.conditions`.

What is written reads back as the same condition, part by part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from policies.conditions import All, Among, Any, Condition, Interval, Leaf, MoneyWithin, Not, Positive, Within
from policies.explain import label, word_text
from policies.money import MAX_MINOR, Money, exponent

Written = str | list["Written"] | dict[str, "Written"]
"""Words, lists and mappings as they stand in a file. A `Sentence` stands in quotation marks."""

MAX_NUMBER: Final = 1_000_000_000
"""The largest number that a condition may name."""


_UNITS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}


class Sentence(str):
    """Words that stand in quotation marks."""

    __slots__ = ()


def amount_word(minor: int, currency: str) -> str:
    """An amount in major units: `50`, `24.90`."""
    decimals = exponent(currency)
    written = f"{Money(minor, currency).major:.{decimals}f}"
    return written.removesuffix(f".{'0' * decimals}")


def duration_word(seconds: int) -> str:
    """A duration in its largest whole unit: `10m`, `72h`.

    >>> duration_word(90), duration_word(86400)
    ('90s', '1d')
    """
    unit, length_s = next((unit, length_s) for unit, length_s in _UNITS.items() if seconds % length_s == 0)
    return f"{seconds // length_s}{unit}"


def condition_block(condition: Condition) -> Written:
    """A `when:` block."""
    parts = condition.parts if isinstance(condition, All) else (condition,)
    if not parts:
        return "always"
    spellings = [_spellings(part) for part in parts]
    only = {names[0] for names in spellings if len(names) == 1}
    block: dict[str, Written] = {}
    for part, names in zip(parts, spellings, strict=True):
        # A block came from a mapping, so one of the spellings is free.
        free = (name for name in names if name not in block and (len(names) == 1 or name not in only))
        name = next(free)
        block[name] = _entry(part, in_usd=name.endswith("_usd"))
    return block


def _spellings(part: Condition) -> tuple[str, ...]:
    """The keys under which the part may stand."""
    if isinstance(part, All | Any | Not):
        return (type(part).__name__.lower(),)
    name = label(part.fact.name)
    if name == "action.kind":
        return (name, "action.type")
    if isinstance(part, Positive) or (isinstance(part, MoneyWithin) and _is_about_usd(part)):
        return (name, f"{name}_usd")
    return (name,)


def _is_about_usd(leaf: MoneyWithin) -> bool:
    """Whether it may stand under `_usd`, where a bare zero would mean nothing in any currency."""
    if set(leaf.intervals) != {"usd"}:
        return False
    interval = leaf.intervals["usd"]
    return None not in {interval.low, interval.high} or {interval.low, interval.high}.isdisjoint({0, -1})


def _entry(part: Condition, *, in_usd: bool) -> Written:
    if isinstance(part, All | Any):
        return [condition_block(each) for each in part.parts]
    if isinstance(part, Not):
        return condition_block(part.part)
    return _comparison(part, in_usd=in_usd)


def _comparison(leaf: Leaf, *, in_usd: bool) -> Written:
    if isinstance(leaf, Among):
        return _words(leaf)
    if isinstance(leaf, Positive):
        return {"above" if leaf.positive else "is": "0"}
    if isinstance(leaf, Within):
        operator, step = _operator((leaf.interval,), least=-MAX_NUMBER, most=MAX_NUMBER)
        return {operator: _operand(leaf.interval, step, str)}
    operator, step = _operator(leaf.intervals.values(), least=0, most=MAX_MINOR)
    amounts: dict[str, Written] = {
        currency: _operand(interval, step, partial(amount_word, currency=currency))
        for currency, interval in sorted(leaf.intervals.items())
    }
    return {operator: amounts["usd"] if in_usd else amounts}


def _words(leaf: Among) -> Written:
    words: list[Written] = [*sorted(word_text(value) for value in leaf.values)]
    if len(words) == 1:
        return {"is_not": words[0]} if leaf.negated else words[0]
    return {"none_of" if leaf.negated else "one_of": words}


def _operator(intervals: Iterable[Interval], *, least: int, most: int) -> tuple[str, int]:
    """The operator that writes all the intervals, and what it adds to a bound.

    `below` and `above` are needed only where the bound itself lies outside of what a file may name.
    """
    lows = [interval.low for interval in intervals if interval.low is not None]
    highs = [interval.high for interval in intervals if interval.high is not None]
    if lows and highs:
        return "between", 0
    if highs:
        return ("at_most", 0) if min(highs) >= least else ("below", 1)
    return ("at_least", 0) if max(lows) <= most else ("above", -1)


def _operand(interval: Interval, step: int, word: Callable[[int], str]) -> Written:
    if interval.low is not None and interval.high is not None:
        return [word(interval.low), word(interval.high)]
    bound = interval.low if interval.high is None else interval.high
    assert bound is not None  # an interval without ends is no comparison
    return word(bound + step)
