"""What it means to let one version decide instead of another: its direction, and the cases that change, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from policies.analysis.compare import Comparison, compare
from policies.analysis.effect import Direction
from policies.analysis.words import effect_text
from policies.document import Policy

FIRST: Final = "first"
"""Direction of a version that replaces none."""

TOLD: Final = 20
"""Regions that an event names. How many there are is always said."""


@dataclass(frozen=True, slots=True)
class Change:
    """What changes. `direction` is `first`, or what the analysis says: `neither`, `tightens`, `loosens`, `both`.

    `regions` are sentences, at most so many as the analysis describes; `total` counts all. What the analysis could not
    compare within its bound is `both`.
    """

    direction: str
    regions: tuple[str, ...] = ()
    total: int = 0

    @property
    def loosens(self) -> bool:
        """Whether any case gets more than before; what loosens here and tightens there does."""
        return self.direction in {Direction.LOOSENS.value, Direction.BOTH.value}

    def body(self) -> Mapping[str, object]:
        """The change as the public part of an event."""
        return {
            "direction": self.direction,
            "loosens": self.loosens,
            "changes": list(self.regions[:TOLD]),
            "changes_total": self.total,
        }


@lru_cache(maxsize=64)
def comparison_between(base: Policy, candidate: Policy) -> Comparison:
    """The whole comparison, worked out once for each pair."""
    return compare(base, candidate)


def change_between(base: Policy | None, candidate: Policy) -> Change:
    """What changes where the candidate decides instead of the base. May take seconds for hundreds of rules, once."""
    if base is None:
        return Change(FIRST)
    if base == candidate:
        return Change(Direction.NEITHER.value)
    comparison = comparison_between(base, candidate)
    told = _told(comparison)
    return Change(comparison.direction.value, told, len(told) + comparison.more_regions)


def _told(comparison: Comparison) -> tuple[str, ...]:
    unproven = comparison.unproven
    return (
        *([f"not compared, so it counts as loosening: {unproven}"] if unproven is not None else []),
        *(
            f"{one.direction.value}: {one.where}: {effect_text(one.before)} -> {effect_text(one.after)}"
            for one in comparison.regions
        ),
        *(f"{one.direction.value}: {one.name}: {one.before} -> {one.after}" for one in comparison.settings),
    )
