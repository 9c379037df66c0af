"""Shares with their 95 % intervals, and the difference of two runs of the same scenarios, paired.

Wilson's interval for a share, Student's t over the scenarios for a mean difference, and the exact test of McNemar for
whether one run is right more often than the other. A scenario counts once, however many trials it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

from scipy.stats import binomtest, t

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with the interval in which the true share lies at 95 %."""

    hits: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself."""
        return self.hits / self.trials

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Shift:
    """The mean difference of B and A over pairs, with its 95 % interval."""

    mean: float
    low: float
    high: float


def share(hits: int, trials: int) -> Share:
    """A share with Wilson's interval. https://doi.org/10.1080/01621459.1927.10502953.

    >>> str(share(9, 10))
    '0.900 [0.596, 0.982]'
    """
    found = binomtest(hits, trials).proportion_ci(CONFIDENCE, method="wilson")
    return Share(hits, trials, float(found.low), float(found.high))


def shift(before: Sequence[float], after: Sequence[float]) -> Shift:
    """The mean of after minus before, pair by pair.

    >>> shift([1.0, 1.0], [1.0, 1.0])
    Shift(mean=0.0, low=0.0, high=0.0)
    """
    differences = [new - old for old, new in zip(before, after, strict=True)]
    mean = fmean(differences)
    if len(differences) < 2:  # noqa: PLR2004 - one pair says nothing about spread
        return Shift(mean, float("-inf"), float("inf"))
    reach = float(t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1)) * stdev(differences) / len(differences) ** 0.5
    return Shift(mean, mean - reach, mean + reach)


def mcnemar(lost: int, won: int) -> float:
    """The chance of a split at least as uneven where A and B are equally good. Two-sided, exact.

    >>> round(mcnemar(0, 5), 4)
    0.0625
    """
    return 1.0 if lost + won == 0 else float(binomtest(lost, lost + won).pvalue)


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest value that so large a part of the values does not exceed.

    >>> quantile([3.0, 1.0, 2.0], 0.5)
    2.0
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(part * len(ordered) + 0.5) - 1))]
