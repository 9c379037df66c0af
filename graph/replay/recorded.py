"""What a run rested on, cycle by cycle, as its nodes recorded it.

The log says which artifacts a node stored, by their commitments; the artifacts hold what it saw. Nothing is read anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.decisions.models import RecordedDecision
from graph.dossier import Dossier
from graph.models.triage import Triage
from graph.planning import Plan
from graph.runs import artifacts
from graph.runs.models import Artifact, Run
from graph.snapshot import Snapshot
from graph.vault import Vault
from graph.verdicts import Verdicts

_STEPS: Final = text(
    """
    SELECT body ->> 'node' AS node, body -> 'outputs' AS outputs, body -> 'verdicts' AS verdicts, at,
           (body ->> 'cycle')::int AS cycle
      FROM audit_event
     WHERE tenant_id = :tenant_id AND run_id = :run_id AND kind = 'node.completed'
     ORDER BY seq
    """
)
_INPUTS: Final = ("snapshot", "triage", "dossier", "plan")


@dataclass(frozen=True, slots=True)
class Cycle:
    """One reading of the ticket that came to a decision.

    Args:
        said: the verdicts as the log has them.
        planned_at: business time at which the plan was stored.
        decided_at: business time at which it was decided.
    """

    number: int
    snapshot: Snapshot
    triage: Triage
    dossier: Dossier
    plan: Plan
    verdicts: Verdicts
    said: tuple[Mapping[str, Any], ...]
    planned_at: datetime
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run and its cycles. Without cycles it ended before anything was decided."""

    run: Run
    cycles: tuple[Cycle, ...]


async def recorded_run(session: AsyncSession, vault: Vault, run: Run) -> RecordedRun:
    """A run with everything that its decisions rested on.

    Raises:
        SubjectErased: its person was erased, so it cannot be decided again.
        ArtifactMissing: an artifact is gone.
    """
    return RecordedRun(run, tuple([cycle async for cycle in _cycles(session, vault, run)]))


async def _cycles(session: AsyncSession, vault: Vault, run: Run) -> AsyncIterator[Cycle]:
    values = {"tenant_id": run.tenant_id, "run_id": run.run_id}
    steps = (await session.execute(_STEPS, values)).mappings().all()
    ids = await _by_commitment(session, run)
    times = await _times(session, run)
    newest: dict[str, str] = {}
    planned_at = run.started_at
    for step in steps:
        newest |= {kind: ids[commitment] for kind, commitment in (step["outputs"] or {}).items() if commitment in ids}
        if step["node"] == "plan":
            planned_at = step["at"]
        if step["node"] != "decide" or "verdicts" not in newest:
            continue

        async def opened(kind: str, type_: type[Any], known: Mapping[str, str] = dict(newest)) -> Any:  # noqa: ANN401
            return await artifacts.load(session, vault, run.tenant_id, known[kind], type_)

        yield Cycle(
            number=step["cycle"],
            snapshot=await opened("snapshot", Snapshot),
            triage=await opened("triage", Triage),
            dossier=await opened("dossier", Dossier),
            plan=await opened("plan", Plan),
            verdicts=await opened("verdicts", Verdicts),
            said=tuple(step["verdicts"] or ()),
            planned_at=planned_at,
            decided_at=times.get(step["cycle"], step["at"]),
        )


async def _by_commitment(session: AsyncSession, run: Run) -> dict[str, str]:
    query = select(col(Artifact.commitment), col(Artifact.artifact_id)).where(
        col(Artifact.tenant_id) == run.tenant_id, col(Artifact.run_id) == run.run_id
    )
    return {row[0]: row[1] for row in (await session.execute(query)).all()}


async def _times(session: AsyncSession, run: Run) -> dict[int, datetime]:
    query = select(col(RecordedDecision.cycle), col(RecordedDecision.decided_at)).where(
        col(RecordedDecision.tenant_id) == run.tenant_id, col(RecordedDecision.run_id) == run.run_id
    )
    return {row[0]: row[1] for row in (await session.execute(query)).all()}
