"""Sets of cells as few boxes of the facts that matter to a reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policies.analysis.diagram import Function
from policies.analysis.space import AMOUNT, CURRENCY, Space

MOST_BOXES: Final = 2_000
"""Boxes that are joined with each other; what is beyond them stands for itself."""


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes that differ in amount and currency only, by facts' names without what is free, and the cells in them."""

    masks: tuple[Mapping[str, int], ...]
    cells: Function


def boxes_of(space: Space, cells: Function, shown: frozenset[str]) -> Iterator[Boxes]:
    """Boxes of the shown facts that cover the cells."""
    diagrams = space.diagrams
    hidden = frozenset(level for level, axis in enumerate(space.axes) if axis.name not in shown)
    money = (space.level[CURRENCY], space.level[AMOUNT])
    alike: dict[tuple[tuple[int, int], ...], list[dict[int, int]]] = {}
    for box in _joined(space, [dict(box) for box in diagrams.boxes(diagrams.somewhere(cells, hidden))]):
        alike.setdefault(tuple(each for each in box.items() if each[0] not in money), []).append(box)
    for boxes in alike.values():
        masks = tuple(
            {space.axes[level].name: mask for level, mask in box.items() if mask != diagrams.full[level]}
            for box in boxes
        )
        yield Boxes(masks, diagrams.both(cells, diagrams.either([diagrams.box(box) for box in boxes])))


def _joined(space: Space, boxes: list[dict[int, int]]) -> list[dict[int, int]]:
    """The same cells as fewer boxes: two that differ on one axis only are one."""
    levels = sorted({level for box in boxes for level in box}, reverse=True)
    full = space.diagrams.full
    rows = [tuple(box.get(level, full[level]) for level in levels) for box in boxes]
    count = len(rows) + 1
    while len(rows) < count and len(rows) <= MOST_BOXES:
        count = len(rows)
        for place in range(len(levels)):
            merged: dict[tuple[int, ...], int] = {}
            for row in rows:
                key = (*row[:place], 0, *row[place + 1 :])
                merged[key] = merged.get(key, 0) | row[place]
            rows = [(*key[:place], mask, *key[place + 1 :]) for key, mask in merged.items()]
    return [dict(zip(levels, row, strict=True)) for row in sorted(rows)]
