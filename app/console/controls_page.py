"""The page of what stops the agent: switches, breakers, budgets. One click with a reason; its effect shows by itself.

The part that changes is asked for anew every second by the script; without it, the page is loaded again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.api.controls import ControlCalls, ResetWish, SwitchWish
from app.console.controls import WRITES, Controls
from app.console.words import duration_text, money_text
from app.identity.accounts import names_of
from app.identity.roles import OVERSEERS, STEERERS
from app.web.access import Refused, add, signed_in
from app.web.formats import formats_of
from app.web.forms import read
from app.web.rendering import Renderer
from policies.vocabulary import Tool

TOOLS: Final[Mapping[Tool, str]] = {
    Tool.STRIPE_REFUND: "Refunds",
    Tool.STRIPE_CANCEL_SUBSCRIPTION: "Ending subscriptions",
    Tool.STRIPE_CANCEL_PAYMENT: "Releasing payments",
    Tool.ZENDESK_REPLY: "Replies to customers",
    Tool.ZENDESK_UPDATE: "Changes of tickets and notes",
    Tool.ZENDESK_READ: "Reading tickets",
    Tool.STRIPE_READ: "Reading charges",
    Tool.ORDERS_READ: "Reading orders",
    Tool.KB_SEARCH: "Searching the documents",
    Tool.MODEL_CALL: "Asking models outside",
}
MEASURES: Final[Mapping[str, str]] = {
    "money": "money paid without a person",
    "overrides": "answers of people that were no plain yes",
    "injections": "messages that try to instruct the agent",
    "tool_errors": "calls of a tool that went wrong",
    "model_errors": "calls of a model that went wrong",
}


class ControlForm(BaseModel):
    """What the forms of the page send."""

    act: str = ""
    name: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ControlsPage:
    """The handlers."""

    controls: ControlCalls
    renderer: Renderer

    async def show(self, tenant_id: str, request: Request) -> Response:
        """How it all stands now; `part=state` is the part that changes, alone."""
        visitor, asked = signed_in(request), request.query_params
        found = await self.controls.read(tenant_id)
        f = formats_of(request, found.at)
        return self.renderer.page(
            request,
            "controls_state.html" if asked.get("part") == "state" else "controls.html",
            tenant_id=tenant_id,
            c=found,
            tools=sorted(found.tools, key=lambda one: list(TOOLS).index(one.tool)),
            called=TOOLS,
            writes=WRITES,
            measures=MEASURES,
            names=await self._names(tenant_id, found),
            may_steer=bool(visitor.roles & STEERERS),
            told=asked.get("said", "")[:400],
            f=f,
            money=lambda minor, currency: money_text(f, minor, currency),
            span=duration_text,
        )

    async def act(self, tenant_id: str, request: Request, form: Annotated[ControlForm, Form()]) -> Response:
        """Turn a switch, or reset a breaker."""
        name = form.name[:80]
        match form.act:
            case "off" | "on":
                wanted = read(SwitchWish, off=form.act == "off", reason=form.reason)
                done = await self.controls.turn_switch(name, wanted, request)
                called = TOOLS[Tool(name)]
                told = f"{called}: {form.act}." if done.changed else f"{called}: {form.act} already."
                if done.stopped:
                    told += f" {done.stopped} held {'effect was' if done.stopped == 1 else 'effects were'} stopped."
            case "reset":
                done = await self.controls.reset_breaker(name, read(ResetWish, reason=form.reason), request)
                told = f"Breaker {name} is reset." if done.changed else f"Breaker {name} was not tripped."
            case _:
                raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", "Choose off, on or reset.")
        there = f"/t/{quote(tenant_id)}/controls?{urlencode({'said': told})}"
        return RedirectResponse(there, HTTPStatus.SEE_OTHER)

    async def _names(self, tenant_id: str, found: Controls) -> Mapping[str, str]:
        actors = {one.last.actor for one in found.tools if one.last is not None}
        actors |= {one.row.changed_by for one in found.breakers if one.row is not None}
        async with self.controls.guard.sessions(tenant_id) as session:
            return await names_of(session, tenant_id, actors)


def routes(page: ControlsPage) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), page.controls.guard
    add(router, "GET", "/t/{tenant_id}/controls", page.show, guard.allow(OVERSEERS))
    add(router, "POST", "/t/{tenant_id}/controls", page.act, guard.allow(STEERERS))
    return router
