"""The Merkle tree of RFC 6962 over leaf hashes: roots, inclusion and consistency proofs, and checking them. Pure.

A `Frontier` holds the roots of the complete subtrees of a log, largest first, so appending costs one hash on average,
and a root at most one for each bit of the size. Its unit may be a leaf or the root of a complete block of leaves.
https://www.rfc-editor.org/rfc/rfc6962#section-2.1 https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of a log without events, section 2.1."""

Range = tuple[int, int]
"""First leaf and the one after the last."""


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf's content."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """The complete subtrees of a log of `size` units, largest first: one for each bit of the size that is set."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, unit: bytes) -> None:
        """Add one unit at the end."""
        peaks, size = self.peaks, self.size
        while size & 1:
            unit = node_hash(peaks.pop(), unit)
            size >>= 1
        peaks.append(unit)
        self.size += 1

    def extend(self, units: Iterable[bytes]) -> None:
        """Add units in their order."""
        for unit in units:
            self.append(unit)

    def root(self, tail: Sequence[bytes] = ()) -> bytes:
        """The root of the whole, with `tail` as the smaller complete subtrees to the right of this frontier."""
        peaks = [*self.peaks, *tail]
        if not peaks:
            return EMPTY_ROOT
        root = peaks.pop()
        while peaks:
            root = node_hash(peaks.pop(), root)
        return root

    def copy(self) -> Frontier:
        """One that can be extended without changing this one."""
        return Frontier(self.size, list(self.peaks))

    def packed(self) -> bytes:
        """The peaks one after the other."""
        return b"".join(self.peaks)

    @classmethod
    def unpacked(cls, size: int, packed: bytes) -> Frontier:
        """What `packed` wrote.

        Raises:
            ValueError: so many bytes are no frontier of that size.
        """
        peaks = [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]
        if len(peaks) != size.bit_count() or len(packed) % HASH_BYTES:
            raise ValueError(f"{len(packed)} bytes are no frontier of {size} units: compute it again from the log")
        return cls(size, peaks)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    if len(leaves) & (len(leaves) - 1):
        frontier = Frontier()
        frontier.extend(leaves)
        return frontier.root()
    level = list(leaves)
    if not level:
        return EMPTY_ROOT
    sha256 = hashlib.sha256
    while len(level) > 1:
        pairs = iter(level)
        level = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return level[0]


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose roots prove that leaf `index` is in the log of `size` leaves, from the leaf to the root.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a log of {size} leaves: give a smaller number or a later checkpoint")
    ranges: list[Range] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((first, middle))
            first = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The ranges whose roots prove that the log of `old` leaves begins the log of `new` leaves: section 2.1.2.

    Raises:
        ValueError: a log that has nothing, or that shrinks, proves nothing.
    """
    if not 0 < old <= new:
        raise ValueError(f"a log of {new} leaves does not continue one of {old}: give the smaller size first")
    ranges: list[Range] = []
    first, end, is_whole = 0, new, True
    while old != end:
        middle = first + _split(end - first)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((first, middle))
            first, is_whole = middle, False
    if not is_whole:
        ranges.append((first, end))
    return ranges[::-1]


def includes(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from the leaf hash at `index` to the root."""
    if not 0 <= index < size:
        return False
    sides = [first < index for first, _ in inclusion_ranges(index, size)]
    if len(sides) != len(proof):
        return False
    for sibling, is_left in zip(proof, sides, strict=True):
        leaf = node_hash(sibling, leaf) if is_left else node_hash(leaf, sibling)
    return leaf == root


def continues(*, old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the log of `old` leaves begins the log of `new` leaves."""
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if not 0 < old <= new:
        return False
    ranges = consistency_ranges(old, new)
    if len(ranges) != len(proof):
        return False
    parts = list(zip(ranges, proof, strict=True))
    # A complete old log is itself the first subtree; otherwise the first range is its last complete subtree.
    before = after = old_root if not parts or parts[0][0][1] != old else parts.pop(0)[1]
    for (first, _), part in parts:
        if first < old:
            before, after = node_hash(part, before), node_hash(part, after)
        else:
            after = node_hash(after, part)
    return before == old_root and after == new_root


def prove(ranges: Iterable[Range], root_of_range: Callable[[int, int], bytes]) -> list[bytes]:
    """The hashes of a proof."""
    return [root_of_range(first, end) for first, end in ranges]


def _split(length: int) -> int:
    """The largest power of two below a length of at least two."""
    return 1 << (length - 1).bit_length() - 1
