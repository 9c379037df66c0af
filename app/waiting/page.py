"""The page of the queue: a table of what waits, and beside it the card of the one that is looked at.

Everything works by links and forms; the keys of desk.js press them. After an act the next item is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.api.queue import BatchForm, BatchItem, ClaimForm, Queues, or_refused
from app.api.routing import Id
from app.identity import accounts
from app.identity.models import AccountState
from app.identity.roles import ANSWERERS, PEOPLE, Role
from app.identity.sessions import Visitor
from app.review.acts import Said
from app.review.card import Card
from app.review.words import REASON_CODES, intent
from app.trace.words import span
from app.waiting.answering import Repeated
from app.waiting.items import Item, ItemKind, Wish, batches
from app.web.access import Refused, add, signed_in
from app.web.rendering import Renderer
from graph.settlement.questions import Answer

VIEWS: Final[Mapping[str, str]] = {"all": "All", "mine": "For me", "taken": "Mine", "free": "Free"}
KINDS: Final[Mapping[ItemKind, str]] = {
    ItemKind.QUESTION: "Questions",
    ItemKind.HOLD: "On hold",
    ItemKind.STUCK: "Stuck",
    ItemKind.BLIND: "Judge afterwards",
}
SOON_PERCENT: Final = 75
"""Of its time, after which an item is shown as nearly late."""


class AnswerForm(BaseModel):
    """What the form of a card sends."""

    decision: str = ""
    digest: str = ""
    reply: str = ""
    reason_code: str = ""
    comment: str = ""


class GiveForm(BaseModel):
    """Who shall have an item; empty is whoever sends it."""

    account_id: str = ""


class TogetherForm(BaseModel):
    """The questions of a batch: each `item_id:digest`."""

    items: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """An item as the table shows it."""

    item: Item
    age: str
    late: str  # `late`, `soon`, or empty
    used: int  # of its time, in percent, at most 100
    wants: str
    link: str
    may_answer: bool


@dataclass(frozen=True, slots=True)
class QueuePage:
    """The handlers."""

    queues: Queues
    renderer: Renderer

    async def show(self, tenant_id: str, request: Request) -> Response:
        """The queue, filtered, with one item open."""
        visitor, asked = signed_in(request), dict(request.query_params)
        wish = _wish(asked)
        queue, wanted = await self.queues.wanted(visitor, wish)
        now = self.queues.guard.now()
        rows = [self._row(item, visitor, asked, now) for item in wanted]
        chosen = next((row for row in rows if row.item.item_id == asked.get("item")), rows[0] if rows else None)
        card = await self._card(visitor, chosen)
        async with self.queues.guard.sessions(tenant_id) as session:
            everybody = await accounts.every(session, tenant_id)
        colleagues = [
            one
            for one in everybody
            if one.state == AccountState.ACTIVE.value and {*one.roles} & {role.value for role in ANSWERERS}
        ]
        return self.renderer.page(
            request,
            "queue.html",
            tenant_id=tenant_id,
            queue=queue,
            rows=rows,
            chosen=chosen,
            card=card,
            batches=batches(item for item in wanted if item.may_answer(visitor.actor, visitor.roles)),
            wish=wish,
            asked=asked,
            views=VIEWS,
            kinds=KINDS,
            with_=lambda **changes: _query(asked, **changes),
            reasons=REASON_CODES,
            colleagues=colleagues,
            is_lead=bool(visitor.roles & {Role.CS_LEAD, Role.OPS_LEAD, Role.ADMIN}),
            answers=bool(visitor.roles & ANSWERERS),
            told=asked.get("said", "")[:300],
            now=now,
            intent=intent,
        )

    async def claim(self, tenant_id: str, item_id: Id, request: Request, form: Annotated[GiveForm, Form()]) -> Response:
        """Take an item, or give it to somebody."""
        await self.queues.claim_item(item_id, ClaimForm(account_id=form.account_id or None), request)
        return _back(tenant_id, request, item=item_id)

    async def release(self, tenant_id: str, item_id: Id, request: Request) -> Response:
        """Let an item be free again."""
        await self.queues.release_item(item_id, request)
        return _back(tenant_id, request, item=item_id)

    async def answer(
        self, tenant_id: str, item_id: Id, request: Request, form: Annotated[AnswerForm, Form()]
    ) -> Response:
        """Answer what is open, then go on to the next."""
        visitor = signed_in(request)
        if form.decision not in {one.value for one in Answer}:
            text = f"{form.decision[:40]!r} is not an answer. Choose approve, reject or ask."
            raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", text)
        said = Said(Answer(form.decision), form.reply or None, form.reason_code or None, form.comment or None)
        made = await self.queues.answering.answer(visitor, item_id, said, form.digest or None)
        told = made.said if isinstance(made, Repeated) else or_refused(made)
        return _back(tenant_id, request, said=told)

    async def stop(self, tenant_id: str, item_id: Id, request: Request) -> Response:
        """Stop what an item holds back."""
        visitor = signed_in(request)
        async with self.queues.guard.sessions(tenant_id) as session:
            item = await self.queues.reader(session, tenant_id).item(item_id)
        if item is None or item.kind is not ItemKind.HOLD:
            raise Refused(HTTPStatus.CONFLICT, "Nothing was changed", "Nothing is held any more.")
        told = or_refused(await self.queues.answering.stop(visitor, item))
        return _back(tenant_id, request, said=told)

    async def together(self, tenant_id: str, request: Request, form: Annotated[TogetherForm, Form()]) -> Response:
        """Approve what was ticked, each by its own digest."""
        pairs = [one.partition(":") for one in form.items]
        try:
            wanted = BatchForm(items=[BatchItem(item_id=name, action_digest=digest) for name, _, digest in pairs])
        except ValueError as error:
            text = "Tick at least one question, at most fifty, and send the form as the page shows it."
            raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", text) from error
        done = await self.queues.approve_batch(wanted, request)
        approved = sum(1 for one in done.items if one.outcome == "approved")
        others = "; ".join(dict.fromkeys(one.said for one in done.items if one.outcome != "approved"))
        told = f"{approved} of {len(done.items)} approved, each for itself. {others}".strip()
        return _back(tenant_id, request, said=told)

    async def _card(self, visitor: Visitor, chosen: Row | None) -> Card | None:
        return await self.queues.answering.desk.card(visitor, chosen.item.run.run_id) if chosen is not None else None

    def _row(self, item: Item, visitor: Visitor, asked: Mapping[str, str], now: datetime) -> Row:
        whole, passed = item.due - item.since, now - item.since
        used = min(100, max(0, int(passed * 100 / whole))) if whole > timedelta(0) else 100
        late = "late" if now >= item.due else "soon" if used >= SOON_PERCENT else ""
        # What is on hold is not late when its time is over: it is sent then.
        late = "" if item.kind is ItemKind.HOLD else late
        return Row(
            item=item,
            age=span(max(passed, timedelta(0))),
            late=late,
            used=used,
            wants=", ".join(intent(one) for one in item.run.intents) or "not understood",
            link=_query(asked, item=item.item_id),
            may_answer=item.may_answer(visitor.actor, visitor.roles) and bool(visitor.roles & ANSWERERS),
        )


def routes(page: QueuePage) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), page.queues.guard
    answering, below = guard.allow(ANSWERERS), "/t/{tenant_id}/queue"
    add(router, "GET", below, page.show, guard.allow(PEOPLE))
    add(router, "POST", f"{below}/batch", page.together, answering)
    add(router, "POST", f"{below}/{{item_id}}/claim", page.claim, answering)
    add(router, "POST", f"{below}/{{item_id}}/release", page.release, answering)
    add(router, "POST", f"{below}/{{item_id}}/answer", page.answer, answering)
    add(router, "POST", f"{below}/{{item_id}}/stop", page.stop, answering)
    return router


def _wish(asked: Mapping[str, str]) -> Wish:
    """What the address asks for; what it misspells is left out, because a filter loses nothing."""
    kinds: Sequence[str] = [kind.value for kind in ItemKind]
    kind, view = asked.get("kind", ""), asked.get("view", "all")
    return Wish(
        kind=ItemKind(kind) if kind in kinds else None,
        view=view if view in VIEWS else "all",
        intent=asked.get("intent", "")[:80],
        role=asked.get("role", "")[:40],
        words=asked.get("q", "")[:200],
    )


def _query(asked: Mapping[str, str], **changes: str) -> str:
    """The address of the page with some of what it asks for changed."""
    kept = {name: value for name, value in {**asked, **changes}.items() if value and name != "said"}
    return f"?{urlencode(kept)}" if kept else "?"


def _back(tenant_id: str, request: Request, **shown: str) -> Response:
    """Back to the queue as it was filtered, with what is to be said or open."""
    asked = {name: value for name, value in request.query_params.items() if name not in {"said", "item"}}
    where = f"/t/{quote(tenant_id)}/queue?{urlencode({**asked, **shown})}"
    return RedirectResponse(where, HTTPStatus.SEE_OTHER)
