"""Thresholds that no case comes to: bounds of rules and tiers at which no answer changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.analysis.answers import Answers
from policies.analysis.diagram import Function
from policies.analysis.shadows import Reach
from policies.analysis.space import AMOUNT, CURRENCY, Space, Span
from policies.conditions import Interval, MoneyWithin, Within
from policies.document import Policy, Rule, Tier
from policies.explain import amount_text, bounded_leaves, label
from policies.tables import RANK
from policies.vocabulary import Mode


@dataclass(frozen=True, slots=True)
class Unreached:
    """A bound at which nothing changes: the part of the file, the bound in words, and why."""

    part: str
    bound: str
    why: str


def unreached_in_rules(policy: Policy, space: Space, reach: Mapping[str, Reach]) -> Iterator[Unreached]:
    """Bounds of rules: on both sides of such a bound the rule decides alike, whatever the other facts are."""
    for rule in policy.rules:
        decides = reach[rule.rule_id].decides
        if decides != space.diagrams.never:
            yield from _of_rule(space, rule, decides)


def _of_rule(space: Space, rule: Rule, decides: Function) -> Iterator[Unreached]:
    for leaf in bounded_leaves(rule.condition):
        if isinstance(leaf, Within):
            there: list[tuple[Function, Interval, str | None]] = [(decides, leaf.interval, None)]
        else:
            there = [
                (_in_currency(space, decides, leaf, currency), interval, currency)
                for currency, interval in leaf.intervals.items()
            ]
        for cells, interval, currency in there:
            for bound, edge in _edges(interval):
                if cells != space.diagrams.never and not _changes_at(space, cells, leaf.fact.name, edge):
                    yield Unreached(rule.rule_id, _bound_text(leaf, bound, currency), _why(space, leaf, interval))


def _in_currency(space: Space, cells: Function, leaf: MoneyWithin, currency: str) -> Function:
    level = space.level[leaf.currency_fact]
    return space.diagrams.restricted(cells, {level: space.axis(leaf.currency_fact).words([currency])})


def _edges(interval: Interval) -> Iterator[tuple[int, int]]:
    """Each bound with the number that begins the piece above it. Zero below an upper bound is no bound of its own."""
    if interval.low is not None and not (interval.low == 0 and interval.high is not None):
        yield interval.low, interval.low
    if interval.high is not None:
        yield interval.high, interval.high + 1


def _changes_at(space: Space, cells: Function, name: str, edge: int) -> bool:
    """Whether the cells look different just below and just above this number."""
    axis, diagrams, level = space.axis(name), space.diagrams, space.level[name]
    above = axis.place(edge)
    piece = axis.pieces[above]
    if above == 0 or not isinstance(piece, Span) or piece.low != edge:
        # One side of it cannot occur.
        return False
    for part in diagrams.reached(cells):
        if diagrams.level(part) == level:
            sides = [child for mask, child in diagrams.edges(part) if mask >> above & 1 or mask >> (above - 1) & 1]
            if len(sides) > 1:
                return True
    return False


def _bound_text(leaf: Within | MoneyWithin, bound: int, currency: str | None) -> str:
    number = amount_text(bound, currency) if currency is not None else f"{bound} {leaf.fact.unit}".rstrip()
    return f"{label(leaf.fact.name)} {number}"


def _why(space: Space, leaf: Within | MoneyWithin, interval: Interval) -> str:
    axis = space.axis(leaf.fact.name)
    if axis.known & ~axis.numbers(interval.low, interval.high) == 0:
        return "the fact is never outside of it"
    return "other conditions or a stricter answer decide on both sides of it"


def unreached_in_tiers(policy: Policy, space: Space, answers: Answers) -> Iterator[Unreached]:
    """Bounds of tiers: what covers the case does not change there, or a limit stops the money before."""
    diagrams = space.diagrams
    used = {getattr(value, "tier", None) for value in diagrams.values(answers.ladder.rung)}
    rung = diagrams.choose(space.possible, answers.ladder.rung, diagrams.constant(None))
    for tier in policy.autonomy.tiers:
        for currency, minor in sorted((tier.at_most or {}).items()) if tier.name in used else ():
            there = diagrams.restricted(rung, {space.level[CURRENCY]: space.axis(CURRENCY).words([currency])})
            if not _changes_at(space, there, AMOUNT, minor + 1):
                yield Unreached(tier.name, f"at_most {amount_text(minor, currency)}", "another tier covers both sides")
            yield from _stopped(policy, tier, currency, minor)


def _stopped(policy: Policy, tier: Tier, currency: str, minor: int) -> Iterator[Unreached]:
    """A limit with less than the bound: a refund near the bound could never be paid alone."""
    if RANK[tier.mode] <= RANK[Mode.APPROVE]:
        return
    for limit in policy.limits:
        cap = None if limit.amounts is None else limit.amounts.get(currency)
        if cap is not None and cap < minor:
            why = f"limit {limit.limit_id!r} stops at {amount_text(cap, currency)}"
            yield Unreached(tier.name, f"at_most {amount_text(minor, currency)}", why)
