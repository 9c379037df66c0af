"""Whether a run's part of the log is what was signed: leaf hashes again, each proof to the checkpoint, its signature.

The checks are those of the program that is given to auditors, run here on the same bundle.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.errors import AuditError
from graph.audit.evidence import evidence
from graph.audit.sequence import Signer
from graph.audit.verify_bundle import check_bundle


class Proven(StrEnum):
    """How far the run's events are proved."""

    YES = "proved"
    PARTLY = "partly"  # the newest events wait for the next checkpoint
    NOT_YET = "not_yet"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was checked, and what came of it. `size` is that of the signed log, `told` a sentence for a reader."""

    state: Proven
    told: str
    events: int = 0
    size: int = 0
    origin: str = ""
    checkpoint: str = ""
    problems: tuple[str, ...] = ()


async def proof_of(
    session: AsyncSession, tenant_id: str, ticket_id: str, run_id: str, events: int, signer: Signer | None
) -> Proof:
    """Check a run of so many events against the newest checkpoint, in a transaction of the tenant."""
    if signer is None:
        return Proof(Proven.NOT_YET, "the key that signs this log is not on this machine; ask whoever runs the worker")
    try:
        bundle = await evidence(session, tenant_id, ticket_id, signer)
        if bundle is None:
            return Proof(Proven.NOT_YET, "the events of this run wait for the next checkpoint")
        problems, _ = check_bundle(bundle, bundle["keys"], [])
    except AuditError as error:
        return Proof(Proven.NOT_YET, str(error))
    origin, size = bundle["checkpoint"].split("\n")[:2]
    proved = sum(1 for event in bundle["events"] if event["leaf"]["run_id"] == run_id)
    shown = {"events": proved, "size": int(size), "origin": origin, "checkpoint": bundle["checkpoint"]}
    if problems:
        told = "the log is not what was signed; run `countersign audit verify`"
        return Proof(Proven.BROKEN, told, problems=tuple(problems), **shown)
    if proved < events:
        told = f"{proved} of {events} events are in the signed log; the others wait for the next checkpoint"
        return Proof(Proven.PARTLY if proved else Proven.NOT_YET, told, **shown)
    return Proof(Proven.YES, f"all {events} events are in the signed log of {size}, each proved", **shown)
