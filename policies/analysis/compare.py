"""The difference of two policies as sets of cases, each with one worked example, and whether it loosens or tightens.

Exact over all cases that can occur: nothing is sampled. Where the bound on work is hit, the comparison says so, and
counts as one that loosens, so that nothing is published on the strength of an answer that was not found.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from policies.analysis.answers import answers_of
from policies.analysis.diagram import DEFAULT_BOUND, BoundHit, Function
from policies.analysis.effect import Direction, Effect, compared, effect_of
from policies.analysis.examples import Example, example_of
from policies.analysis.operation import Operation
from policies.analysis.regions import Boxes, boxes_of
from policies.analysis.settings import SettingChange, changed_settings
from policies.analysis.space import AMOUNT, BRAND, CURRENCY, DAY, INTENT, KIND, SEGMENT, Space
from policies.analysis.standing import CONFIDENCE, LANGUAGE
from policies.analysis.words import conditions, region_text
from policies.conditions import Condition, MoneyWithin, leaves
from policies.decision import Decision
from policies.document import Approvals, Policy
from policies.evaluate import decide
from policies.facts import Facts

MOST_REGIONS: Final = 200
"""More regions than these are counted and not described."""

_ALWAYS_SHOWN: Final = (KIND, INTENT, SEGMENT, BRAND, CURRENCY, AMOUNT, DAY)


@dataclass(frozen=True, slots=True)
class Worked:
    """A case of a region with what each policy decides about it."""

    example: Example
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True)
class Region:
    """Cases that the second policy treats otherwise: in all of them from one effect to another.

    `where` and `conditions` name the facts that the change is about. Which other facts must hold as well is the same in
    both policies; the example shows one such case.
    """

    where: str
    conditions: tuple[tuple[str, str], ...]
    before: Effect
    after: Effect
    direction: Direction
    worked: Worked


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changes from one policy to another.

    `more_regions` is how many regions there are beside those described. `unproven` is why the comparison is not exact;
    its direction then is BOTH.
    """

    before: Policy
    after: Policy
    direction: Direction
    regions: tuple[Region, ...]
    settings: tuple[SettingChange, ...]
    more_regions: int = 0
    unproven: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a cell's effect was and what it becomes. Limits are named only where they are what changes."""

    before: Effect
    after: Effect
    direction: Direction


def _change(old: Approvals, new: Approvals, first: Hashable, second: Hashable) -> Change | None:
    before, after = effect_of(first), effect_of(second)
    if before == after:
        return None
    way = compared(before, after, old, new)
    if before.step != after.step or before.limits == after.limits:
        before, after = replace(before, limits=()), replace(after, limits=())
    return Change(before, after, way)


def compare(before: Policy, after: Policy, *, bound: int = DEFAULT_BOUND) -> Comparison:
    """What changes for whom when the second policy decides instead of the first."""
    settings = changed_settings(before, after)
    found = Direction.NEITHER
    for setting in settings:
        found = found.with_(setting.direction)
    try:
        return _compared(before, after, settings, found, bound)
    except BoundHit as error:
        return Comparison(before, after, Direction.BOTH, (), settings, unproven=str(error))


def _compared(
    before: Policy,
    after: Policy,
    settings: tuple[SettingChange, ...],
    found: Direction,
    bound: int,
) -> Comparison:
    space = Space([before, after], bound=bound)
    diagrams = space.diagrams
    old, new = (answers_of(policy, space).answer for policy in (before, after))
    changing = Operation(partial(_change, before.approvals, after.approvals), alike=(None,))
    changed = diagrams.choose(space.possible, diagrams.combine(changing, old, new), diagrams.constant(None))
    changes = [value for value in diagrams.values(changed) if isinstance(value, Change)]
    for change in changes:
        found = found.with_(change.direction)
    shown = _shown_facts(before, after)
    parts = [
        (change, boxes)
        for change in sorted(changes, key=_order)
        for boxes in boxes_of(space, diagrams.equal(changed, change), shown)
    ]
    regions = tuple(_region(space, before, after, change, boxes) for change, boxes in parts[:MOST_REGIONS])
    return Comparison(before, after, found, regions, settings, len(parts) - len(regions))


def _region(space: Space, before: Policy, after: Policy, change: Change, boxes: Boxes) -> Region:
    said = tuple(conditions(space, boxes.masks))
    return Region(
        where=region_text(said),
        conditions=said,
        before=change.before,
        after=change.after,
        direction=change.direction,
        worked=_worked(space, before, after, boxes.cells),
    )


def _order(change: Change) -> tuple[int, str]:
    """What loosens most comes first."""
    return (change.before.step - change.after.step, repr(change))


def _worked(space: Space, before: Policy, after: Policy, cells: Function) -> Worked:
    example = example_of(space, cells)
    facts = Facts(example.facts)
    return Worked(example, decide(before, facts, now=example.now), decide(after, facts, now=example.now))


# what the change is about


def _shown_facts(before: Policy, after: Policy) -> frozenset[str]:
    """The facts that a change can be about: what every case has, and what the changed parts of the files ask."""
    shown = set(_ALWAYS_SHOWN)
    for condition in _changed_conditions(before, after):
        for leaf in leaves(condition):
            shown.add(leaf.fact.name)
            if isinstance(leaf, MoneyWithin):
                shown.add(leaf.currency_fact)
    if before.languages != after.languages:
        shown.add(LANGUAGE)
    if _bars(before) != _bars(after):
        shown.add(CONFIDENCE)
    return frozenset(shown)


def _bars(policy: Policy) -> list[tuple[str, int]]:
    return [(tier.name, tier.min_confidence_percent) for tier in policy.autonomy.tiers]


def _changed_conditions(before: Policy, after: Policy) -> Iterator[Condition]:
    old, new = ({rule.rule_id: rule for rule in policy.rules} for policy in (before, after))
    for rule_id in old.keys() | new.keys():
        if old.get(rule_id) != new.get(rule_id):
            yield from (rules[rule_id].condition for rules in (old, new) if rule_id in rules)
    if before.risk != after.risk:
        same_bar = before.risk.approve_at == after.risk.approve_at
        kept = [factor for factor in before.risk.factors if same_bar and factor in after.risk.factors]
        yield from (
            factor.condition for policy in (before, after) for factor in policy.risk.factors if factor not in kept
        )
