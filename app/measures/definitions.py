"""What a measure is, in its own words: the types that the lists of measures are written in. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.measures.figures import Figure, Taken, per_thousand, percentile, share


class Unit(StrEnum):
    """How a figure is read."""

    SHARE = "share"
    PER_THOUSAND = "per 1,000 runs"
    SECONDS = "seconds"
    USD = "US dollars"


class Group(StrEnum):
    """What a measure is about."""

    WORK = "What it does"
    OUTCOME = "How it turns out"
    PEOPLE = "What people correct"
    SAFETY = "Safety"
    COST = "What it costs"
    TRUST = "Trust"


class Scope(StrEnum):
    """What a measure can be computed of."""

    RUNS = "runs"  # any set of runs
    PERIOD = "period"  # all runs of a period together
    TENANT = "tenant"  # once in the life of a tenant


Compute = Callable[[Taken], Figure]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure. `more_is_better` is None where neither is; `compute` is None where it is no sum over runs."""

    id: str
    name: str
    group: Group
    means: str
    formula: str
    unit: Unit
    kinds: tuple[str, ...]
    compute: Compute | None = None
    more_is_better: bool | None = None
    scope: Scope = Scope.RUNS


def ratio(part: str, over: str, nothing: str) -> Compute:
    """One sum by another; `nothing` says what there is none of."""
    return lambda taken: share(taken.sums[part], taken.sums[over], nothing)


def often(part: str) -> Compute:
    """So many in a thousand runs."""
    return lambda taken: per_thousand(taken.sums[part], taken.sums["runs"])


def time_at(name: str, share_: float, nothing: str) -> Compute:
    """A percentile of seconds."""
    return lambda taken: percentile(taken.lists.get(name, ()), share_, nothing)


RUN: Final = ("run.started", "node.completed", "run.ended")
"""Kinds that say how a run began and ended."""
FATE: Final = (*RUN, "run.reopened", "ticket.rated", "effect.reversed", "review.checked")
"""Kinds that say whether it stood."""
ANSWERS: Final = ("approval.requested", "approval.approved", "approval.rejected", "approval.asked")
"""Kinds that say what people decided."""
