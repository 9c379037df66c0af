"""Conditions as diagrams: where a condition is true, where it is unknown, and on which days its rule speaks."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from policies.analysis.diagram import Function
from policies.analysis.operation import Operation
from policies.analysis.space import DAY, KIND, Space
from policies.conditions import All, Among, Any, Condition, Leaf, MoneyWithin, Not, Within
from policies.document import Rule, Window
from policies.vocabulary import ActionKind

NO, MAYBE, YES = 0, 1, 2
"""The three answers in their order: `all` takes the smallest, `any` the largest."""


def _smaller(one: Hashable, other: Hashable) -> Hashable:
    assert isinstance(one, int)
    assert isinstance(other, int)
    return min(one, other)


def _larger(one: Hashable, other: Hashable) -> Hashable:
    assert isinstance(one, int)
    assert isinstance(other, int)
    return max(one, other)


SMALLER: Final = Operation(_smaller, neutral=(YES,), absorbing=(NO,), is_symmetric=True)
LARGER: Final = Operation(_larger, neutral=(NO,), absorbing=(YES,), is_symmetric=True)


@dataclass(frozen=True, slots=True)
class Speech:
    """Where a rule's condition is true on its days, and where it cannot be ruled out on them."""

    certain: Function
    unsure: Function


def truth(space: Space, condition: Condition) -> Function:
    """The condition's answer in every cell."""
    diagrams = space.diagrams
    if isinstance(condition, All | Any):
        operation, found = (
            (SMALLER, diagrams.constant(YES)) if isinstance(condition, All) else (LARGER, diagrams.constant(NO))
        )
        # The last axes first, so that each step builds on top of what is there.
        parts = sorted((truth(space, part) for part in condition.parts), key=diagrams.level, reverse=True)
        for part in parts:
            found = diagrams.combine(operation, part, found)
        return found
    if isinstance(condition, Not):
        return diagrams.each(truth(space, condition.part), lambda value: YES - int(str(value)))
    return _leaf(space, condition)


def _leaf(space: Space, leaf: Leaf) -> Function:
    name, diagrams = leaf.fact.name, space.diagrams
    axis, level = space.axis(name), space.level[name]
    if isinstance(leaf, MoneyWithin):
        return _money(space, leaf)
    if isinstance(leaf, Among):
        mask = axis.words(leaf.values)
        mask = axis.known & ~mask if leaf.negated else mask
    elif isinstance(leaf, Within):
        mask = axis.numbers(leaf.interval.low, leaf.interval.high)
    else:
        mask = axis.numbers(1, None) if leaf.positive else axis.numbers(0, 0)
    return _ternary(space, level, mask, axis.unknown, diagrams.constant(YES))


def _ternary(space: Space, level: int, mask: int, unknown: int, yes: Function) -> Function:
    diagrams = space.diagrams
    rest = diagrams.full[level] & ~mask & ~unknown
    parts = ((mask, yes), (unknown, diagrams.constant(MAYBE)), (rest, diagrams.constant(NO)))
    return diagrams.node(level, [(part, child) for part, child in parts if part])


def _money(space: Space, leaf: MoneyWithin) -> Function:
    """An amount in a currency that the rule does not state is unknown, as one in an unknown currency is."""
    name, money = leaf.fact.name, space.axis(leaf.currency_fact)
    axis, diagrams = space.axis(name), space.diagrams
    found = diagrams.constant(MAYBE)
    for currency, interval in leaf.intervals.items():
        mask = axis.numbers(interval.low, interval.high)
        there = _ternary(space, space.level[name], mask, axis.unknown, diagrams.constant(YES))
        found = diagrams.choose(space.box_of({leaf.currency_fact: money.words([currency])}), there, found)
    return found


def days(space: Space, window: Window) -> Function:
    """True on the days of the window."""
    first = None if window.first is None else window.first.toordinal()
    last = None if window.last is None else window.last.toordinal()
    return space.box_of({DAY: space.axis(DAY).numbers(first, last)})


def speech(space: Space, rule: Rule) -> Speech:
    """Where the rule speaks."""
    diagrams, answer, valid = space.diagrams, truth(space, rule.condition), days(space, rule.window)
    return Speech(
        certain=diagrams.both(valid, diagrams.where(answer, lambda value: value == YES)),
        unsure=diagrams.both(valid, diagrams.where(answer, lambda value: value == MAYBE)),
    )


def kinds(space: Space, *kinds: ActionKind) -> Function:
    """True where the action is known and one of these."""
    return space.words(KIND, *kinds)
