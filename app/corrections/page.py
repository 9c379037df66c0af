"""The page of corrections: bug reports in groups, one click to a scenario or a proposal, incidents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Form
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from app.api.corrections import (
    Corrections,
    IncidentWanted,
    PostmortemForm,
    ProposalEnd,
    ProposalWanted,
    RunWanted,
)
from app.api.routing import Id
from app.corrections.models import ProposalState
from app.identity.roles import LEADS, PEOPLE
from app.review.words import ACTIONS, REASON_CODES, intent
from app.web.access import add, signed_in
from app.web.forms import back_to, read
from app.web.rendering import Renderer
from policies.vocabulary import ActionKind

GROUPS_SHOWN: Final = 25
RUNS_SHOWN: Final = 8


class ScenarioForm(BaseModel):
    """The run of a candidate."""

    run_id: str = ""


class GroupAsked(BaseModel):
    """What the form of a group sends."""

    kind: str = ""
    cause: str = ""
    reason_code: str = ""
    intent: str = ""
    action: str = ""
    rule: str = ""


class EndAsked(BaseModel):
    """Whether a proposal was done."""

    state: str = ""


class IncidentAsked(BaseModel):
    """What the forms of an incident send."""

    title: str = ""
    run_id: str = ""
    alert_id: str = ""
    happened: str = ""
    cause: str = ""
    measures: str = ""
    candidate_id: str = ""
    closes: str = ""


@dataclass(frozen=True, slots=True)
class CorrectionsPage:
    """The handlers."""

    corrections: Corrections
    renderer: Renderer

    async def show(self, tenant_id: str, request: Request) -> Response:
        """Everything of the loop."""
        found = await self.corrections.list_corrections(request)
        shown = found.groups if request.query_params.get("all") else found.groups[:GROUPS_SHOWN]
        return self.renderer.page(
            request,
            "corrections.html",
            tenant_id=tenant_id,
            groups=shown,
            smaller=len(found.groups) - len(shown),
            shown=RUNS_SHOWN,
            kept={one.run_id: one for one in found.candidates},
            candidates=found.candidates,
            opened=[one for one in found.proposals if one.state is ProposalState.OPEN],
            ended=[one for one in found.proposals if one.state is not ProposalState.OPEN],
            incidents=found.incidents,
            may_make=bool(signed_in(request).roles & LEADS),
            told=request.query_params.get("said", "")[:300],
            reasons=REASON_CODES,
            intent=intent,
            action=lambda name: ACTIONS[ActionKind(name)].lower() if name in list(ActionKind) else name,
        )

    async def scenario(self, tenant_id: str, request: Request, form: Annotated[ScenarioForm, Form()]) -> Response:
        """Keep a run as a candidate."""
        made = await self.corrections.keep_scenario(read(RunWanted, run_id=form.run_id), request)
        return back_to(
            tenant_id, "corrections", f"Ticket {made.ticket_id} is candidate {made.candidate_id}, without its customer."
        )

    async def file(self, tenant_id: str, candidate_id: Id, request: Request) -> Response:  # noqa: ARG002
        """One candidate as a file."""
        return await self.corrections.get_scenario(candidate_id, request)

    async def suite(self, tenant_id: str, request: Request) -> Response:  # noqa: ARG002
        """All candidates as a file."""
        return await self.corrections.get_suite(request)

    async def drop(self, tenant_id: str, candidate_id: Id, request: Request) -> Response:
        """Delete a candidate."""
        await self.corrections.drop_scenario(candidate_id, request)
        return back_to(tenant_id, "corrections", "Deleted.")

    async def propose(self, tenant_id: str, request: Request, form: Annotated[GroupAsked, Form()]) -> Response:
        """Propose a change for a group."""
        made = await self.corrections.propose_correction(read(ProposalWanted, **form.model_dump()), request)
        return back_to(tenant_id, "corrections", f"Proposal {made.proposal_id}; tickets: {len(made.tickets)}.")

    async def end(
        self, tenant_id: str, proposal_id: Id, request: Request, form: Annotated[EndAsked, Form()]
    ) -> Response:
        """A proposal was done, or is not wanted."""
        await self.corrections.end_proposal(proposal_id, read(ProposalEnd, state=form.state), request)
        return back_to(tenant_id, "corrections", "Noted.")

    async def incident(self, tenant_id: str, request: Request, form: Annotated[IncidentAsked, Form()]) -> Response:
        """Something went wrong."""
        about = {"run_id": form.run_id or None, "alert_id": form.alert_id or None}
        made = await self.corrections.open_incident(read(IncidentWanted, title=form.title, **about), request)
        return back_to(tenant_id, "corrections", f"Incident {made.incident_id} is open.")

    async def postmortem(
        self, tenant_id: str, incident_id: Id, request: Request, form: Annotated[IncidentAsked, Form()]
    ) -> Response:
        """What was learned."""
        said = form.model_dump(exclude={"title", "run_id", "alert_id", "closes"})
        wanted = read(PostmortemForm, **said, closes=bool(form.closes))
        made = await self.corrections.write_incident(incident_id, wanted, request)
        return back_to(
            tenant_id, "corrections", f"Incident {incident_id} is {'closed' if made.closed_at else 'written down'}."
        )


def routes(page: CorrectionsPage) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), page.corrections.guard
    below, making = "/t/{tenant_id}/corrections", guard.allow(LEADS)
    reading = guard.allow(PEOPLE)
    add(router, "GET", below, page.show, reading)
    add(router, "GET", f"{below}/suite", page.suite, reading)
    add(router, "GET", f"{below}/scenarios/{{candidate_id}}", page.file, reading)
    add(router, "POST", f"{below}/scenarios", page.scenario, making)
    add(router, "POST", f"{below}/scenarios/{{candidate_id}}/drop", page.drop, making)
    add(router, "POST", f"{below}/proposals", page.propose, making)
    add(router, "POST", f"{below}/proposals/{{proposal_id}}", page.end, making)
    add(router, "POST", f"{below}/incidents", page.incident, making)
    add(router, "POST", f"{below}/incidents/{{incident_id}}", page.postmortem, making)
    return router
