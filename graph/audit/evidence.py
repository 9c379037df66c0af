"""The evidence bundle of a ticket: its events, the proof that each is in the log, and the checkpoint they lead to.

Whoever gets it checks it with `verify_bundle.py` and a verifier key, without this program and without the database.
Sealed values are in it only where they were asked for, each with the salt of its commitment.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.errors import LogBroken
from graph.audit.log import private_purpose, spelled
from graph.audit.note import opened
from graph.audit.proof import inclusion_proofs
from graph.audit.sequence import Signer
from graph.runs.artifacts import artifact_purpose
from graph.vault import SALT_BYTES, SubjectErased, Vault

FORMAT: Final = "countersign evidence 1"

_NEWEST: Final = text("SELECT note FROM audit_checkpoint WHERE tenant_id = :tenant ORDER BY size DESC LIMIT 1")
_EVENTS: Final = text(
    """
    WITH own AS (
      SELECT seq FROM audit_event
       WHERE tenant_id = :tenant AND (ticket_id = :ticket OR run_id IN (
         SELECT run_id FROM run WHERE tenant_id = :tenant AND ticket_id = :ticket))
    ), policies AS (
      SELECT DISTINCT body ->> 'policy_hash' AS policy_hash FROM audit_event JOIN own USING (seq)
       WHERE tenant_id = :tenant AND body ->> 'policy_hash' IS NOT NULL
    )
    SELECT tenant_id, seq, event_id, at, kind, actor, run_id, ticket_id, body, commitments FROM audit_event
     WHERE tenant_id = :tenant AND seq < :size AND (seq IN (SELECT seq FROM own) OR (
       kind = 'policy.published' AND body ->> 'policy_hash' IN (SELECT policy_hash FROM policies)))
     ORDER BY seq
    """
)
_PRIVATE: Final = text(
    """
    SELECT p.subject_id, p.field, p.sealed, e.event_id, e.commitments ->> p.field AS commitment
      FROM audit_private AS p JOIN audit_event AS e USING (tenant_id, seq)
     WHERE tenant_id = :tenant AND seq = ANY(:seqs) ORDER BY seq, field
    """
)
_ARTIFACTS: Final = text(
    """
    SELECT artifact_id, kind, subject_id, sealed, commitment FROM artifact
     WHERE tenant_id = :tenant AND run_id = ANY(:runs) ORDER BY created_at, artifact_id
    """
)


async def evidence(
    session: AsyncSession, tenant_id: str, ticket_id: str, signer: Signer, *, vault: Vault | None = None
) -> dict[str, Any] | None:
    """The bundle up to the newest checkpoint; None where no event of the ticket is in it.

    Args:
        session: a transaction of the tenant.
        tenant_id: whose log.
        ticket_id: the ticket's id at Zendesk.
        signer: the installation; its verifier keys go along.
        vault: opens what the ticket's runs stored, and puts it in; None leaves it sealed.

    Raises:
        LogBroken: there is no checkpoint, or events are missing.
        CheckpointError: the newest checkpoint is not ours.
    """
    note = (await session.execute(_NEWEST, {"tenant": tenant_id})).scalar_one_or_none()
    if note is None:
        raise LogBroken("nothing of the log is signed yet: run `countersign audit checkpoint`")
    keys = signer.keys(tenant_id)
    checkpoint, _ = opened(note, keys)
    values = {"tenant": tenant_id, "ticket": ticket_id, "size": checkpoint.size}
    rows = (await session.execute(_EVENTS, values)).all()
    if not any(row.ticket_id == ticket_id for row in rows):
        return None
    proofs = await inclusion_proofs(session, tenant_id, [row.seq for row in rows], checkpoint.size)
    events = [
        {
            "leaf": {**row._mapping, "at": spelled(row.at), "v": 1},  # noqa: SLF001 - SQLAlchemy's name for the row as a mapping
            "proof": [base64.b64encode(one).decode() for one in proofs[row.seq]],
        }
        for row in rows
    ]
    return {
        "format": FORMAT,
        "tenant_id": tenant_id,
        "ticket_id": ticket_id,
        "keys": [str(key) for key in keys],
        "checkpoint": note,
        "events": events,
        "opened": await _opened(session, tenant_id, rows, vault) if vault is not None else [],
    }


async def _opened(session: AsyncSession, tenant_id: str, rows: Sequence[Any], vault: Vault) -> list[dict[str, str]]:
    """What the events only commit to, as far as it was not erased."""
    found: list[dict[str, str]] = []

    async def put(name: str, commitment: str, subject_id: str, purpose: str, sealed: bytes) -> None:
        try:
            plain = await vault.open(
                session, tenant_id=tenant_id, subject_id=subject_id, purpose=purpose, sealed=sealed
            )
        except SubjectErased:
            return
        salt, value = plain[:SALT_BYTES], plain[SALT_BYTES:]
        encoded = base64.b64encode(salt).decode()
        found.append({"what": name, "commitment": commitment, "salt": encoded, "value": value.decode()})

    seqs, runs = [row.seq for row in rows], sorted({row.run_id for row in rows if row.run_id})
    for row in await session.execute(_PRIVATE, {"tenant": tenant_id, "seqs": seqs}):
        purpose = private_purpose(row.event_id, row.field)
        await put(row.field, row.commitment, row.subject_id, purpose, bytes(row.sealed))
    for row in await session.execute(_ARTIFACTS, {"tenant": tenant_id, "runs": runs}):
        await put(row.kind, row.commitment, row.subject_id, artifact_purpose(row.artifact_id), bytes(row.sealed))
    return found
