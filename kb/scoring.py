"""How good retrieval is on questions whose right sections are known: by meaning alone, by words alone, and fused. Pure.

The rank of the first right section is looked for among the candidates, as a search takes them, without its bar.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

_Z: Final = 1.959964
"""The normal quantile of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over the questions with its 95 % interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        """The values' mean, by the normal approximation."""
        mean = sum(values) / len(values)
        spread = sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
        half = _Z * math.sqrt(spread / len(values))
        return cls(round(mean, 4), round(mean - half, 4), round(mean + half, 4))


@dataclass(slots=True)
class Score:
    """Ranks from 1 of the first right section, one for each question; 0 where none was among the candidates."""

    ranks: list[int] = field(default_factory=list)

    def add(self, found: Sequence[str], gold: Collection[str]) -> None:
        """Count one question."""
        self.ranks.append(next((rank for rank, section_id in enumerate(found, start=1) if section_id in gold), 0))

    def hit_at(self, most: int) -> Estimate:
        """Share of questions with a right section among the first so many."""
        return Estimate.of([float(0 < rank <= most) for rank in self.ranks])

    @property
    def mean_reciprocal_rank(self) -> Estimate:
        """Mean of one over the rank."""
        return Estimate.of([1 / rank if rank else 0.0 for rank in self.ranks])
