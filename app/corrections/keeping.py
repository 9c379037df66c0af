"""Keeping candidate scenarios: made from a corrected run, once, with its event; read, and dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.corrections.groups import corrected
from app.corrections.models import CandidateScenario
from app.corrections.scenarios import Case, scenario_text
from app.identity.accounts import Act
from app.review.shelf import shelf_of
from graph.audit.log import append
from graph.dossier import Dossier
from graph.redaction.redact import RedactionError
from graph.rulebook import load_policy
from graph.runs.models import Run
from graph.snapshot import Snapshot
from graph.vault import Vault

LOOK_BACK: Final = timedelta(days=90)
"""How far back corrections are looked at."""


@dataclass(frozen=True, slots=True)
class NotMade:
    """Nothing was kept; why, and what to do."""

    why: str


async def keep(
    session: AsyncSession, vault: Vault, tenant_id: str, run_id: str, act: Act
) -> CandidateScenario | NotMade:
    """Make a run that people corrected a candidate, in the session's transaction. Made twice it is one."""
    known = await _of_run(session, tenant_id, run_id)
    if known is not None:
        return known
    run = await session.get(Run, (tenant_id, run_id))
    found = await corrected(session, tenant_id, since=act.now - LOOK_BACK, run_id=run_id)
    if run is None or not found:
        return NotMade(f"nobody corrected a run {run_id!r} within 90 days; `countersign corrections list` names them")
    shelf = await shelf_of(session, vault, run)
    snapshot, dossier = await shelf.newest("snapshot", Snapshot), await shelf.newest("dossier", Dossier)
    if snapshot is None or run.policy_hash is None:
        return NotMade("what the run read is gone: its customer was erased, or its days are over")
    candidate_id = act.new_id("cand")
    policy = await load_policy(session, tenant_id, run.policy_hash)
    try:
        text = scenario_text(Case(found[0], snapshot, dossier, policy), candidate_id)
    except RedactionError as error:
        return NotMade(f"the customer's words cannot be made safe ({error}); write the scenario by hand")
    made = CandidateScenario(
        tenant_id=tenant_id,
        candidate_id=candidate_id,
        run_id=run_id,
        ticket_id=run.ticket_id,
        subject_id=run.subject_id or f"ticket/{run.ticket_id}",
        cause=found[0].cause.value,
        reason_code=found[0].reason_code,
        intent=found[0].intent,
        text=text,
        made_at=act.now,
        made_by=act.actor,
    )
    session.add(made)
    await session.flush()
    body = {"candidate_id": candidate_id, "cause": made.cause, "reason_code": made.reason_code, "intent": made.intent}
    await append(
        session,
        tenant_id=tenant_id,
        at=act.now,
        kind="scenario.kept",
        actor=act.actor,
        new_id=act.new_id,
        run_id=run_id,
        ticket_id=run.ticket_id,
        body=body,
    )
    return made


async def candidates(session: AsyncSession, tenant_id: str) -> Sequence[CandidateScenario]:
    """Candidate scenarios, the newest first."""
    query = (
        select(CandidateScenario)
        .where(col(CandidateScenario.tenant_id) == tenant_id)
        .order_by(col(CandidateScenario.made_at).desc(), col(CandidateScenario.candidate_id))
    )
    return (await session.execute(query)).scalars().all()


async def drop(session: AsyncSession, tenant_id: str, candidate_id: str, act: Act) -> bool:
    """Delete a candidate, in the session's transaction; False where there is none."""
    query = delete(CandidateScenario).where(
        col(CandidateScenario.tenant_id) == tenant_id, col(CandidateScenario.candidate_id) == candidate_id
    )
    gone = (await session.execute(query.returning(col(CandidateScenario.candidate_id)))).scalar_one_or_none()
    if gone is None:
        return False
    await append(
        session,
        tenant_id=tenant_id,
        at=act.now,
        kind="scenario.dropped",
        actor=act.actor,
        new_id=act.new_id,
        body={"candidate_id": candidate_id},
    )
    return True


async def _of_run(session: AsyncSession, tenant_id: str, run_id: str) -> CandidateScenario | None:
    query = select(CandidateScenario).where(
        col(CandidateScenario.tenant_id) == tenant_id, col(CandidateScenario.run_id) == run_id
    )
    return (await session.execute(query)).scalar_one_or_none()
