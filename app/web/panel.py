"""The side panel: one ticket's newest run as a card, live while it proceeds, and what its reviewer may do.

The same card stands on a page of its own and in the frame of the Zendesk app. Ticket text is only ever text. Every act
is a form that works without a script; the script sends the same forms, shows what came of them and keeps the card new.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from app.identity.roles import ANSWERERS, PEOPLE
from app.identity.sessions import Visitor
from app.review.acts import Acted, Desk, Missing, NotAllowed, Outcome, Said, TooLate, Unfit
from app.review.card import Card
from app.review.macros import Macros
from app.review.reading import newest_run
from app.review.wording import Looked
from app.review.words import LANGUAGES, REASON_CODES
from app.web.access import Guard, Refused, add, signed_in
from app.web.confirming import Confirming
from app.web.live import Full, Pulse, version_of
from app.web.rendering import Renderer, static
from graph.preferences import CHOICES, Preference
from graph.settlement.questions import Answer
from graph.tenancy import Sessions
from graph.verifying import Finding
from kb.citation import cited_section
from kb.errors import SectionNotFoundError

KEPT: Final = {"Cache-Control": "max-age=300"}
LASTS: Final = timedelta(seconds=50)
"""How long one stream lives. The next one asks again who is there, so that who was shut out is out within a minute."""
PING_S: Final = 15.0
COME_BACK_S: Final = 5


class AnswerForm(BaseModel):
    """What the form of a question sends."""

    approval_id: str = ""
    decision: str = ""
    reply: str = ""
    question: str = ""
    reason_code: str = ""
    comment: str = ""
    password: str = ""


class RunForm(BaseModel):
    """What the forms of a run send."""

    run_id: str = ""
    effect_id: str = ""


class LookForm(BaseModel):
    """A reply as somebody writes it."""

    run_id: str = ""
    reply: str = ""


class LikingForm(BaseModel):
    """What the form of a preference sends; no value takes it away."""

    run_id: str = ""
    name: str = ""
    value: str = ""
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """The handlers."""

    guard: Guard
    renderer: Renderer
    sessions: Sessions
    desk: Desk
    pulse: Pulse
    confirming: Confirming
    macros: Macros

    async def script(self) -> Response:
        """The panel's script."""
        return Response(static("panel.js"), media_type="text/javascript", headers=KEPT)

    async def style(self) -> Response:
        """The panel's style."""
        return Response(static("panel.css"), media_type="text/css", headers=KEPT)

    async def page(self, tenant_id: str, ticket_id: str, request: Request) -> Response:
        """The panel on a page of its own, with the card in it: nothing has to be fetched before it can be read."""
        values = await self._values(request, tenant_id, ticket_id)
        return self.renderer.page(request, "panel.html", HTTPStatus.OK, **values)

    async def card(self, tenant_id: str, ticket_id: str, request: Request) -> Response:
        """The card alone, as it is now."""
        await self._see(request, ticket_id)
        values = await self._values(request, tenant_id, ticket_id)
        return self.renderer.page(request, "card.html", HTTPStatus.OK, **values)

    async def live(self, tenant_id: str, ticket_id: str, request: Request) -> Response:
        """Server-sent events: `version` at once and, for who accepts a stream, whenever the ticket has changed."""
        await self._see(request, ticket_id)
        watching = self.pulse.watching(tenant_id, ticket_id)
        try:
            flag = await watching.__aenter__()
        except Full:
            text = "So many panels are open here that this one looks for news by itself every few seconds."
            refused = Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Not live", text)
            answer = self.renderer.refused(request, refused)
            answer.headers["Retry-After"] = str(COME_BACK_S)
            return answer

        async def told() -> AsyncIterator[bytes]:
            try:
                async for one in self._events(tenant_id, ticket_id, flag):
                    yield one
                    if "text/event-stream" not in request.headers.get("accept", ""):
                        return
            finally:
                await watching.__aexit__(None, None, None)

        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(told(), media_type="text/event-stream", headers=headers)

    async def _events(self, tenant_id: str, ticket_id: str, flag: asyncio.Event) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        ends = loop.time() + LASTS.total_seconds()
        while not self.pulse.is_closed:
            flag.clear()
            async with self.sessions(tenant_id) as session:
                version = await version_of(session, tenant_id, ticket_id)
            yield format_sse_event(event="version", data_str=str(version))
            while not flag.is_set():
                left = ends - loop.time()
                if left <= 0:
                    return
                try:
                    await asyncio.wait_for(flag.wait(), min(PING_S, left))
                except TimeoutError:
                    yield KEEPALIVE_COMMENT

    async def answer(
        self, tenant_id: str, ticket_id: str, request: Request, form: Annotated[AnswerForm, Form()]
    ) -> Response:
        """Approve, reject, or have the customer asked."""
        visitor = await self._see(request, ticket_id)
        if form.decision not in {one.value for one in Answer}:
            raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", "Choose approve, reject or ask.")
        choice = Answer(form.decision)
        if choice is Answer.REJECT and form.reason_code not in REASON_CODES:
            text = "Say why, by one of the reasons: whoever takes the ticket, and the policy's authors, need it."
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "A reason is missing", text)
        if choice is Answer.APPROVE and await self._must_confirm(visitor, ticket_id):
            await self.confirming.demand(request, visitor, form.password)
        reply = form.question if choice is Answer.ASK else form.reply
        said = Said(choice, reply or None, form.reason_code or None, form.comment or None)
        return self._told(request, tenant_id, ticket_id, await self.desk.answer(visitor, form.approval_id, said))

    async def look(
        self, tenant_id: str, ticket_id: str, request: Request, form: Annotated[LookForm, Form()]
    ) -> Response:
        """What checks say of a reply while it is written. Changes nothing."""
        visitor = await self._see(request, ticket_id)
        match await self.desk.look(visitor, form.run_id, form.reply):
            case Looked(refused=refused, remarks=remarks):
                return JSONResponse({"refused": _found(refused, form.reply), "remarks": _found(remarks, form.reply)})
            case other:
                return self._told(request, tenant_id, ticket_id, other)

    async def take_over(
        self, tenant_id: str, ticket_id: str, request: Request, form: Annotated[RunForm, Form()]
    ) -> Response:
        """Take the ticket over."""
        visitor = await self._see(request, ticket_id)
        return self._told(request, tenant_id, ticket_id, await self.desk.take_over(visitor, form.run_id))

    async def stop(
        self, tenant_id: str, ticket_id: str, request: Request, form: Annotated[RunForm, Form()]
    ) -> Response:
        """Stop what is held."""
        visitor = await self._see(request, ticket_id)
        return self._told(request, tenant_id, ticket_id, await self.desk.stop(visitor, form.run_id))

    async def undo(
        self, tenant_id: str, ticket_id: str, request: Request, form: Annotated[RunForm, Form()]
    ) -> Response:
        """Put back what an update changed."""
        visitor = await self._see(request, ticket_id)
        outcome = await self.desk.undo(visitor, form.run_id, form.effect_id)
        return self._told(request, tenant_id, ticket_id, outcome)

    async def remember(
        self, tenant_id: str, ticket_id: str, request: Request, form: Annotated[LikingForm, Form()]
    ) -> Response:
        """Write down, or take away, what the customer prefers."""
        visitor = await self._see(request, ticket_id)
        until = form.until or (self.desk.now() + timedelta(days=180)).date()
        ends = datetime.combine(until, time.max, UTC)
        outcome = await self.desk.remember(visitor, form.run_id, name=form.name, value=form.value, expires_at=ends)
        return self._told(request, tenant_id, ticket_id, outcome)

    async def section(
        self,
        tenant_id: str,
        request: Request,
        name: str = "",
        version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    ) -> Response:
        """One section of the shop's policy, in the version that a run saw, or as it stands: where a citation leads."""
        async with self.sessions(tenant_id) as session:
            try:
                found = await cited_section(session, tenant_id=tenant_id, section_id=name, version=version)
            except SectionNotFoundError:
                text = f"There is no section {name[:80]!r} in the knowledge base. A policy may name one that is not."
                raise Refused(HTTPStatus.NOT_FOUND, "Not found", text) from None
        return self.renderer.page(request, "section.html", tenant_id=tenant_id, section=found)

    async def _see(self, request: Request, ticket_id: str) -> Visitor:
        """Who asks, and that they may see this ticket.

        Raises:
            Refused: Zendesk does not show them the ticket.
        """
        visitor = signed_in(request)
        await self.guard.demand_ticket(visitor, ticket_id)
        return visitor

    async def _card(self, visitor: Visitor, ticket_id: str) -> tuple[int, Card | None]:
        """The ticket's newest run as a card, and the version of what is shown: what changes meanwhile is newer."""
        tenant_id = visitor.tenant_id
        async with self.sessions(tenant_id) as session:
            version = await version_of(session, tenant_id, ticket_id)
            run_id = await newest_run(session, tenant_id, ticket_id)
            return version, await self.desk.card_in(session, visitor, run_id) if run_id is not None else None

    async def _must_confirm(self, visitor: Visitor, ticket_id: str) -> bool:
        _, card = await self._card(visitor, ticket_id)
        return card is not None and self.confirming.is_needed(visitor, _amounts(card))

    async def _values(self, request: Request, tenant_id: str, ticket_id: str) -> dict[str, object]:
        visitor = signed_in(request)
        version, card = await self._card(visitor, ticket_id)
        return {
            "tenant_id": tenant_id,
            "ticket_id": ticket_id,
            "version": version,
            "card": card,
            "base": f"/t/{quote(tenant_id)}/tickets/{quote(ticket_id, safe='')}",
            "must_confirm": card is not None and self.confirming.is_needed(visitor, _amounts(card)),
            "reason_codes": REASON_CODES,
            "choices": _choices(),
            "macros": await self.macros.fitting(card) if card is not None else (),
            "is_embedded": visitor.is_embedded,
        }

    def _told(self, request: Request, tenant_id: str, ticket_id: str, outcome: Outcome) -> Response:
        """The outcome as an answer: JSON for the script, the panel for a form, and a refusal where nothing was done."""
        match outcome:
            case Acted(said=said):
                if "json" in request.headers.get("accept", ""):
                    return JSONResponse({"said": said})
                back = f"/t/{quote(tenant_id)}/tickets/{quote(ticket_id, safe='')}"
                return RedirectResponse(back, HTTPStatus.SEE_OTHER)
            case Missing(what=what, name=name):
                raise Refused(HTTPStatus.NOT_FOUND, "Not found", f"There is no {what} {name[:80]!r} here.")
            case NotAllowed(why=why):
                raise Refused(HTTPStatus.FORBIDDEN, "Not allowed", why)
            case TooLate(why=why):
                raise Refused(HTTPStatus.CONFLICT, "Nothing was changed", why)
            case Unfit(why=why):
                raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Not accepted", why)


