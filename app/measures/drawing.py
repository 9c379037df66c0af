"""Where the marks of the pictures stand: bars, parts of a bar, a line of points. Pure; the template draws them.

Every picture has its numbers beside it as a table, so nothing is told by a mark or a colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.measures.figures import Figure, Measured

WIDTH: Final = 300
SPARK: Final = (120, 28)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar: where it begins and how wide it is, of `WIDTH`."""

    name: str
    count: int
    x: float
    width: float
    percent: float


def stacked(counts: Mapping[str, int]) -> list[Part]:
    """One bar cut into parts, in their order."""
    total = sum(counts.values())
    parts, x = [], 0.0
    for name, count in counts.items():
        width = WIDTH * count / total if total else 0.0
        parts.append(Part(name, count, round(x, 2), round(width, 2), 100 * count / total if total else 0.0))
        x += width
    return parts


def bars(counts: Sequence[tuple[str, int]], most: int | None = None) -> list[Part]:
    """A bar for each, all by one scale: the longest, or `most`, is the whole width."""
    scale = most if most is not None else max((count for _, count in counts), default=0)
    total = sum(count for _, count in counts)
    return [
        Part(
            name,
            count,
            0.0,
            round(WIDTH * count / scale, 2) if scale else 0.0,
            100 * count / total if total else 0.0,
        )
        for name, count in counts
    ]


def spark(figures: Sequence[Figure]) -> list[str]:
    """The points of a trend as pieces of a line; where there is no figure, the line is broken."""
    width, height = SPARK
    values = [figure.value if isinstance(figure, Measured) else None for figure in figures]
    known = [value for value in values if value is not None]
    if not known:
        return []
    low, high = min(known), max(known)
    step = width / max(1, len(values) - 1)
    pieces: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            pieces.append([])
            continue
        share = (value - low) / (high - low) if high > low else 0.5
        pieces[-1].append(f"{place * step:.1f},{height - 3 - share * (height - 6):.1f}")
    return [" ".join(piece if len(piece) > 1 else [piece[0], piece[0]]) for piece in pieces if piece]
