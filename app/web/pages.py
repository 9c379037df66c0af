"""The plain pages: what runs there are, one run step by step, and a pending question to approve or reject.

Ticket text is only ever text. Who answers a question is the account that is signed in, with the roles it has now; the
customer of the ticket may not, should they have an account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app.identity.accounts import accounts_of_requester, name_of
from app.identity.pace import TooMany
from app.identity.roles import ANSWERERS, PEOPLE
from app.identity.sessions import Visitor
from app.identity.sign_in import SignIn, Wrong
from app.web.access import Guard, Refused, add, signed_in
from app.web.entry import address_of
from app.web.reading import RunPage, read_run, read_runs
from app.web.rendering import Renderer, static
from graph.lifecycle.authors import authors_of_loosening
from graph.queue import enqueue_tickets
from graph.runtime import Sessions
from graph.settlement.approvals import decide
from graph.settlement.models import Approval
from graph.settlement.questions import Answer, AwaitsAnother, Decided, Forbidden, NotPending, Reply, Reviewer
from graph.vault import Vault

REASON_CODES: Final = (
    "wrong_understanding",
    "wrong_amount",
    "wrong_policy",
    "wrong_tone",
    "customer_relation",
    "other",
)
CONFIRMED_FOR: Final = timedelta(minutes=15)
"""How long the proof of who somebody is counts for what asks for it."""
KEPT: Final = {"Cache-Control": "max-age=300"}
REQUESTER: Final = "zendesk/user/"
"""How the subject of a run begins where it is a Zendesk user."""


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
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    sign_in: SignIn
    confirm_above: Mapping[str, Mapping[str, int]]

    async def style(self) -> Response:
        """The one style."""
        return Response(static("style.css"), media_type="text/css", headers=KEPT)

    async def icon(self) -> Response:
        """The mark in the browser's tab."""
        return Response(static("icon.svg"), media_type="image/svg+xml", headers=KEPT)

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
            must_confirm=self._must_confirm(tenant_id, found, visitor),
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
        if form.decision not in {choice.value for choice in Answer} or form.reason_code not in {"", *REASON_CODES}:
            text = f"{form.decision[:40]!r} is not an answer. Choose approve or reject."
            raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", text)
        visitor = signed_in(request)
        if form.decision == Answer.APPROVE.value:
            await self._confirmed(request, tenant_id, approval_id, form, visitor)
        return await self._decide(tenant_id, approval_id, form, visitor)

    def _must_confirm(self, tenant_id: str, found: RunPage, visitor: Visitor) -> bool:
        """Whether saying yes needs the person's password again: there is much money, and they came in a while ago."""
        above = self.confirm_above.get(tenant_id, {})
        amounts = [(str(action.get("currency")), action.get("amount_minor")) for action in found.run.actions]
        is_much = bool(above) and any(isinstance(one, int) and one > above.get(unit, 0) for unit, one in amounts)
        return is_much and not visitor.confirmed_within(CONFIRMED_FOR, self.now())

    async def _confirmed(
        self, request: Request, tenant_id: str, approval_id: str, form: AnswerForm, visitor: Visitor
    ) -> None:
        """Demand the password where it is needed.

        Raises:
            Refused: there is no such question, or the password is not theirs.
        """
        async with self.sessions(tenant_id) as session:
            approval = await session.get(Approval, (tenant_id, approval_id))
            found = await read_run(session, self.vault, tenant_id, approval.run_id) if approval is not None else None
        if found is None:
            raise _missing("question", approval_id)
        if not self._must_confirm(tenant_id, found, visitor):
            return
        match await self.sign_in.confirm(visitor, form.password, address=address_of(request)):
            case TooMany():
                text = "Too many tries. Wait a quarter of an hour; nothing was changed."
                raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "Not yet", text)
            case Wrong():
                text = (
                    "This needs your password again, and that was not it; nothing was changed. Go back and type it. "
                    "Whoever comes in by single sign-on signs out and in again instead."
                )
                raise Refused(HTTPStatus.FORBIDDEN, "Not confirmed", text)
            case Visitor():
                return

    async def _decide(self, tenant_id: str, approval_id: str, form: AnswerForm, visitor: Visitor) -> Response:
        choice = Answer(form.decision)
        async with self.sessions(tenant_id) as session:
            approval = await session.get(Approval, (tenant_id, approval_id))
            if approval is None:
                raise _missing("question", approval_id)
            found = await read_run(session, self.vault, tenant_id, approval.run_id)
            assert found is not None
            edited = form.reply.replace("\r\n", "\n").strip()
            is_edited = bool(edited) and found.draft is not None and edited != found.draft.strip()
            made = await decide(
                session,
                approval_id,
                choice,
                Reviewer(visitor.actor, frozenset(role.value for role in visitor.roles)),
                tenant_id=tenant_id,
                now=self.now(),
                new_id=self.new_id,
                vault=self.vault,
                reason_code=form.reason_code or None,
                reply=Reply(edited_reply=edited) if is_edited and choice is Answer.APPROVE else None,
                subject_id=found.subject_id,
                barred=await _requesters(session, tenant_id, found)
                | await authors_of_loosening(session, tenant_id, approval.policy_hash),
            )
            await enqueue_tickets(session, tenant_id, [approval.ticket_id])
        match made:
            case Decided() | AwaitsAnother():
                return RedirectResponse(f"/t/{quote(tenant_id)}/runs/{quote(approval.run_id)}", HTTPStatus.SEE_OTHER)
            case NotPending(state=state):
                text = f"This question is {state.value} already; nothing was changed."
            case Forbidden(why=why):
                text = f"Not allowed: {why}."
        raise Refused(HTTPStatus.CONFLICT, "Nothing was changed", text)


def routes(pages: Pages) -> APIRouter:
    """The pages' routes."""
    guard, router = pages.guard, APIRouter()
    readers = guard.allow(PEOPLE)
    add(router, "GET", "/style.css", pages.style, guard.open("the style of the sign-in page"))
    add(router, "GET", "/icon.svg", pages.icon, guard.open("the icon of the sign-in page"))
    add(router, "GET", "/t/{tenant_id}/runs", pages.runs, readers)
    add(router, "GET", "/t/{tenant_id}/runs/{run_id}", pages.run, readers)
    add(router, "POST", "/t/{tenant_id}/approvals/{approval_id}", pages.answer, guard.allow(ANSWERERS))
    return router


def _missing(what: str, name: str) -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "Not found", f"There is no {what} {name[:80]!r} here.")


async def _requesters(session: AsyncSession, tenant_id: str, found: RunPage) -> frozenset[str]:
    """The accounts of the ticket's own customer, known by Zendesk user or by address."""
    subject = found.subject_id or ""
    zendesk_user_id = subject.removeprefix(REQUESTER) if subject.startswith(REQUESTER) else None
    email = found.snapshot.requester_email if found.snapshot is not None else None
    return await accounts_of_requester(session, tenant_id, zendesk_user_id=zendesk_user_id, email=email)
