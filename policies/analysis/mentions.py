"""What policies mention of each fact: its words, and the numbers at which an answer may change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from policies.conditions import Among, Condition, Interval, MoneyWithin, Positive, Within, leaves
from policies.document import Amounts, Policy, Rule, Window
from policies.facts import FactValue

_AMOUNT: Final = "action.amount_minor"
_CURRENCIES: Final = ("action.currency", "charge.currency")


@dataclass(slots=True)
class Mentions:
    """By fact: words, and cuts (numbers with which another piece begins). `days` are ordinals that begin a piece.

    `facts` lists the facts that conditions ask about, those of related rules beside each other.
    """

    facts: dict[str, None] = field(default_factory=dict)
    words: dict[str, set[FactValue]] = field(default_factory=dict)
    cuts: dict[str, set[int]] = field(default_factory=dict)
    days: set[int] = field(default_factory=set)


def mentions_of(policies: Sequence[Policy]) -> Mentions:
    """Everything that any of the policies mentions."""
    found = Mentions()
    for policy in policies:
        for condition in _conditions(policy):
            _add_condition(found, condition)
        for window in _windows(policy):
            _add_window(found, window)
        for amounts in _amounts(policy):
            _add_amounts(found, amounts)
        _add_words(found, policy)
    shared = {word for name in _CURRENCIES for word in found.words.get(name, set())}
    for name in _CURRENCIES:
        found.words[name] = shared
    return found


def _conditions(policy: Policy) -> Iterator[Condition]:
    for rule in sorted(policy.rules, key=_kinship):
        yield rule.condition
    for factor in policy.risk.factors:
        yield factor.condition


def _kinship(rule: Rule) -> tuple[list[str], str]:
    intents = sorted(
        str(word)
        for leaf in leaves(rule.condition)
        if isinstance(leaf, Among) and leaf.fact.name == "request.intent"
        for word in leaf.values
    )
    return (intents, rule.rule_id)


def _add_condition(found: Mentions, condition: Condition) -> None:
    for leaf in leaves(condition):
        name = leaf.fact.name
        found.facts.setdefault(name)
        if isinstance(leaf, Among):
            found.words.setdefault(name, set()).update(leaf.values)
        elif isinstance(leaf, Positive):
            found.cuts.setdefault(name, set()).update((0, 1))
        elif isinstance(leaf, Within):
            found.cuts.setdefault(name, set()).update(cuts_of(leaf.interval))
        else:
            _add_money(found, leaf)


def _add_money(found: Mentions, leaf: MoneyWithin) -> None:
    found.words.setdefault(leaf.currency_fact, set()).update(leaf.intervals)
    for interval in leaf.intervals.values():
        found.cuts.setdefault(leaf.fact.name, set()).update(cuts_of(interval))


def cuts_of(interval: Interval) -> Iterator[int]:
    """The numbers at which membership changes: the first inside, the first beyond."""
    if interval.low is not None:
        yield interval.low
    if interval.high is not None:
        yield interval.high + 1


def _windows(policy: Policy) -> Iterator[Window]:
    yield from (rule.window for rule in policy.rules)
    yield from (cell.window for cell in policy.autonomy.matrix)
    yield from (band.window for tier in policy.autonomy.tiers for band in tier.during)


def _add_window(found: Mentions, window: Window) -> None:
    if window.first is not None:
        found.days.add(window.first.toordinal())
    if window.last is not None:
        found.days.add(window.last.toordinal() + 1)


def _amounts(policy: Policy) -> Iterator[Amounts]:
    """Every amount with which the action's own is compared, as far as it is at most that much."""
    for tier in policy.autonomy.tiers:
        yield tier.at_most or {}
        yield from (band.at_most for band in tier.during)
    yield from (band.at_most or {} for band in policy.approvals.bands)
    yield policy.approvals.four_eyes_above or {}
    tools = policy.tools
    for entry in (*(tools.allow or ()), *tools.deny, *tools.approve):
        if entry.over is not None:
            yield {entry.over.currency: entry.over.minor}
    yield from ({currency: 0} for limit in policy.limits for currency in limit.amounts or ())


def _add_amounts(found: Mentions, amounts: Mapping[str, int]) -> None:
    found.words.setdefault("action.currency", set()).update(amounts)
    found.cuts.setdefault(_AMOUNT, {0, 1}).update(minor + 1 for minor in amounts.values())


def _add_words(found: Mentions, policy: Policy) -> None:
    for cell in policy.autonomy.matrix:
        for name, word in (("requester.segment", cell.segment), ("request.brand", cell.brand)):
            if word is not None:
                found.words.setdefault(name, set()).add(word)
    if policy.languages:
        found.words.setdefault("request.language", set()).update((*policy.languages, "und"))
    bars = {tier.min_confidence_percent for tier in policy.autonomy.tiers} - {0}
    found.cuts.setdefault("request.confidence_percent", set()).update(bars)
    found.cuts.setdefault(_AMOUNT, set()).update((0, 1))
