"""Incidents: something went wrong, what was learned, and the scenario that guards it. People's words are redacted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.alerts.models import Alert
from app.corrections.keeping import NotMade
from app.corrections.models import CandidateScenario, Incident
from app.identity.accounts import Act
from graph.audit.log import append
from graph.redaction.redact import redact
from graph.runs.models import Run


@dataclass(frozen=True, slots=True)
class Postmortem:
    """What is said of an incident. What is empty stays as it was; `candidate_id` is the scenario that guards it."""

    happened: str = ""
    cause: str = ""
    measures: str = ""
    candidate_id: str = ""


async def open_incident(
    session: AsyncSession, tenant_id: str, title: str, *, run_id: str | None, alert_id: str | None, act: Act
) -> Incident | NotMade:
    """Write an incident down, in the session's transaction.

    Raises:
        RedactionError: the title cannot be made safe.
    """
    if run_id is not None and await session.get(Run, (tenant_id, run_id)) is None:
        return NotMade(f"there is no run {run_id!r}")
    if alert_id is not None and await session.get(Alert, (tenant_id, alert_id)) is None:
        return NotMade(f"there is no alert {alert_id!r}")
    incident = Incident(
        tenant_id=tenant_id,
        incident_id=act.new_id("inc"),
        title=redact(title).text,
        run_id=run_id,
        alert_id=alert_id,
        opened_at=act.now,
        opened_by=act.actor,
    )
    session.add(incident)
    await session.flush()
    await _tell(session, incident, "incident.opened", act)
    return incident


async def write(
    session: AsyncSession, tenant_id: str, incident_id: str, said: Postmortem, act: Act, *, closes: bool
) -> Incident | NotMade:
    """Write the postmortem, in the session's transaction; closing needs a cause, measures and a guarding scenario.

    Raises:
        RedactionError: the words cannot be made safe.
    """
    incident = await session.get(Incident, (tenant_id, incident_id), with_for_update=True)
    if incident is None or incident.closed_at is not None:
        return NotMade(f"incident {incident_id!r} is not open; nothing was changed")
    if said.candidate_id and await session.get(CandidateScenario, (tenant_id, said.candidate_id)) is None:
        return NotMade(f"there is no candidate scenario {said.candidate_id!r}; keep one first")
    for one in fields(said):
        words = getattr(said, one.name)
        if words:
            setattr(incident, one.name, words if one.name == "candidate_id" else redact(words).text)
    if closes:
        missing = [name for name in ("cause", "measures", "candidate_id") if not getattr(incident, name)]
        if missing:
            return NotMade(f"an incident is closed with its cause, its measures and what guards it; lacks {missing[0]}")
        incident.closed_at, incident.closed_by = act.now, act.actor
    await session.flush()
    await _tell(session, incident, "incident.closed" if closes else "incident.written", act)
    return incident


async def incidents(session: AsyncSession, tenant_id: str) -> Sequence[Incident]:
    """Incidents, the open ones first, the newest first among them."""
    query = (
        select(Incident)
        .where(col(Incident.tenant_id) == tenant_id)
        .order_by(col(Incident.closed_at).desc().nulls_first(), col(Incident.opened_at).desc())
        .limit(200)
    )
    return (await session.execute(query)).scalars().all()


async def _tell(session: AsyncSession, incident: Incident, kind: str, act: Act) -> None:
    body = {"incident_id": incident.incident_id, "alert_id": incident.alert_id, "candidate_id": incident.candidate_id}
    await append(
        session,
        tenant_id=incident.tenant_id,
        at=act.now,
        kind=kind,
        actor=act.actor,
        new_id=act.new_id,
        run_id=incident.run_id,
        body={name: value for name, value in body.items() if value is not None},
    )
