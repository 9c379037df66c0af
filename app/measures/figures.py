"""What a measure comes to: a figure with what it rests on, or the reason why there is none. Never a zero for unknown.

Pure: sums, lists of times and prices in, figures out. A share is exact as its two whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

MICROS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure: `part` of `over` for a share; for a median `over` is how many values there are, without a part."""

    value: float
    over: int
    part: int | None = None


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """There is no figure, and why."""

    why: str


Figure = Measured | NotMeasured


@dataclass(frozen=True, slots=True)
class Prices:
    """What an hour costs, and minutes that nobody measures, as the settings state them; None where they do not.

    Args:
        machine_hour_usd_cents: of the machine that the workers run on.
        human_hour_usd_cents: of somebody who reviews and answers.
        review_minutes: for an answer of somebody who had not taken the question first.
        hand_off_minutes: for a ticket that was handed to a person, after that.
    """

    machine_hour_usd_cents: int | None = None
    human_hour_usd_cents: int | None = None
    review_minutes: int | None = None
    hand_off_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken from the rows of some runs. `lists` hold seconds, sorted, one for each run that has any."""

    sums: Mapping[str, int]
    lists: Mapping[str, Sequence[int]] = field(default_factory=dict)
    prices: Prices = Prices()


def share(part: int, over: int, nothing: str) -> Figure:
    """A share between 0 and 1; `nothing` says what there is none of."""
    return Measured(part / over, over, part) if over else NotMeasured(f"there is no {nothing}")


def per_thousand(part: int, over: int) -> Figure:
    """How many in a thousand runs."""
    return Measured(1000 * part / over, over, part) if over else NotMeasured("there is no run")


def percentile(values: Sequence[int], share_: float, nothing: str) -> Figure:
    """The nearest-rank percentile of sorted values.

    >>> percentile([1, 2, 3, 4], 0.5, "run")
    Measured(value=2, over=4, part=None)
    """
    if not values:
        return NotMeasured(f"there is no {nothing}")
    return Measured(values[max(0, math.ceil(share_ * len(values)) - 1)], len(values))


def machine_usd(ms: int, prices: Prices) -> Fraction | NotMeasured:
    """What so many milliseconds of the machine cost, in millionths of a dollar."""
    if prices.machine_hour_usd_cents is None:
        return NotMeasured("no price of a machine hour is stated: `measures.machine_hour_usd_cents`")
    return Fraction(ms * prices.machine_hour_usd_cents * MICROS, 100 * 3_600_000)


def human_s(sums: Mapping[str, int], prices: Prices) -> int | NotMeasured:
    """Seconds of people: measured where they took the question first, as stated elsewhere."""
    if sums["unclaimed"] and prices.review_minutes is None:
        return NotMeasured(
            "some answered without taking the question first, and no minutes are stated: `measures.review_minutes`"
        )
    if sums["handed_off"] and prices.hand_off_minutes is None:
        return NotMeasured(
            "no minutes of a handed-off ticket are stated (`measures.hand_off_minutes`), and no baseline is imported"
        )
    reviews, hand_offs = prices.review_minutes or 0, prices.hand_off_minutes or 0
    return sums["claimed_s"] + 60 * (sums["unclaimed"] * reviews + sums["handed_off"] * hand_offs)


def human_usd(sums: Mapping[str, int], prices: Prices) -> Fraction | NotMeasured:
    """What people's time cost, in millionths of a dollar."""
    seconds = human_s(sums, prices)
    if isinstance(seconds, NotMeasured):
        return seconds
    if prices.human_hour_usd_cents is None:
        return NotMeasured("no price of a person's hour is stated: `measures.human_hour_usd_cents`")
    return Fraction(seconds * prices.human_hour_usd_cents * MICROS, 100 * 3600)


PARTS: Final = ("model", "retrieval", "tools", "orchestration", "retries", "people")
"""What a resolution costs, split."""


def costs(taken: Taken) -> dict[str, Fraction | NotMeasured]:
    """Each part of the cost of all runs together, in millionths of a dollar."""
    sums, prices = taken.sums, taken.prices

    def with_paid(paid: int, ms: int) -> Fraction | NotMeasured:
        # A model outside is paid by its tokens; without a price of the machine that alone is known, where it is all.
        machine = machine_usd(ms, prices)
        if isinstance(machine, NotMeasured):
            return Fraction(paid) if not ms else machine
        return paid + machine

    return {
        "model": with_paid(sums["model_usd_micros"], sums["model_ms"]),
        "retrieval": machine_usd(sums["retrieval_ms"], prices),
        "tools": machine_usd(sums["tool_ms"], prices),
        "orchestration": machine_usd(sums["orchestration_ms"], prices),
        "retries": with_paid(sums["retry_usd_micros"], sums["retry_ms"]),
        "people": human_usd(sums, prices),
    }


def cost_each(micros: Fraction | NotMeasured, over: int, nothing: str) -> Figure:
    """Dollars for each of `over`."""
    if isinstance(micros, NotMeasured):
        return micros
    return Measured(float(micros / over / MICROS), over) if over else NotMeasured(f"there is no {nothing}")


def whole_cost(taken: Taken) -> Fraction | NotMeasured:
    """All parts together; where one is not measured, neither is the whole."""
    total = Fraction(0)
    for name, part in costs(taken).items():
        if isinstance(part, NotMeasured):
            return NotMeasured(f"{name}: {part.why}")
        total += part
    return total
