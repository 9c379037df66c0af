"""The plain pages: what runs there are, one run step by step, and a pending question to approve or reject.

Ticket text is only ever text. Who answers a question is the account that is signed in, with the roles it has now; the
customer of the ticket may not, should they have an account.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from app.identity.accounts import name_of
from app.identity.roles import ANSWERERS, PEOPLE
from app.identity.sessions import Visitor
from app.review.acts import Acted, Desk, Missing, NotAllowed, Said, TooLate, Unfit
from app.review.words import REASON_CODES
from app.web.access import Guard, Refused, add, signed_in
from app.web.confirming import Confirming
from app.web.reading import read_run, read_runs
from app.web.rendering import Renderer, static
from graph.runs.models import Run
from graph.settlement.models import Approval
from graph.settlement.questions import Answer
from graph.tenancy import Sessions
from graph.vault import Vault

CHOICES: Final = frozenset({Answer.APPROVE.value, Answer.REJECT.value})
KEPT: Final = {"Cache-Control": "max-age=300"}


class AnswerForm(BaseModel):
    """What the form of a question sends."""

    decision: str
    reason_code: str = ""
    reply: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages work with."""

    guard: Guard
    renderer: Renderer
    sessions: Sessions
    vault: Vault
    desk: Desk
    confirming: Confirming

    async def style(self) -> Response:
        """The one style."""
        return Response(static("style.css"), media_type="text/css", headers=KEPT)

    async def icon(self) -> Response:
        """The mark in the browser's tab."""
        return Response(static("icon.svg"), media_type="image/svg+xml", headers=KEPT)

    async def desk_style(self) -> Response:
        """The style of the queue and the trace."""
        return Response(static("desk.css"), media_type="text/css", headers=KEPT)

    async def desk_script(self) -> Response:
        """The keys of the queue and the trace."""
        return Response(static("desk.js"), media_type="text/javascript", headers=KEPT)

    async def looking(self) -> Response:
        """What shows the checks' words while a reply is written."""
        return Response(static("looking.js"), media_type="text/javascript", headers=KEPT)

    async def runs(self, request: Request, tenant_id: str, outcome: str | None = None) -> Response:
        """The newest runs."""
        async with self.sessions(tenant_id) as session:
            listed = await read_runs(session, tenant_id, outcome=outcome)
        return self.renderer.page(request, "runs.html", tenant_id=tenant_id, runs=listed, outcome=outcome)

    async def run(self, tenant_id: str, run_id: str, request: Request) -> Response:
        """One run."""
        async with self.sessions(tenant_id) as session:
            found = await read_run(session, self.vault, tenant_id, run_id)
            if found is None:
                raise _missing("run", run_id)
            actor = found.approval.decided_by if found.approval is not None else None
            decided_by = await name_of(session, tenant_id, actor)
        visitor = signed_in(request)
        return self.renderer.page(
            request,
            "run.html",
            tenant_id=tenant_id,
            found=found,
            decided_by=decided_by,
            may_answer=bool(visitor.roles & ANSWERERS),
            must_confirm=self.confirming.is_needed(visitor, found.run.actions),
            reason_codes=REASON_CODES,
        )

    async def answer(
        self,
        tenant_id: str,
        approval_id: str,
        request: Request,
        form: Annotated[AnswerForm, Form()],
    ) -> Response:
        """Approve or reject."""
        if form.decision not in CHOICES or form.reason_code not in {"", *REASON_CODES}:
            text = f"{form.decision[:40]!r} is not an answer. Choose approve or reject."
            raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", text)
        visitor = signed_in(request)
        if form.decision == Answer.APPROVE.value:
            async with self.sessions(tenant_id) as session:
                run = await session.get(Run, (tenant_id, await self._run_of(tenant_id, approval_id)))
            if run is not None and self.confirming.is_needed(visitor, run.actions):
                await self.confirming.demand(request, visitor, form.password)
        return await self._decide(approval_id, form, visitor)

    async def _decide(self, approval_id: str, form: AnswerForm, visitor: Visitor) -> Response:
        said = Said(Answer(form.decision), form.reply or None, form.reason_code or None)
        match await self.desk.answer(visitor, approval_id, said):
            case Acted():
                run_id = await self._run_of(visitor.tenant_id, approval_id)
                back = f"/t/{quote(visitor.tenant_id)}/runs/{quote(run_id)}"
                return RedirectResponse(back, HTTPStatus.SEE_OTHER)
            case Missing(what=what, name=name):
                raise _missing(what, name)
            case NotAllowed(why=text) | TooLate(why=text) | Unfit(why=text):
                raise Refused(HTTPStatus.CONFLICT, "Nothing was changed", text)

    async def _run_of(self, tenant_id: str, approval_id: str) -> str:
        """The run that a question is about.

        Raises:
            Refused: there is no such question.
        """
        async with self.sessions(tenant_id) as session:
            approval = await session.get(Approval, (tenant_id, approval_id))
        if approval is None:
            raise _missing("question", approval_id)
        return approval.run_id


def routes(pages: Pages) -> APIRouter:
    """The pages' routes."""
    guard, router = pages.guard, APIRouter()
    readers = guard.allow(PEOPLE)
    add(router, "GET", "/style.css", pages.style, guard.open("the style of the sign-in page"))
    add(router, "GET", "/icon.svg", pages.icon, guard.open("the icon of the sign-in page"))
    add(router, "GET", "/desk.css", pages.desk_style, guard.open("the style of the queue and the trace"))
    add(router, "GET", "/desk.js", pages.desk_script, guard.open("the keys of the queue and the trace"))
    add(router, "GET", "/looking.js", pages.looking, guard.open("what shows checks of a reply while it is written"))
    add(router, "GET", "/t/{tenant_id}/runs", pages.runs, readers)
    add(router, "GET", "/t/{tenant_id}/runs/{run_id}", pages.run, readers)
    add(router, "POST", "/t/{tenant_id}/approvals/{approval_id}", pages.answer, guard.allow(ANSWERERS))
    return router


def _missing(what: str, name: str) -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "Not found", f"There is no {what} {name[:80]!r} here.")
