"""The plain pages: what runs there are, one run step by step, and a pending question to approve or reject.

Ticket text is only ever text: Jinja2 escapes everything, the policy of the page allows no script at all, and the answer
to a question is accepted only with the token that the page of this process carried. Bound to loopback until people sign in.
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
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.runtime import new_id
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
REASON_CODES: Final = ("wrong_understanding", "wrong_amount", "wrong_policy", "wrong_tone", "customer_relation", "other")


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


def routes(pages: Pages) -> APIRouter:
    """The pages' routes."""
    router = APIRouter()
    environment = _environment()

    def page(name: str, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
        html = environment.get_template(name).render(**values)
        return HTMLResponse(html, status, headers=HEADERS)

    @router.get("/style.css")
    async def style() -> Response:
        css = (Path(__file__).parent.parent / "static" / "style.css").read_text("utf-8")
        return Response(css, media_type="text/css", headers={"Cache-Control": "max-age=300"})

    @router.get("/")
    async def home() -> Response:
        if not pages.tenants:
            return page("message.html", HTTPStatus.OK, title="No tenant", text="No tenant is configured.")
        return RedirectResponse(f"/t/{quote(pages.tenants[0])}/runs")

    @router.get("/t/{tenant_id}/runs")
    async def runs(tenant_id: str, outcome: str | None = None) -> Response:
        if tenant_id not in pages.tenants:
            return _missing(page, "tenant", tenant_id)
        async with pages.sessions(tenant_id) as session:
            listed = await read_runs(session, tenant_id, outcome=outcome)
        return page("runs.html", tenant_id=tenant_id, runs=listed, outcome=outcome)

    @router.get("/t/{tenant_id}/runs/{run_id}")
    async def run(tenant_id: str, run_id: str, request: Request) -> Response:
        if tenant_id not in pages.tenants:
            return _missing(page, "tenant", tenant_id)
        async with pages.sessions(tenant_id) as session:
            found: RunPage | None = await read_run(session, pages.vault, tenant_id, run_id)
        if found is None:
            return _missing(page, "run", run_id)
        token = pages.token(found.approval_id) if found.approval_id is not None else None
        return page(
            "run.html",
            tenant_id=tenant_id,
            found=found,
            token=token,
            may_answer=_is_local(request),
            reason_codes=REASON_CODES,
        )

    @router.post("/t/{tenant_id}/approvals/{approval_id}")
    async def answer(  # noqa: PLR0913, PLR0917 - the fields of a form
        tenant_id: str,
        approval_id: str,
        request: Request,
        token: Annotated[str, Form()],
        decision: Annotated[str, Form()],
        reason_code: Annotated[str, Form()] = "",
        reply: Annotated[str, Form()] = "",
    ) -> Response:
        if tenant_id not in pages.tenants:
            return _missing(page, "tenant", tenant_id)
        if not _is_local(request) or not hmac.compare_digest(token, pages.token(approval_id)):
            text = "This form was not made by this server for you. Open the run again and answer there."
            return page("message.html", HTTPStatus.FORBIDDEN, title="Not accepted", text=text)
        if decision not in {choice.value for choice in Answer} or (reason_code and reason_code not in REASON_CODES):
            text = f"{decision!r} is not an answer. Choose approve or reject."
            return page("message.html", HTTPStatus.BAD_REQUEST, title="Not accepted", text=text)
        return await _decide(pages, page, tenant_id, approval_id, Answer(decision), reason_code or None, reply)

    return router


_Page = Callable[..., Response]


def _missing(page: _Page, what: str, name: str) -> Response:
    text = f"There is no {what} {name[:80]!r} here."
    return page("message.html", HTTPStatus.NOT_FOUND, title="Not found", text=text)


def _is_local(request: Request) -> bool:
    """Nobody signs in yet, so only the machine itself may answer, and only under its own name."""
    host = (request.headers.get("host") or "").rsplit(":", 1)[0].strip("[]")
    return request.client is not None and request.client.host in LOOPBACK and host in LOOPBACK


async def _decide(  # noqa: PLR0913, PLR0917 - one answer
    pages: Pages,
    page: _Page,
    tenant_id: str,
    approval_id: str,
    choice: Answer,
    reason_code: str | None,
    reply: str,
) -> Response:
    async with pages.sessions(tenant_id) as session:
        approval = await session.get(Approval, (tenant_id, approval_id))
        if approval is None:
            return _missing(page, "question", approval_id)
        found = await read_run(session, pages.vault, tenant_id, approval.run_id)
        assert found is not None
        edited = reply.replace("\r\n", "\n").strip()
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
            reason_code=reason_code,
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
    return page("message.html", HTTPStatus.CONFLICT, title="Nothing was changed", text=text)
