"""Diagrams against plain tables of every cell."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.analysis.diagram import BoundHit, Diagrams
from policies.analysis.operation import AND, OR, WITHOUT, Operation

SIZES = (2, 3, 4)
CELLS = list(product(*(range(size) for size in SIZES)))

tables = st.lists(st.booleans(), min_size=len(CELLS), max_size=len(CELLS))


def diagram(diagrams: Diagrams, table: list[bool]) -> int:
    """A function out of the boxes of its cells."""
    boxes = [
        diagrams.box(dict(enumerate(1 << piece for piece in cell)))
        for cell, is_in in zip(CELLS, table, strict=True)
        if is_in
    ]
    return diagrams.either(boxes)


def table_of(diagrams: Diagrams, function: int) -> list[Hashable]:
    return [diagrams.at(function, cell) for cell in CELLS]


@settings(max_examples=60, deadline=None)
@given(tables, tables)
def test_operations_do_in_every_cell_what_they_do_to_two_values(one: list[bool], other: list[bool]) -> None:
    diagrams = Diagrams(SIZES)
    first, second = diagram(diagrams, one), diagram(diagrams, other)
    tried: list[tuple[Operation, Callable[[bool, bool], bool]]] = [
        (AND, lambda a, b: a and b),
        (OR, lambda a, b: a or b),
        (WITHOUT, lambda a, b: a and not b),
    ]
    for operation, plain in tried:
        expected = [plain(a, b) for a, b in zip(one, other, strict=True)]
        assert table_of(diagrams, diagrams.combine(operation, first, second)) == expected


@settings(max_examples=60, deadline=None)
@given(tables, tables, tables)
def test_a_choice_takes_the_one_or_the_other(condition: list[bool], yes: list[bool], no: list[bool]) -> None:
    diagrams = Diagrams(SIZES)
    chosen = diagrams.choose(*(diagram(diagrams, table) for table in (condition, yes, no)))
    assert table_of(diagrams, chosen) == [a if c else b for c, a, b in zip(condition, yes, no, strict=True)]


@settings(max_examples=60, deadline=None)
@given(tables)
def test_boxes_are_disjoint_and_hold_every_cell_that_is_true(table: list[bool]) -> None:
    diagrams = Diagrams(SIZES)
    function = diagram(diagrams, table)
    boxes = list(diagrams.boxes(function))
    held = [sum(all(mask >> cell[level] & 1 for level, mask in box.items()) for box in boxes) for cell in CELLS]
    assert held == [int(is_in) for is_in in table]


@settings(max_examples=60, deadline=None)
@given(tables)
def test_an_axis_that_is_left_out_leaves_where_some_of_its_pieces_were_true(table: list[bool]) -> None:
    diagrams = Diagrams(SIZES)
    left = diagrams.somewhere(diagram(diagrams, table), frozenset({1}))
    true = {cell for cell, is_in in zip(CELLS, table, strict=True) if is_in}
    expected = [any((cell[0], piece, cell[2]) in true for piece in range(SIZES[1])) for cell in CELLS]
    assert table_of(diagrams, left) == expected


def test_equal_functions_are_the_same_number() -> None:
    diagrams = Diagrams(SIZES)
    low, high = diagrams.box({1: 0b011}), diagrams.box({1: 0b100})
    assert diagrams.either([low, high]) == diagrams.always
    assert diagrams.both(low, high) == diagrams.never
    assert diagrams.complement(low) == high


def test_a_function_on_a_box_no_longer_looks_at_its_axes() -> None:
    diagrams = Diagrams(SIZES)
    function = diagrams.either([diagrams.box({0: 0b01, 2: 0b0011}), diagrams.box({0: 0b10, 2: 0b1000})])
    assert diagrams.restricted(function, {0: 0b01}) == diagrams.box({2: 0b0011})


def test_more_work_than_allowed_is_refused_and_not_guessed() -> None:
    diagrams = Diagrams([2] * 30, bound=50)
    with pytest.raises(BoundHit, match="more than 50 steps: narrow the file"):
        diagrams.either([diagrams.box({level: 1, 29 - level: 1}) for level in range(15)])
