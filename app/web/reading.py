"""What the pages show of runs, read from our own tables. A sealed part whose person was erased is shown as erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.models import AuditEvent
from graph.drafting import Draft
from graph.runs.artifacts import load
from graph.runs.models import Artifact, Run, RunState, WaitFor
from graph.settlement.models import Approval, ApprovalState, Effect
from graph.snapshot import Snapshot
from graph.vault import SubjectErased, Vault

NEWEST = 200


@dataclass(frozen=True, slots=True)
class RunPage:
    """One run as a person reads it."""

    run: Run
    events: Sequence[AuditEvent]
    effects: Sequence[Effect]
    snapshot: Snapshot | None
    draft: str | None
    approval: Approval | None

    @property
    def approval_id(self) -> str | None:
        """The question that waits for an answer."""
        waits = self.approval is not None and self.approval.state == ApprovalState.PENDING.value
        return self.approval.approval_id if waits and self.approval is not None else None

    @property
    def subject_id(self) -> str | None:
        """Whose personal data it holds."""
        return self.run.subject_id


async def read_runs(session: AsyncSession, tenant_id: str, *, outcome: str | None = None) -> Sequence[Run]:
    """The newest runs, those that wait for a person first."""
    waiting, others = newest_runs(tenant_id, outcome=outcome)
    first = (await session.execute(waiting)).scalars().all()
    return [*first, *(await session.execute(others)).scalars().all()][:NEWEST]


def newest_runs(tenant_id: str, *, outcome: str | None = None) -> tuple[Select[Run], Select[Run]]:
    """Those that wait for a person, and the others: two questions, since each has an index and both together none."""
    query = select(Run).where(col(Run.tenant_id) == tenant_id)
    if outcome is not None:
        query = query.where(col(Run.outcome) == outcome)
    newest = query.order_by(col(Run.started_at).desc()).limit(NEWEST)
    waits = (col(Run.state) == RunState.WAITING.value) & (func.coalesce(Run.wait_for, "") == WaitFor.REVIEW.value)
    return newest.where(waits), newest.where(~waits)


async def read_run(session: AsyncSession, vault: Vault, tenant_id: str, run_id: str) -> RunPage | None:
    """One run with its steps, effects, ticket and draft; None where there is none."""
    run = await session.get(Run, (tenant_id, run_id))
    if run is None:
        return None
    events = await session.execute(
        select(AuditEvent)
        .where(col(AuditEvent.tenant_id) == tenant_id, col(AuditEvent.run_id) == run_id)
        .order_by(col(AuditEvent.seq)),
    )
    effects = await session.execute(
        select(Effect)
        .where(col(Effect.tenant_id) == tenant_id, col(Effect.run_id) == run_id)
        .order_by(col(Effect.created_at)),
    )
    approvals = await session.execute(
        select(Approval)
        .where(col(Approval.tenant_id) == tenant_id, col(Approval.run_id) == run_id)
        .order_by(col(Approval.requested_at).desc())
        .limit(1),
    )
    snapshot = await _newest(session, vault, run, "snapshot", Snapshot)
    draft = await _newest(session, vault, run, "draft", Draft)
    return RunPage(
        run,
        events.scalars().all(),
        effects.scalars().all(),
        snapshot,
        draft.text if draft is not None else None,
        approvals.scalars().first(),
    )


async def _newest(session: AsyncSession, vault: Vault, run: Run, kind: str, type_: type[Any]) -> Any:  # noqa: ANN401
    query = (
        select(col(Artifact.artifact_id))
        .where(col(Artifact.tenant_id) == run.tenant_id, col(Artifact.run_id) == run.run_id, col(Artifact.kind) == kind)
        .order_by(col(Artifact.created_at).desc())
        .limit(1)
    )
    artifact_id = (await session.execute(query)).scalar_one_or_none()
    if artifact_id is None:
        return None
    try:
        return await load(session, vault, run.tenant_id, artifact_id, type_)
    except SubjectErased:
        return None
