"""A row of the table: a figure, the bare program's figure beside it, their ratio, and whether the goal holds. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure over all rounds: the median of what the rounds gave, and the lowest and the highest of it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, rounds: Sequence[float]) -> Sample:
        """The rounds' figures as one."""
        return cls(statistics.median(rounds), min(rounds), max(rounds))

    def form(self) -> list[float]:
        """The spread as JSON values."""
        return [_rounded(self.low), _rounded(self.high)]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Args:
        name: what is measured.
        value: our figure.
        unit: of value, baseline and their spread.
        baseline: the bare program's figure; None where there is nothing to compare with.
        goal: what the ratio must reach, or, for `is_limit`, what the value must not pass.
        is_limit: the goal bounds the value itself.
        parts: further figures that explain the value, by name with the unit in it.
    """

    name: str
    value: Sample
    unit: str
    baseline: Sample | None
    goal: float
    is_limit: bool = False
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Ours over the bare program's."""
        if self.baseline is None or self.baseline.median == 0:
            return None
        return self.value.median / self.baseline.median

    @property
    def holds(self) -> bool:
        """Whether the goal is met."""
        if self.is_limit:
            return self.value.median < self.goal
        return self.ratio is not None and self.ratio >= self.goal

    def form(self) -> dict[str, object]:
        """The row as JSON values."""
        ratio = self.ratio
        return {
            "name": self.name,
            "value": _rounded(self.value.median),
            "unit": self.unit,
            "baseline": _rounded(self.baseline.median) if self.baseline is not None else None,
            "ratio": _rounded(ratio) if ratio is not None else None,
            "goal": self.goal,
            "goal_is": "value below" if self.is_limit else "ratio at least",
            "holds": self.holds,
            "spread": self.value.form(),
            "baseline_spread": self.baseline.form() if self.baseline is not None else None,
            "parts": {name: _rounded(figure) for name, figure in self.parts.items()},
        }


def percentile(figures: Sequence[float], share: float) -> float:
    """The nearest-rank percentile.

    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5)
    2.0
    """
    if not figures:
        raise ValueError("a percentile of nothing: measure first")
    return sorted(figures)[max(0, math.ceil(share * len(figures)) - 1)]


def _rounded(figure: float) -> float:
    return float(f"{figure:.4g}")
