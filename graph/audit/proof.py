"""Proofs from the stored tree: the hashes that lead from events to a checkpoint, or from one checkpoint to the next.

Reads the roots of complete blocks, and of at most a few blocks the leaf hashes. Whoever gets a proof checks it; nothing
here is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.errors import LogBroken
from graph.audit.scan import BLOCK
from graph.audit.tree import Frontier, Range, consistency_ranges, inclusion_ranges, root_of

_ROOTS: Final = text("SELECT root FROM audit_block WHERE tenant_id = :tenant AND number < :end ORDER BY number")
_LEAVES: Final = text(
    "SELECT leaf_hash FROM audit_event WHERE tenant_id = :tenant AND seq >= :first AND seq < :end ORDER BY seq"
)


async def consistency_proof(session: AsyncSession, tenant_id: str, old: int, new: int) -> list[bytes]:
    """That the log of `old` events begins the log of `new` events; empty where the old one had none.

    Raises:
        LogBroken: events or blocks are missing, so there is no proof.
    """
    ranges = consistency_ranges(old, new) if old else []
    (proof,) = await _proofs(session, tenant_id, new, [ranges])
    return proof


async def inclusion_proofs(
    session: AsyncSession, tenant_id: str, indexes: Iterable[int], size: int
) -> dict[int, list[bytes]]:
    """That each event is in the log of `size` events, a signed size.

    Raises:
        LogBroken: events or blocks are missing, so there is no proof.
    """
    wanted = list(indexes)
    proofs = await _proofs(session, tenant_id, size, [inclusion_ranges(index, size) for index in wanted])
    return dict(zip(wanted, proofs, strict=True))


async def _proofs(
    session: AsyncSession, tenant_id: str, size: int, wanted: Sequence[Sequence[Range]]
) -> list[list[bytes]]:
    edges = {edge // BLOCK for ranges in wanted for one in ranges for edge in one if edge % BLOCK}
    roots = [bytes(root) for root in await _all(session, _ROOTS, tenant=tenant_id, end=size // BLOCK)]
    leaves: dict[int, list[bytes]] = {}
    for block in sorted(edges):
        first, end = block * BLOCK, min((block + 1) * BLOCK, size)
        leaves[block] = [bytes(one) for one in await _all(session, _LEAVES, tenant=tenant_id, first=first, end=end)]
        if len(leaves[block]) != end - first:
            raise LogBroken(f"events between {first} and {end} are missing: run `countersign audit verify`")
    if len(roots) != size // BLOCK:
        raise LogBroken(f"of {size // BLOCK} blocks {len(roots)} are stored: run `countersign audit verify`")
    known: dict[Range, bytes] = {}

    def root(one: Range) -> bytes:
        if one not in known:
            known[one] = _root(one, roots, leaves)
        return known[one]

    return [[root(one) for one in ranges] for ranges in wanted]


def _root(one: Range, roots: Sequence[bytes], leaves: dict[int, list[bytes]]) -> bytes:
    """The root over a range as proofs have them: within a block, or from the beginning of one."""
    first, end = one
    block = first // BLOCK
    if end <= (block + 1) * BLOCK and (first % BLOCK or end % BLOCK):
        return root_of(leaves[block][first - block * BLOCK : end - block * BLOCK])
    frontier = Frontier()
    frontier.extend(roots[block : end // BLOCK])
    return frontier.root([root_of(leaves[end // BLOCK][: end % BLOCK])] if end % BLOCK else ())


async def _all(session: AsyncSession, query: object, **values: object) -> list[bytes]:
    return list((await session.execute(query, values)).scalars())  # type: ignore[call-overload]  # a text clause
