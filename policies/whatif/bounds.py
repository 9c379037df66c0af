"""How sure a share is: the exact one-sided bound of Clopper and Pearson.

It is chosen over Wilson's because it keeps its promise near one, where thresholds are decided: whatever the true share,
the bound lies above it in at most 5 % of all samples. The price is that it asks for a few more cases.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p
from typing import Final

CONFIDENCE: Final = 0.95
_STEPS: Final = 52
_TINY: Final = 1e-300
_EXACT: Final = 1e-13


@lru_cache(maxsize=65_536)
def lower_bound(successes: int, trials: int) -> float:
    """The largest share that the sample rules out at 95 % for being too small: the true share is above it.

    >>> round(lower_bound(100, 100), 4)
    0.9705
    >>> lower_bound(0, 10)
    0.0
    """
    if successes <= 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        # The chance of at least so many successes, were this the true share.
        if _incomplete_beta(successes, trials - successes + 1, middle) < 1 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return low


@lru_cache(maxsize=65_536)
def upper_bound(successes: int, trials: int) -> float:
    """The smallest share that the sample rules out at 95 % for being too large."""
    return 1.0 - lower_bound(trials - successes, trials)


def fewest_trials(floor: float) -> int:
    """How many cases without a single failure it takes until the lower bound reaches the floor.

    >>> fewest_trials(0.97)
    99
    """
    return -int(-log(1 - CONFIDENCE) // log(floor)) if floor < 1 else 0


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function between zero and one, by its continued fraction (Lentz)."""
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value, step, factor = d, 0, 0.0
    while abs(factor - 1) >= _EXACT:
        step += 1
        for numerator in (
            step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step)),
            -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1)),
        ):
            d = 1 / _away_from_zero(1 + numerator * d)
            c = _away_from_zero(1 + numerator / c)
            factor = c * d
            value *= factor
    return value


def _away_from_zero(number: float) -> float:
    return number if abs(number) > _TINY else _TINY
