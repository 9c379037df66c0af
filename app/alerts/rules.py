"""The rules: what is measured, over which window, and from where on it is an alert. Settings change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """What a rule's figure counts. Figures are whole numbers."""

    SHARE = "share"  # ten-thousandths
    PER_RUN = "per_run"  # hundredths of one, for each run
    MS = "ms"
    TOKENS = "tokens"
    MONEY = "money"  # millionths of a US dollar
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Rule:
    """One figure that is watched.

    Args:
        name: its id.
        means: what is measured, in words.
        unit: of the figure and of the bound.
        at_least: the bound; None is a rule that is off until the settings name one.
        window: over which it is measured.
        least: so many runs, answers or calls must be in the window.
        factor_percent: the figure must also be so much of what it was before, in percent; None compares with nothing.
        before: how long before the window it is compared with.
    """

    name: str
    means: str
    unit: Unit
    at_least: int | None
    window: timedelta
    least: int = 1
    factor_percent: int | None = None
    before: timedelta | None = None


_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)

RULES: Final[Mapping[str, Rule]] = {
    rule.name: rule
    for rule in (
        Rule("retries", "steps tried again, for each run", Unit.PER_RUN, 50, timedelta(minutes=30), 20, 300, _WEEK),
        Rule("escalations", "ended runs that were handed to people", Unit.SHARE, 3_000, _HOUR, 20, 200, _WEEK),
        Rule("fan_out", "tool calls for each run", Unit.PER_RUN, 1_500, _HOUR, 20, 200, _WEEK),
        Rule("latency", "work on a run, 95th percentile", Unit.MS, 60_000, timedelta(minutes=30), 20, 200, _WEEK),
        Rule("overrides", "answers of people that were no plain yes", Unit.SHARE, 2_500, 6 * _HOUR, 10, 200, _WEEK),
        Rule("tokens", "tokens of a run, 95th percentile, week over week", Unit.TOKENS, 500, _WEEK, 50, 130, _WEEK),
        Rule("spend", "cost of models against the day's budget", Unit.MONEY, None, _DAY),
        Rule("connector_errors", "calls of a connector that went wrong", Unit.SHARE, 1_000, timedelta(minutes=15), 20),
        Rule("model_errors", "calls of a model that went wrong", Unit.SHARE, 2_000, timedelta(minutes=15), 20),
        Rule("injections", "messages that tried to instruct the agent", Unit.COUNT, 10, _HOUR),
        Rule("signatures", "webhooks refused for a wrong signature", Unit.COUNT, 10, _HOUR),
        Rule("safety", "refunds nobody intended, and effects nobody can resolve", Unit.COUNT, 1, _HOUR),
        Rule("breakers", "breakers that have tripped", Unit.COUNT, 1, timedelta(0)),
        Rule("draft_only", "connectors that fell back to draft-only", Unit.COUNT, 1, timedelta(0)),
        Rule("canary", "a canary that was taken back by itself", Unit.COUNT, 1, _DAY),
        Rule("demotions", "cells of the matrix that moved down by themselves", Unit.COUNT, 1, _DAY),
    )
}
"""What is watched unless the settings say otherwise."""

CALM: Final = timedelta(minutes=5)
"""An alert is resolved once its figure has been within its bound for so long."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What a rule measured. `before` is None where there is nothing to compare with; `more` is told in the event."""

    subject: str
    value: int
    counted: int
    before: int | None = None
    more: Mapping[str, object] | None = None


def bound_of(rule: Rule, figure: Figure) -> int | None:
    """From where on this figure is an alert; None where it cannot be one."""
    if rule.at_least is None or figure.counted < rule.least:
        return None
    if rule.factor_percent is None or figure.before is None:
        return rule.at_least
    return max(rule.at_least, figure.before * rule.factor_percent // 100)


def spelled(value: int, unit: Unit) -> str:
    """A figure for people.

    >>> spelled(3_050, Unit.SHARE), spelled(150, Unit.PER_RUN), spelled(2_500_000, Unit.MONEY)
    ('30.5 %', '1.50', '2.50 USD')
    """
    match unit:
        case Unit.SHARE:
            return f"{value // 100}.{value % 100 // 10} %"
        case Unit.PER_RUN:
            return f"{value // 100}.{value % 100:02}"
        case Unit.MS:
            return f"{value // 1000}.{value % 1000 // 100} s"
        case Unit.MONEY:
            return f"{value // 1_000_000}.{value % 1_000_000 // 10_000:02} USD"
        case Unit.TOKENS | Unit.COUNT:
            return str(value)


def sentence(rule: Rule, figure: Figure, bound: int) -> str:
    """The alert in words, without a name of anybody."""
    about = f" ({figure.subject})" if figure.subject else ""
    was = f", before {spelled(figure.before, rule.unit)}" if figure.before is not None else ""
    within = f" within {_span(rule.window)}" if rule.window else ""
    seen, allowed = spelled(figure.value, rule.unit), spelled(bound, rule.unit)
    return f"{rule.means}{about}: {seen}{within}{was}; the bound is {allowed}"


def _span(window: timedelta) -> str:
    seconds = int(window.total_seconds())
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{seconds} s"
