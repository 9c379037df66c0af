"""Checking a tenant's log: every leaf hash again, every number, the tree over them, and every signed checkpoint.

It finds altered, missing, swapped and added events and names them. Against checkpoints it also finds a log that was cut
or written anew: those in the database say so only where they were left as they were, those that were published
elsewhere always do.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.errors import CheckpointError
from graph.audit.note import Checkpoint, VerifierKey, opened, read
from graph.audit.scan import BLOCK, Broken, Part, scan
from graph.audit.tree import EMPTY_ROOT, Frontier, root_of

__all__ = ["Broken", "Mismatch", "Published", "Verification", "verify"]

_STRETCH: Final = 16 * BLOCK
"""Events read at a time by one session."""

_HEAD: Final = text(
    """
    SELECT coalesce((SELECT size FROM audit_head WHERE tenant_id = :tenant), 0) AS size,
           array(SELECT seq FROM audit_event WHERE tenant_id = :tenant AND (seq < 0 OR seq >= coalesce(
             (SELECT size FROM audit_head WHERE tenant_id = :tenant), 0)) ORDER BY seq) AS beyond
    """
)
_TREE: Final = text("SELECT size, frontier FROM audit_tree WHERE tenant_id = :tenant")
_ROOTS: Final = text("SELECT number, root FROM audit_block WHERE tenant_id = :tenant ORDER BY number")
_NOTES: Final = text("SELECT size, note FROM audit_checkpoint WHERE tenant_id = :tenant ORDER BY size")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A checkpoint, or a stored part of the tree, that the log does not agree with.

    Args:
        size: of the log that it speaks of.
        why: `forged` (no known key signed it), `forked` (the log was another one) or `cut` (the log was longer).
        where: `database`, `tree`, or the name of what it was published to.
        after: the size of the last checkpoint that agrees, where one does: what was rewritten lies at or behind it.
    """

    size: int
    why: str
    where: str
    after: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint as somebody outside of the database keeps it, and where."""

    note: str
    where: str


@dataclass(frozen=True, slots=True)
class Verification:
    """How many events and checkpoints were checked, what the log comes to, and what does not hold."""

    events: int
    broken: tuple[Broken, ...]
    size: int = 0
    root: bytes = EMPTY_ROOT
    checkpoints: int = 0
    mismatches: tuple[Mismatch, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.broken and not self.mismatches


@dataclass(slots=True)
class _Summary:
    """A part of the log, reduced to what the tree needs: its complete subtrees at each size that is asked for."""

    events: int
    broken: tuple[Broken, ...]
    tails: dict[int, list[bytes]]
    is_complete: bool


@dataclass(slots=True)
class _Claims:
    """What checkpoints say about the log, by the size they speak of."""

    roots: dict[int, list[tuple[bytes, str]]] = field(default_factory=dict)
    mismatches: list[Mismatch] = field(default_factory=list)
    count: int = 0

    def add(self, note: str, where: str, keys: Sequence[VerifierKey] | None, *, size: int | None = None) -> None:
        """Believe a note that a known key signed; without keys, whatever it says."""
        self.count += 1
        try:
            checkpoint: Checkpoint = read(note) if keys is None else opened(note, keys)[0]
        except CheckpointError:
            self.mismatches.append(Mismatch(size or _claimed_size(note), "forged", where))
            return
        if size is not None and checkpoint.size != size:
            self.mismatches.append(Mismatch(size, "forged", where))
            return
        self.roots.setdefault(checkpoint.size, []).append((checkpoint.root, where))


async def verify(
    session: AsyncSession,
    tenant_id: str,
    *,
    keys: Sequence[VerifierKey] | None = None,
    published: Iterable[Published] = (),
    others: Sequence[AsyncSession] = (),
) -> Verification:
    """Check the whole log of a tenant up to its present end; what is appended meanwhile waits for the next time.

    Args:
        session: a transaction of the tenant.
        tenant_id: whose log.
        keys: what checkpoints must be signed with; None takes them as they are.
        published: checkpoints that were kept elsewhere.
        others: more transactions of the tenant, to read with at the same time.
    """
    size, beyond = (await session.execute(_HEAD, {"tenant": tenant_id})).one()
    claims = _Claims()
    for row in await session.execute(_NOTES, {"tenant": tenant_id}):
        claims.add(row.note, "database", keys, size=row.size)
    for one in published:
        claims.add(one.note, one.where, keys)
    summaries = await _summaries([session, *others], tenant_id, size, sorted(claims.roots))
    tree = _Tree(size, claims)
    tree.climb(summaries)
    await tree.compare_stored(session, tenant_id)
    broken = [
        *(one for summary in summaries for one in summary.broken),
        *(Broken(seq, "beyond_head") for seq in beyond),
    ]
    return Verification(
        sum(summary.events for summary in summaries) + len(beyond),
        tuple(broken),
        size,
        tree.root,
        claims.count,
        (*claims.mismatches, *tree.mismatches),
    )


async def _summaries(
    sessions: Sequence[AsyncSession], tenant_id: str, size: int, cuts: Sequence[int]
) -> list[_Summary]:
    """Every part of the log, read by several sessions at a time: while one is hashed, the database spells another."""
    stretches = iter(range(0, size, _STRETCH))
    found: dict[int, list[_Summary]] = {}

    async def work(session: AsyncSession) -> None:
        for first in stretches:
            parts = await scan(session, tenant_id, first, min(first + _STRETCH, size))
            found[first] = [_summary(part, cuts) for part in parts]

    async with asyncio.TaskGroup() as group:
        for session in sessions:
            group.create_task(work(session))
    return [summary for first in sorted(found) for summary in found[first]]


def _summary(part: Part, cuts: Sequence[int]) -> _Summary:
    end = part.first + len(part.hashes)
    inner = cuts[bisect_right(cuts, part.first) : bisect_left(cuts, end)]
    is_complete = len(part.hashes) == BLOCK
    if is_complete and not inner:
        return _Summary(part.events, part.broken, {end: [root_of(part.hashes)]}, is_complete)
    tails: dict[int, list[bytes]] = {}
    frontier = Frontier()
    for cut in [*inner, end]:
        frontier.extend(part.hashes[frontier.size : cut - part.first])
        tails[cut] = list(frontier.peaks)
    return _Summary(part.events, part.broken, tails, is_complete)


class _Tree:
    """The tree over the whole log, climbed once, and what was claimed about it on the way."""

    def __init__(self, size: int, claims: _Claims) -> None:
        self.size = size
        self.root = EMPTY_ROOT
        self.blocks: list[bytes] = []
        self._claims = claims
        self._agreed = 0
        self._forked: dict[str, Mismatch] = {}
        self._others: list[Mismatch] = []

    @property
    def mismatches(self) -> list[Mismatch]:
        """What does not agree. Of checkpoints of one place only the first: all later ones build on it."""
        return [*self._forked.values(), *self._others]

    def climb(self, summaries: Sequence[_Summary]) -> None:
        """Go over the whole log once."""
        frontier = Frontier()
        self._compare(0)
        for summary in summaries:
            for cut, tail in summary.tails.items():
                self.root = frontier.root(tail)
                self._compare(cut)
            if summary.is_complete:
                (block,) = tail
                frontier.append(block)
                self.blocks.append(block)
        for cut in sorted(cut for cut in self._claims.roots if cut > self.size):
            self._others += [Mismatch(cut, "cut", where, self.size) for _, where in self._claims.roots[cut]]

    def _compare(self, size: int) -> None:
        claims = self._claims.roots.get(size, ())
        for claimed, where in claims:
            if claimed != self.root:
                self._forked.setdefault(where, Mismatch(size, "forked", where, self._agreed))
        if claims and not self._forked:
            self._agreed = size

    async def compare_stored(self, session: AsyncSession, tenant_id: str) -> None:
        """The blocks and the frontier that the sequencer keeps are those of the log."""
        for row in await session.execute(_ROOTS, {"tenant": tenant_id}):
            if not 0 <= row.number < len(self.blocks) or self.blocks[row.number] != bytes(row.root):
                found = Mismatch((row.number + 1) * BLOCK, "forked", "tree", row.number * BLOCK)
                self._forked.setdefault("tree", found)
        kept = (await session.execute(_TREE, {"tenant": tenant_id})).one_or_none()
        if kept is None:
            return
        frontier = Frontier()
        frontier.extend(self.blocks[: kept.size // BLOCK])
        if not 0 <= kept.size <= self.size or frontier.packed() != bytes(kept.frontier):
            self._others.append(Mismatch(kept.size, "forked", "tree"))


def _claimed_size(note: str) -> int:
    try:
        return read(note).size
    except CheckpointError:
        return 0
