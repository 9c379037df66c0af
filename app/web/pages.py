"""The plain pages: what runs there are, one run step by step, and a pending question to approve or reject.

Ticket text is only ever text: Jinja2 escapes everything, the policy of the page allows no script at all, and the answer
to a question is accepted only with the token that the page of this process carried. Bound to loopback until people
sign in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from pydantic import BaseModel
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.ambient import new_id
from app.web.reading import RunPage, read_run, read_runs
from graph.queue import enqueue_tickets
from graph.runtime import Sessions
from graph.settlement.approvals import decide
from graph.settlement.models import Approval
from graph.settlement.questions import Answer, AwaitsAnother, Decided, Forbidden, NotPending, Reply, Reviewer
from graph.vault import Vault
from policies.money import Money

LOCAL_REVIEWER: Final = Reviewer("local", frozenset({"agent", "cs_lead", "ops_lead", "admin"}))
"""Who answers on a machine where nobody signs in: the person in front of it. Only offered on loopback."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost", "testclient"})
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
REASON_CODES: Final = (
    "wrong_understanding",
    "wrong_amount",
    "wrong_policy",
    "wrong_tone",
    "customer_relation",
    "other",
)


class AnswerForm(BaseModel):
    """What the form of a question sends."""

    token: str
    decision: str
    reason_code: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages work with. `key` signs the forms of this process."""

    sessions: Sessions
    vault: Vault
    now: Callable[[], datetime]
    tenants: tuple[str, ...]
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def token(self, approval_id: str) -> str:
        """The form's token for one question."""
        return hmac.new(self.key, approval_id.encode(), hashlib.sha256).hexdigest()


def _environment() -> Environment:
    folder = Path(__file__).parent.parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["money"] = _money
    environment.filters["moment"] = _moment
    environment.filters["words"] = lambda value: str(value).replace("_", " ")
    return environment


def _money(row: dict[str, Any]) -> str:
    if row.get("amount_minor") is None or row.get("currency") is None:
        return ""
    return str(Money(row["amount_minor"], row["currency"]))


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S UTC")


