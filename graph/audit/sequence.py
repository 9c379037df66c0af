"""The sequencer: signs what the log has become, a moment after it was written, and never what it has not hashed itself.

It runs beside the work and holds nothing up: appending knows nothing of it. One process at a time does it for a tenant.
INVARIANT: a checkpoint is signed only if the one before it still agrees with the log, so nobody who can write to the
database gets a signature under a rewritten log without the checkpoints before it (tests/graph/audit/test_sequence.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.errors import CheckpointError, LogBroken
from graph.audit.note import Checkpoint, SigningKey, VerifierKey, opened
from graph.audit.scan import BLOCK, Part, scan
from graph.audit.tree import Frontier, root_of

SOON: Final = BLOCK
"""So many new events are signed at once, fewer after a second."""

MOST: Final = 256 * BLOCK
"""Events that one checkpoint adds at most, so that its transaction stays short; the next one follows at once."""

_DUE: Final = text(
    """
    SELECT head.size, coalesce(tree.size, 0) AS signed
      FROM audit_head AS head LEFT JOIN audit_tree AS tree ON tree.tenant_id = head.tenant_id
     WHERE head.tenant_id = :tenant AND head.size <> coalesce(tree.size, 0)
       AND (:at_once OR tree.looked_at IS NULL OR head.size - tree.size >= :soon
            OR tree.looked_at <= clock_timestamp() - interval '1 second')
    """
)
_BEGIN: Final = text(
    "INSERT INTO audit_tree (tenant_id, size, frontier) VALUES (:tenant, 0, '') ON CONFLICT DO NOTHING"
)
_TAKE: Final = text("SELECT size, frontier FROM audit_tree WHERE tenant_id = :tenant FOR UPDATE SKIP LOCKED")
_NOTE: Final = text("SELECT note FROM audit_checkpoint WHERE tenant_id = :tenant AND size = :size")
_ADVANCE: Final = text(
    """
    UPDATE audit_tree SET size = :size, frontier = :frontier, looked_at = clock_timestamp(), problem = NULL
     WHERE tenant_id = :tenant
    """
)
_STOP: Final = text("UPDATE audit_tree SET looked_at = clock_timestamp(), problem = :problem WHERE tenant_id = :tenant")
_KEEP_BLOCK: Final = text("INSERT INTO audit_block (tenant_id, number, root) VALUES (:tenant, :number, :root)")
_KEEP_NOTE: Final = text("INSERT INTO audit_checkpoint (tenant_id, size, note) VALUES (:tenant, :size, :note)")


@dataclass(frozen=True, slots=True)
class Signer:
    """The installation as it signs: its name, its key, and the keys that signed before.

    Args:
        name: of the installation, such as `countersign-4f1c09aa`; an origin is this and the tenant.
        key: signs new checkpoints.
        retired: earlier keys, whose checkpoints stay valid.
    """

    name: str
    key: SigningKey
    retired: tuple[SigningKey, ...] = ()

    def origin(self, tenant_id: str) -> str:
        """What the tenant's log is called in its checkpoints."""
        return f"{self.name}/{tenant_id}"

    def keys(self, tenant_id: str) -> tuple[VerifierKey, ...]:
        """What an auditor needs to check the tenant's checkpoints, the present key first."""
        return tuple(key.verifier(self.origin(tenant_id)) for key in (self.key, *self.retired))


@dataclass(frozen=True, slots=True)
class Sequenced:
    """What came of one look: a new checkpoint, a problem that stops them, or nothing to do."""

    checkpoint: Checkpoint | None = None
    problem: str | None = None


async def sequence(session: AsyncSession, tenant_id: str, signer: Signer, *, at_once: bool = False) -> Sequenced:
    """Sign what is new in the tenant's log, if it is time, in the session's transaction.

    Args:
        session: a transaction of the tenant.
        tenant_id: whose log.
        signer: the installation.
        at_once: do not wait for a second to pass or for many events.
    """
    due = await session.execute(_DUE, {"tenant": tenant_id, "soon": SOON, "at_once": at_once})
    head = due.one_or_none()
    if head is None:
        return Sequenced()
    await session.execute(_BEGIN, {"tenant": tenant_id})
    kept = (await session.execute(_TAKE, {"tenant": tenant_id})).one_or_none()
    if kept is None:
        return Sequenced()
    try:
        checkpoint = await _extend(session, tenant_id, signer, kept, head.size)
    except (LogBroken, CheckpointError) as error:
        await session.execute(_STOP, {"tenant": tenant_id, "problem": str(error)})
        return Sequenced(problem=str(error))
    return Sequenced(checkpoint)


async def _extend(session: AsyncSession, tenant_id: str, signer: Signer, kept: Any, head: int) -> Checkpoint | None:  # noqa: ANN401 - a row
    signed, size = kept.size, min(head, kept.size + MOST)
    if head < signed:
        raise LogBroken(
            f"the log has {head} events and {signed} are signed: it was cut; compare with what is published"
        )
    if head == signed:  # somebody else was faster
        return None
    frontier = _frontier(signed, bytes(kept.frontier))
    parts = await scan(session, tenant_id, frontier.size * BLOCK, size)
    _refuse_broken(parts)
    await _refuse_rewritten(session, tenant_id, signer, signed, frontier, parts)
    await _keep_blocks(session, tenant_id, frontier, parts)
    tail = parts[-1].hashes if len(parts[-1].hashes) < BLOCK else ()
    checkpoint = Checkpoint(signer.origin(tenant_id), size, frontier.root([root_of(tail)] if tail else ()))
    await session.execute(_ADVANCE, {"tenant": tenant_id, "size": size, "frontier": frontier.packed()})
    note = signer.key.sign(checkpoint)
    await session.execute(_KEEP_NOTE, {"tenant": tenant_id, "size": size, "note": note})
    return checkpoint


def _frontier(signed: int, packed: bytes) -> Frontier:
    try:
        return Frontier.unpacked(signed // BLOCK, packed)
    except ValueError as error:
        raise LogBroken(f"the frontier at {signed} was changed: {error}") from error


def _refuse_broken(parts: Sequence[Part]) -> None:
    for part in parts:
        for one in part.broken:
            raise LogBroken(f"event {one.seq} is {one.why}: run `countersign audit verify`")


async def _refuse_rewritten(
    session: AsyncSession, tenant_id: str, signer: Signer, signed: int, frontier: Frontier, parts: Sequence[Part]
) -> None:
    """The last checkpoint is ours, and the log up to it is still the one that was signed."""
    if signed == 0:
        return
    note = (await session.execute(_NOTE, {"tenant": tenant_id, "size": signed})).scalar_one_or_none()
    if note is None:
        raise LogBroken(f"the checkpoint at {signed} is gone: compare with what is published")
    last, _ = opened(note, signer.keys(tenant_id))
    begun = parts[0].hashes[: signed % BLOCK]
    if frontier.root([root_of(begun)] if begun else ()) != last.root:
        raise LogBroken(f"the log up to {signed} is not the one that was signed: compare with what is published")


async def _keep_blocks(session: AsyncSession, tenant_id: str, frontier: Frontier, parts: Sequence[Part]) -> None:
    """Add the blocks that are complete now to the frontier and to the table."""
    rows = []
    for part in parts:
        if len(part.hashes) == BLOCK:
            root = root_of(part.hashes)
            rows.append({"tenant": tenant_id, "number": frontier.size, "root": root})
            frontier.append(root)
    if rows:
        await session.execute(_KEEP_BLOCK, rows)