def routes(panel: Panel) -> APIRouter:
    """The panel's routes. A session of the Zendesk app may use those of a ticket, and no others."""
    guard, router = panel.guard, APIRouter()
    readers, answerers = guard.allow(PEOPLE, embedded=True), guard.allow(ANSWERERS, embedded=True)
    ticket = "/t/{tenant_id}/tickets/{ticket_id}"
    add(router, "GET", "/panel.js", panel.script, guard.open("the panel's script"))
    add(router, "GET", "/panel.css", panel.style, guard.open("the panel's style"))
    add(router, "GET", ticket, panel.page, guard.allow(PEOPLE))
    add(router, "GET", f"{ticket}/card", panel.card, readers)
    add(router, "GET", f"{ticket}/live", panel.live, readers)
    add(router, "POST", f"{ticket}/answer", panel.answer, answerers)
    add(router, "POST", f"{ticket}/look", panel.look, answerers)
    add(router, "POST", f"{ticket}/take-over", panel.take_over, answerers)
    add(router, "POST", f"{ticket}/stop", panel.stop, answerers)
    add(router, "POST", f"{ticket}/undo", panel.undo, answerers)
    add(router, "POST", f"{ticket}/remember", panel.remember, answerers)
    add(router, "GET", "/t/{tenant_id}/section", panel.section, guard.allow(PEOPLE))
    return router


def _amounts(card: Card) -> list[Mapping[str, object]]:
    money = [will.money for request in card.requests for will in request.will if will.money is not None]
    return [{"amount_minor": one.minor, "currency": one.currency} for one in money]


def _found(findings: Sequence[Finding], reply: str) -> list[dict[str, str]]:
    """Why, and the words that it is about."""
    return [
        {"reason": one.reason, "words": reply[slice(*one.place)] if one.place is not None else ""} for one in findings
    ]


def _choices() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The preferences that can be remembered, with their values, in words."""
    said = {Preference.REPLY_LANGUAGE: "Reply in", Preference.REMEDY: "Would rather have"}
    return [
        (name.value, said[name], [(value, LANGUAGES.get(value, value.replace("_", " "))) for value in CHOICES[name]])
        for name in Preference
    ]
