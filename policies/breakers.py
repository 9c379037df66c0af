"""Breakers as values: what a policy watches, from where on it no longer trusts itself, and what then waits for people.

Nothing here counts; `graph.breakers` does. A breaker that has tripped makes what it covers draft-only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from policies.vocabulary import Intent, Tool


class Measure(StrEnum):
    """What a breaker watches over its window."""

    MONEY = "money"  # paid without a person, in minor units by currency
    OVERRIDES = "overrides"  # answers of people that were no plain yes, of all their answers
    INJECTIONS = "injections"  # messages that try to instruct the agent, of all messages
    TOOL_ERRORS = "tool_errors"  # calls of one tool that went wrong, of all its calls
    MODEL_ERRORS = "model_errors"  # calls of a model that went wrong, of all


@dataclass(frozen=True, slots=True)
class Scope:
    """What is covered: everything that fits each named part. None stands for any."""

    intent: Intent | None = None
    brand: str | None = None
    tier: str | None = None

    def covers(self, intent: str | None, brand: str | None, tier: str | None) -> bool:
        """Whether a case lies inside. A part that is not known may be the named one, so it does."""
        pairs = ((self.intent, intent), (self.brand, brand), (self.tier, tier))
        return all(named is None or seen is None or named == seen for named, seen in pairs)


@dataclass(frozen=True, slots=True)
class Breaker:
    """One breaker.

    Money: the reservation that would pass the amount is refused and trips it. Else it trips at `count` bad ones, where
    `share_percent` is stated only if they also are so large a part of all. `cool_down_s` None: a person resets it.
    """

    breaker_id: str
    measure: Measure
    window_s: int
    amounts: Mapping[str, int] | None = None
    count: int = 1
    share_percent: int | None = None
    tool: Tool | None = None
    scope: Scope = Scope()
    cool_down_s: int | None = None

    def trips_at(self, bad: int, total: int) -> bool:
        """Whether so many bad ones of all trip it. Money is held by the database instead."""
        if self.measure is Measure.MONEY or bad < self.count:
            return False
        return self.share_percent is None or bad * 100 >= self.share_percent * total
