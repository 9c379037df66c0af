"""Functions of finitely many axes with finitely many pieces each, as shared decision diagrams.

A function is a number. Equal functions are the same number, so that "the same everywhere" is `==` and "nowhere" is
`== diagrams.never`. A set of pieces of one axis is a bit mask. Work is counted in steps, and past the bound the work
ends with `BoundHit`: nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from policies.analysis.operation import AND, EQUAL, OR, WITHOUT, Operation
from policies.errors import PolicyPackageError

Function = int
Masks = Mapping[int, int]
"""A box: the pieces that are meant, by level. A level that is not in it is free."""

DEFAULT_BOUND: Final = 4_000_000


class BoundHit(PolicyPackageError):
    """The question takes more steps than are allowed. Nothing is known about its answer."""


@dataclass(slots=True)
class _Memo:
    results: dict[tuple[int, int], int] = field(default_factory=dict)
    neutral: frozenset[int] = frozenset()
    absorbing: frozenset[int] = frozenset()
    absorbing_left: frozenset[int] = frozenset()
    neutral_right: frozenset[int] = frozenset()
    alike: int | None = None


class Diagrams:
    """All functions over axes of these sizes. Levels count from 0, the first axis on top."""

    def __init__(self, sizes: Sequence[int], *, bound: int = DEFAULT_BOUND) -> None:
        self.full: tuple[int, ...] = tuple((1 << size) - 1 for size in sizes)
        self.bottom: int = len(sizes)
        self.steps = 0
        self._bound = bound
        self._level: list[int] = []
        self._edges: list[tuple[tuple[int, int], ...]] = []
        self._value: list[Hashable] = []
        self._nodes: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
        self._constants: dict[Hashable, int] = {}
        self._memos: dict[Operation, _Memo] = {}
        self.never: Function = self.constant(value=False)
        self.always: Function = self.constant(value=True)

    # building

    def constant(self, value: Hashable) -> Function:
        """The function that has this value everywhere."""
        key = (type(value), value)
        found = self._constants.get(key)
        if found is None:
            found = self._constants[key] = self._append(self.bottom, (), value)
        return found

    def node(self, level: int, edges: Sequence[tuple[int, Function]]) -> Function:
        """The function that looks at one axis and goes on as the piece says. The masks cover the axis once."""
        children = {child for _, child in edges}
        if len(children) == 1:
            return edges[0][1]
        if len(children) < len(edges):
            merged: dict[int, int] = {}
            for mask, child in edges:
                merged[child] = merged.get(child, 0) | mask
            edges = [(mask, child) for child, mask in merged.items()]
        form = tuple(sorted(edges))
        found = self._nodes.get((level, form))
        if found is None:
            found = self._nodes[level, form] = self._append(level, form, None)
        return found

    def _append(self, level: int, edges: tuple[tuple[int, int], ...], value: Hashable) -> Function:
        self._level.append(level)
        self._edges.append(edges)
        self._value.append(value)
        return len(self._level) - 1

    def box(self, masks: Masks) -> Function:
        """True exactly where every named axis is in its mask."""
        found = self.always
        for level in sorted(masks, reverse=True):
            mask = masks[level]
            if mask == 0:
                return self.never
            rest = self.full[level] & ~mask
            if rest:
                found = self.node(level, ((mask, found), (rest, self.never)))
        return found

    # looking

    def value(self, function: Function) -> Hashable:
        """The value of a constant."""
        assert self._level[function] == self.bottom
        return self._value[function]

    def is_constant(self, function: Function) -> bool:
        """Whether the function has one value everywhere."""
        return self._level[function] == self.bottom

    def level(self, function: Function) -> int:
        """The first axis that the function looks at; `bottom` for a constant."""
        return self._level[function]

    def edges(self, function: Function) -> tuple[tuple[int, Function], ...]:
        """The masks of that axis with what follows."""
        return self._edges[function]

    def at(self, function: Function, point: Sequence[int]) -> Hashable:
        """The value in one cell, given as one piece for each axis."""
        level, edges = self._level, self._edges
        while level[function] != self.bottom:
            piece = point[level[function]]
            function = next(child for mask, child in edges[function] if mask >> piece & 1)
        return self._value[function]

    def reached(self, function: Function) -> Iterator[Function]:
        """Every part of the function once, constants included."""
        seen = {function}
        waiting = [function]
        while waiting:
            part = waiting.pop()
            yield part
            for _, child in self._edges[part]:
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)

    def values(self, function: Function) -> set[Hashable]:
        """Every value that the function has somewhere."""
        return {self._value[part] for part in self.reached(function) if self._level[part] == self.bottom}

    def values_in(self, function: Function, masks: Masks) -> set[Hashable]:
        """Every value that the function has somewhere in a box."""
        found: set[Hashable] = set()
        seen = {function}
        waiting = [function]
        while waiting:
            part = waiting.pop()
            mask_here = masks.get(self._level[part], -1)
            if self._level[part] == self.bottom:
                found.add(self._value[part])
            for mask, child in self._edges[part]:
                if mask & mask_here and child not in seen:
                    seen.add(child)
                    waiting.append(child)
        return found

    def boxes(self, function: Function) -> Iterator[dict[int, int]]:
        """Disjoint boxes that together are where a truth function is true."""
        if function == self.always:
            yield {}
        elif function != self.never:
            level = self._level[function]
            for mask, child in self._edges[function]:
                for box in self.boxes(child):
                    box[level] = mask
                    yield box

    # computing

    def combine(self, operation: Operation, one: Function, other: Function) -> Function:
        """The function whose value is, in every cell, what the operation makes of the two."""
        memo = self._memo(operation)
        results, neutral, absorbing = memo.results, memo.neutral, memo.absorbing
        left_stays, right_leaves = memo.absorbing | memo.absorbing_left, memo.neutral | memo.neutral_right
        level, edges, bottom, symmetric = self._level, self._edges, self.bottom, operation.is_symmetric
        alike = memo.alike

        def go(one: int, other: int) -> int:
            if one == other and alike is not None:
                return alike
            if one in left_stays or other in right_leaves:
                return one
            if other in absorbing or one in neutral:
                return other
            key = (other, one) if symmetric and other < one else (one, other)
            found = results.get(key)
            if found is not None:
                return found
            self._step()
            top, second = level[one], level[other]
            if top == bottom and second == bottom:
                found = self.constant(operation.function(self._value[one], self._value[other]))
            elif top < second:
                found = self.node(top, [(mask, go(child, other)) for mask, child in edges[one]])
            elif second < top:
                found = self.node(second, [(mask, go(one, child)) for mask, child in edges[other]])
            else:
                pairs = edges[other]
                found = self.node(
                    top,
                    [
                        (both, go(child, match))
                        for mask, child in edges[one]
                        for taken, match in pairs
                        if (both := mask & taken)
                    ],
                )
            results[key] = found
            return found

        return go(one, other)

    def both(self, *functions: Function) -> Function:
        """True where all are."""
        found = self.always
        for function in functions:
            found = self.combine(AND, found, function)
        return found

    def union(self, one: Function, other: Function) -> Function:
        """True where one of two is."""
        return self.combine(OR, one, other)

    def either(self, functions: Sequence[Function]) -> Function:
        """True where one of them is. Joined in pairs, so that large ones meet late."""
        waiting = list(functions) or [self.never]
        while len(waiting) > 1:
            pairs = [self.combine(OR, one, other) for one, other in zip(waiting[::2], waiting[1::2], strict=False)]
            waiting = pairs + waiting[len(pairs) * 2 :]
        return waiting[0]

    def without(self, one: Function, other: Function) -> Function:
        """True where the first is and the second is not."""
        return self.combine(WITHOUT, one, other)

    def meet(self, one: Function, other: Function) -> bool:
        """Whether two truth functions are true in the same cell somewhere."""
        return self.both(one, other) != self.never

    def lies_in(self, one: Function, other: Function) -> bool:
        """Whether the second is true wherever the first is."""
        return self.without(one, other) == self.never

    def choose(self, condition: Function, yes: Function, no: Function) -> Function:
        """`yes` where the condition is true, else `no`."""
        results: dict[tuple[int, int, int], int] = {}

        def go(condition: int, yes: int, no: int) -> int:
            if condition == self.always or yes == no:
                return yes
            if condition == self.never:
                return no
            key = (condition, yes, no)
            found = results.get(key)
            if found is None:
                self._step()
                top = min(self._level[part] for part in key)
                found = results[key] = self.node(top, [(mask, go(*parts)) for mask, parts in self._split(top, key)])
            return found

        return go(condition, yes, no)

    def _split(self, level: int, functions: tuple[int, int, int]) -> Iterator[tuple[int, tuple[int, int, int]]]:
        """The pieces of one axis by what follows in each of three functions."""
        first, second, third = (
            self._edges[function] if self._level[function] == level else ((self.full[level], function),)
            for function in functions
        )
        for one_mask, one in first:
            for two_mask, two in second:
                shared = one_mask & two_mask
                if shared:
                    for three_mask, three in third:
                        if shared & three_mask:
                            yield shared & three_mask, (one, two, three)

    def each(self, function: Function, change: Callable[[Hashable], Hashable]) -> Function:
        """The function with every value changed."""
        results: dict[int, int] = {}

        def go(part: int) -> int:
            found = results.get(part)
            if found is None:
                self._step()
                if self._level[part] == self.bottom:
                    found = self.constant(change(self._value[part]))
                else:
                    found = self.node(self._level[part], [(mask, go(child)) for mask, child in self._edges[part]])
                results[part] = found
            return found

        return go(function)

    def where(self, function: Function, test: Callable[[Hashable], bool]) -> Function:
        """True in the cells whose value passes the test."""
        return self.each(function, test)

    def equal(self, function: Function, value: Hashable) -> Function:
        """True in the cells that have this value."""
        return self.combine(EQUAL, function, self.constant(value))

    def complement(self, function: Function) -> Function:
        """True where a truth function is false."""
        return self.without(self.always, function)

    def restricted(self, function: Function, masks: Masks) -> Function:
        """The function on a box: each axis of the box is given, and no longer looked at. One piece for each axis."""
        results: dict[int, int] = {}

        def go(part: int) -> int:
            if self._level[part] == self.bottom:
                return part
            found = results.get(part)
            if found is None:
                self._step()
                level, edges = self._level[part], self._edges[part]
                if level in masks:
                    found = next(go(child) for mask, child in edges if mask & masks[level])
                else:
                    found = self.node(level, [(mask, go(child)) for mask, child in edges])
                results[part] = found
            return found

        return go(function)

    def simplified(self, function: Function, masks: Masks) -> Function:
        """A function that is the same inside of the box, and outside whatever makes it small."""
        results: dict[int, int] = {}

        def go(part: int) -> int:
            level = self._level[part]
            if level == self.bottom:
                return part
            found = results.get(part)
            if found is None:
                self._step()
                allowed, outside = masks.get(level, self.full[level]), self.full[level]
                edges = [(mask & allowed, go(child)) for mask, child in self._edges[part] if mask & allowed]
                outside &= ~allowed
                largest = max(range(len(edges)), key=lambda place: edges[place][0].bit_count())
                edges[largest] = (edges[largest][0] | outside, edges[largest][1])
                found = results[part] = self.node(level, edges)
            return found

        return go(function)

    def somewhere(self, function: Function, levels: frozenset[int]) -> Function:
        """True where a truth function is true for some choice of these axes: what is left of it without them."""
        results: dict[int, int] = {}

        def go(part: int) -> int:
            if self._level[part] == self.bottom:
                return part
            found = results.get(part)
            if found is None:
                self._step()
                level, parts = self._level[part], [(mask, go(child)) for mask, child in self._edges[part]]
                found = self.either([child for _, child in parts]) if level in levels else self.node(level, parts)
                results[part] = found
            return found

        return go(function)

    def way_to(self, function: Function, part: Function) -> Function:
        """True in the cells that lead through a part of the function."""
        ways: dict[int, int] = {part: self.always}

        def go(here: int) -> int:
            if here not in ways:
                self._step()
                edges = self._edges[here]
                ways[here] = (
                    self.node(self._level[here], [(mask, go(child)) for mask, child in edges]) if edges else self.never
                )
            return ways[here]

        return go(function)

    def _memo(self, operation: Operation) -> _Memo:
        memo = self._memos.get(operation)
        if memo is None:
            memo = self._memos[operation] = _Memo(
                neutral=frozenset(self.constant(value) for value in operation.neutral),
                absorbing=frozenset(self.constant(value) for value in operation.absorbing),
                absorbing_left=frozenset(self.constant(value) for value in operation.absorbing_left),
                neutral_right=frozenset(self.constant(value) for value in operation.neutral_right),
                alike=self.constant(operation.alike[0]) if operation.alike else None,
            )
        return memo

    def _step(self) -> None:
        self.steps += 1
        if self.steps > self._bound:
            raise BoundHit(
                f"the analysis takes more than {self._bound:,} steps: narrow the file, or split it by brand or segment"
            )