@dataclass(frozen=True, slots=True)
class _Views:
    """The handlers of the pages."""

    pages: Pages
    environment: Environment

    def page(self, name: str, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
        """A rendered template with the headers of every page."""
        return HTMLResponse(self.environment.get_template(name).render(**values), status, headers=HEADERS)

    def missing(self, what: str, name: str) -> Response:
        """A page that says what is not there."""
        text = f"There is no {what} {name[:80]!r} here."
        return self.page("message.html", HTTPStatus.NOT_FOUND, title="Not found", text=text)

    def foreign(self) -> Response:
        """Runs hold personal data, and nobody signs in yet: they are shown on the machine itself only."""
        text = "Runs are shown on the machine itself only. Open this page there, under 127.0.0.1."
        return self.page("message.html", HTTPStatus.FORBIDDEN, title="Not here", text=text)

    async def style(self) -> Response:
        css = (Path(__file__).parent.parent / "static" / "style.css").read_text("utf-8")
        return Response(css, media_type="text/css", headers={"Cache-Control": "max-age=300"})

    async def home(self) -> Response:
        if not self.pages.tenants:
            return self.page("message.html", title="No tenant", text="No tenant is configured.")
        return RedirectResponse(f"/t/{quote(self.pages.tenants[0])}/runs")

    async def runs(self, request: Request, tenant_id: str, outcome: str | None = None) -> Response:
        if not _is_local(request):
            return self.foreign()
        if tenant_id not in self.pages.tenants:
            return self.missing("tenant", tenant_id)
        async with self.pages.sessions(tenant_id) as session:
            listed = await read_runs(session, tenant_id, outcome=outcome)
        return self.page("runs.html", tenant_id=tenant_id, runs=listed, outcome=outcome)

    async def run(self, tenant_id: str, run_id: str, request: Request) -> Response:
        if not _is_local(request):
            return self.foreign()
        if tenant_id not in self.pages.tenants:
            return self.missing("tenant", tenant_id)
        async with self.pages.sessions(tenant_id) as session:
            found: RunPage | None = await read_run(session, self.pages.vault, tenant_id, run_id)
        if found is None:
            return self.missing("run", run_id)
        token = self.pages.token(found.approval_id) if found.approval_id is not None else None
        return self.page(
            "run.html",
            tenant_id=tenant_id,
            found=found,
            token=token,
            reason_codes=REASON_CODES,
        )

    async def answer(
        self,
        tenant_id: str,
        approval_id: str,
        request: Request,
        form: Annotated[AnswerForm, Form()],
    ) -> Response:
        if tenant_id not in self.pages.tenants:
            return self.missing("tenant", tenant_id)
        if not _is_local(request) or not hmac.compare_digest(
            form.token.encode(), self.pages.token(approval_id).encode()
        ):
            text = "This form was not made by this server for you. Open the run again and answer there."
            return self.page("message.html", HTTPStatus.FORBIDDEN, title="Not accepted", text=text)
        if form.decision not in {choice.value for choice in Answer} or form.reason_code not in {"", *REASON_CODES}:
            text = f"{form.decision[:40]!r} is not an answer. Choose approve or reject."
            return self.page("message.html", HTTPStatus.BAD_REQUEST, title="Not accepted", text=text)
        return await _decide(self, tenant_id, approval_id, form)


def routes(pages: Pages) -> APIRouter:
    """The pages' routes."""
    views = _Views(pages, _environment())
    router = APIRouter()
    router.add_api_route("/style.css", views.style)
    router.add_api_route("/", views.home)
    router.add_api_route("/t/{tenant_id}/runs", views.runs)
    router.add_api_route("/t/{tenant_id}/runs/{run_id}", views.run)
    router.add_api_route("/t/{tenant_id}/approvals/{approval_id}", views.answer, methods=["POST"])
    return router


def _is_local(request: Request) -> bool:
    """Whether the request comes from this machine, under its own name and through no proxy that says so."""
    if any(name == "forwarded" or name.startswith("x-forwarded-") for name in request.headers):
        return False
    host = (request.headers.get("host") or "").rsplit(":", 1)[0].strip("[]")
    return request.client is not None and request.client.host in LOOPBACK and host in LOOPBACK


async def _decide(views: _Views, tenant_id: str, approval_id: str, form: AnswerForm) -> Response:
    pages, choice = views.pages, Answer(form.decision)
    async with pages.sessions(tenant_id) as session:
        approval = await session.get(Approval, (tenant_id, approval_id))
        if approval is None:
            return views.missing("question", approval_id)
        found = await read_run(session, pages.vault, tenant_id, approval.run_id)
        assert found is not None
        edited = form.reply.replace("\r\n", "\n").strip()
        is_edited = bool(edited) and found.draft is not None and edited != found.draft.strip()
        made = await decide(
            session,
            approval_id,
            choice,
            LOCAL_REVIEWER,
            tenant_id=tenant_id,
            now=pages.now(),
            new_id=new_id,
            vault=pages.vault,
            reason_code=form.reason_code or None,
            reply=Reply(edited_reply=edited) if is_edited and choice is Answer.APPROVE else None,
            subject_id=found.subject_id,
        )
        await enqueue_tickets(session, tenant_id, [approval.ticket_id])
    match made:
        case Decided() | AwaitsAnother():
            return RedirectResponse(f"/t/{quote(tenant_id)}/runs/{quote(approval.run_id)}", HTTPStatus.SEE_OTHER)
        case NotPending(state=state):
            text = f"This question is {state.value} already; nothing was changed."
        case Forbidden(why=why):
            text = f"Not allowed: {why}."
    return views.page("message.html", HTTPStatus.CONFLICT, title="Nothing was changed", text=text)
