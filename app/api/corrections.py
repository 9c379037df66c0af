"""The correction loop for programs: groups of corrections, candidate scenarios, proposals, incidents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Final, Literal, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from app.api.access import Called
from app.api.routing import Id, bad, call, conflict, missing
from app.api.runs import READERS
from app.corrections import incidents, keeping, proposing
from app.corrections.groups import Cause, Group, grouped
from app.corrections.keeping import LOOK_BACK, NotMade
from app.corrections.models import CandidateScenario, CorrectionProposal, Incident, ProposalKind, ProposalState
from app.corrections.scenarios import suite_text
from app.identity.accounts import Act
from app.identity.roles import LEADS
from app.identity.service_tokens import Scope
from app.web.access import Guard, signed_in
from graph.redaction.redact import RedactionError
from graph.vault import Vault

YAML: Final = "text/plain"
"""A file of YAML is given as text: whoever reads the description would take `application/yaml` for an object."""

Made = TypeVar("Made")
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=8_000, pattern=r"^[^\x00]*$")]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Code = Annotated[str, StringConstraints(max_length=80, pattern=r"^[A-Za-z0-9_.:#-]*$")]


class RunOf(BaseModel):
    """A run and its ticket."""

    run_id: str
    ticket_id: str


class GroupForm(BaseModel):
    """Corrections that are alike. `runs` and `tickets` are of the newest of them, at most a hundred."""

    cause: Cause
    reason_code: str
    intent: str
    action: str
    rule: str
    section: str
    count: int
    runs: list[str]
    tickets: list[str]
    pairs: list[RunOf] = Field(description="the same runs, each with its ticket")
    newest: datetime


class CandidateForm(BaseModel):
    """A candidate scenario; its file is at `/corrections/scenarios/{candidate_id}`."""

    candidate_id: str
    run_id: str
    ticket_id: str
    cause: str
    reason_code: str
    intent: str
    made_at: datetime
    made_by: str


class ProposalForm(BaseModel):
    """A proposal with the tickets that it would affect."""

    proposal_id: str
    state: ProposalState
    kind: ProposalKind
    cause: str
    reason_code: str
    intent: str
    action: str
    rule: str
    text: str
    tickets: list[str]
    policy_hash: str | None
    made_at: datetime
    made_by: str
    ended_at: datetime | None
    ended_by: str | None


class IncidentForm(BaseModel):
    """An incident and its postmortem."""

    incident_id: str
    title: str
    run_id: str | None
    alert_id: str | None
    happened: str
    cause: str
    measures: str
    candidate_id: str | None
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    closed_by: str | None


class CorrectionsForm(BaseModel):
    """Everything of the loop: groups of 90 days, the largest first."""

    groups: list[GroupForm]
    candidates: list[CandidateForm]
    proposals: list[ProposalForm]
    incidents: list[IncidentForm]


class RunWanted(BaseModel):
    """The run that a candidate is made of."""

    run_id: Code


class ProposalWanted(BaseModel):
    """The group, and what shall be made of it."""

    kind: ProposalKind
    cause: Cause
    reason_code: Code = ""
    intent: Code
    action: Code = ""
    rule: Code = ""


class ProposalEnd(BaseModel):
    """Whether it was done or is not wanted."""

    state: Literal[ProposalState.DONE, ProposalState.DROPPED]


class IncidentWanted(BaseModel):
    """What went wrong; a run or an alert that it is about, where there is one."""

    title: Title
    run_id: Code | None = None
    alert_id: Code | None = None


class PostmortemForm(BaseModel):
    """What is empty stays as it was. Closing needs a cause, measures, and the scenario that guards it."""

    happened: Text = ""
    cause: Text = ""
    measures: Text = ""
    candidate_id: Code = ""
    closes: bool = False


class Dropped(BaseModel):
    """Whether there was something to drop."""

    candidate_id: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class Corrections:
    """The handlers, which the page uses, too."""

    guard: Guard
    vault: Vault
    new_id: Callable[[str], str]

    async def list_corrections(self, request: Request) -> CorrectionsForm:
        """What people corrected, grouped, and what was made of it."""
        tenant_id = signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            found = await grouped(session, tenant_id, since=self.guard.now() - LOOK_BACK)
            kept = await keeping.candidates(session, tenant_id)
            proposed = await proposing.proposals(session, tenant_id)
            happened = await incidents.incidents(session, tenant_id)
            return CorrectionsForm(
                groups=[group_form(one) for one in found],
                candidates=[candidate_form(one) for one in kept],
                proposals=[proposal_form(one) for one in proposed],
                incidents=[incident_form(one) for one in happened],
            )

    async def keep_scenario(self, wanted: RunWanted, request: Request) -> CandidateForm:
        """Make a corrected run a candidate scenario without the customer in it. Sent twice it is one."""
        act, tenant_id = self._act(request), signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            made = _or_conflict(await keeping.keep(session, self.vault, tenant_id, wanted.run_id, act))
            return candidate_form(made)

    async def get_scenario(self, candidate_id: Id, request: Request) -> Response:
        """One candidate as a scenario file for `countersign evals run`."""
        tenant_id = signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            found = await session.get(CandidateScenario, (tenant_id, candidate_id))
            if found is None:
                raise missing("candidate scenario", candidate_id)
            return _file(found.text, f"{candidate_id}.yaml")

    async def get_suite(self, request: Request) -> Response:
        """All candidates as one suite file for `countersign evals run`."""
        tenant_id = signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            return _file(
                suite_text([one.text for one in await keeping.candidates(session, tenant_id)]), "candidates.yaml"
            )

    async def drop_scenario(self, candidate_id: Id, request: Request) -> Dropped:
        """Delete a candidate."""
        act, tenant_id = self._act(request), signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            gone = await keeping.drop(session, tenant_id, candidate_id, act)
        return Dropped(candidate_id=candidate_id, repeated=not gone)

    async def propose_correction(self, wanted: ProposalWanted, request: Request) -> ProposalForm:
        """Propose a policy change or an article for a group; of a group one is open at a time."""
        act, tenant_id = self._act(request), signed_in(request).tenant_id
        group = proposing.Wanted(
            wanted.kind, wanted.cause.value, wanted.reason_code, wanted.intent, wanted.action, wanted.rule
        )
        sessions = partial(self.guard.sessions, tenant_id)
        return proposal_form(_or_conflict(await proposing.propose(sessions, tenant_id, group, act)))

    async def end_proposal(self, proposal_id: Id, wanted: ProposalEnd, request: Request) -> ProposalForm:
        """Say that a proposal was done, or is not wanted."""
        act, tenant_id = self._act(request), signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            if await session.get(CorrectionProposal, (tenant_id, proposal_id)) is None:
                raise missing("proposal", proposal_id)
            made = await proposing.end(session, tenant_id, proposal_id, ProposalState(wanted.state), act)
            return proposal_form(_or_conflict(made))

    async def open_incident(self, wanted: IncidentWanted, request: Request) -> IncidentForm:
        """Write down that something went wrong."""
        act, tenant_id = self._act(request), signed_in(request).tenant_id

        async def write() -> Incident | NotMade:
            async with self.guard.sessions(tenant_id) as session:
                return await incidents.open_incident(
                    session,
                    tenant_id,
                    wanted.title,
                    run_id=wanted.run_id or None,
                    alert_id=wanted.alert_id or None,
                    act=act,
                )

        return incident_form(await _redacted(write))

    async def write_incident(self, incident_id: Id, said: PostmortemForm, request: Request) -> IncidentForm:
        """Write the postmortem, and close the incident where its cause, measures and guard are known."""
        act, tenant_id = self._act(request), signed_in(request).tenant_id
        words = incidents.Postmortem(said.happened, said.cause, said.measures, said.candidate_id)

        async def write() -> Incident | NotMade:
            async with self.guard.sessions(tenant_id) as session:
                if await session.get(Incident, (tenant_id, incident_id)) is None:
                    raise missing("incident", incident_id)
                return await incidents.write(session, tenant_id, incident_id, words, act, closes=said.closes)

        return incident_form(await _redacted(write))

    def _act(self, request: Request) -> Act:
        return Act(signed_in(request).actor, self.guard.now(), self.new_id)


def routes(loop: Corrections) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), loop.guard
    reading, making = Called(guard, READERS, Scope.READ), Called(guard, LEADS, Scope.REVIEW)
    below = "/corrections"
    call(router, "GET", below, loop.list_corrections, reading, gives=CorrectionsForm)
    call(router, "GET", f"{below}/suite", loop.get_suite, reading, gives=YAML)
    call(router, "POST", f"{below}/scenarios", loop.keep_scenario, making, gives=CandidateForm)
    call(router, "GET", f"{below}/scenarios/{{candidate_id}}", loop.get_scenario, reading, gives=YAML)
    call(router, "DELETE", f"{below}/scenarios/{{candidate_id}}", loop.drop_scenario, making, gives=Dropped)
    call(router, "POST", f"{below}/proposals", loop.propose_correction, making, gives=ProposalForm)
    call(router, "PUT", f"{below}/proposals/{{proposal_id}}", loop.end_proposal, making, gives=ProposalForm)
    call(router, "POST", "/incidents", loop.open_incident, making, gives=IncidentForm)
    call(router, "PUT", "/incidents/{incident_id}", loop.write_incident, making, gives=IncidentForm)
    return router


def group_form(group: Group) -> GroupForm:
    """A group as values."""
    return GroupForm(
        cause=group.cause,
        reason_code=group.reason_code,
        intent=group.intent,
        action=group.action,
        rule=group.rule,
        section=group.section,
        count=group.count,
        runs=[run_id for run_id, _ in group.runs],
        tickets=list(group.tickets),
        pairs=[RunOf(run_id=run_id, ticket_id=ticket_id) for run_id, ticket_id in group.runs],
        newest=group.newest,
    )


def candidate_form(row: CandidateScenario) -> CandidateForm:
    """A candidate as it is kept."""
    return CandidateForm.model_validate({name: getattr(row, name) for name in CandidateForm.model_fields})


def proposal_form(row: CorrectionProposal) -> ProposalForm:
    """A proposal as it is kept."""
    return ProposalForm.model_validate({name: getattr(row, name) for name in ProposalForm.model_fields})


def incident_form(row: Incident) -> IncidentForm:
    """An incident as it is kept."""
    return IncidentForm.model_validate({name: getattr(row, name) for name in IncidentForm.model_fields})


def _or_conflict(made: Made | NotMade) -> Made:
    if isinstance(made, NotMade):
        raise conflict(made.why)
    return made


async def _redacted(write: Callable[[], Awaitable[Incident | NotMade]]) -> Incident:
    try:
        return _or_conflict(await write())
    except RedactionError as error:
        raise bad(f"These words hold personal data that cannot be taken out: {error}") from error


def _file(text: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=YAML, headers=headers)
