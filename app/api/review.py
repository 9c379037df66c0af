"""The panel for programs: the card of a run, and the acts that its pages have besides answering.

The acts are those of app/review/acts.py. Each may be sent again: what is done already is not done twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints
from starlette.requests import Request

from app.api.access import Called
from app.api.queue import ItemId, Text, or_refused
from app.api.routing import Id, call, conflict, missing
from app.api.runs import READERS
from app.identity.roles import ANSWERERS
from app.identity.service_tokens import Scope
from app.review.acts import Desk, Missing, Unfit
from app.review.card import Card
from app.review.wording import Looked
from app.trace.again import Replay, replay
from app.web.access import Guard, signed_in
from graph.preferences import Preference
from graph.verifying import Finding

Value = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z_]+$")]


class ActedForm(BaseModel):
    """What was done."""

    run_id: str
    said: str


class UndoForm(BaseModel):
    """Which change of the run, as its card names it."""

    effect_id: ItemId


class LikingForm(BaseModel):
    """What the customer prefers, and until which day, UTC."""

    value: Value
    until: date


class WordsForm(BaseModel):
    """A reply as somebody would send it."""

    reply: Text


class FindingForm(BaseModel):
    """What a check found. `start` and `end` are code points of the reply, where the check can say so."""

    check: str
    reason: str
    start: int | None
    end: int | None


class LookedForm(BaseModel):
    """What checks say: what keeps the reply from leaving, and what only the agent would not be let write."""

    refused: list[FindingForm]
    remarks: list[FindingForm] = Field(description="the reply may leave; remarks are kept in the log")


@dataclass(frozen=True, slots=True)
class Reviews:
    """The handlers."""

    guard: Guard
    desk: Desk

    async def get_card(self, run_id: Id, request: Request) -> Card:
        """One run as its reviewers see it: what will happen, why, the reply, and what the caller may do."""
        card = await self.desk.card(signed_in(request), run_id)
        if card is None:
            raise missing("run", run_id)
        return card

    async def take_over(self, run_id: Id, request: Request) -> ActedForm:
        """Take the ticket over: what is held is stopped, and a note with all that was found out is left."""
        return ActedForm(run_id=run_id, said=or_refused(await self.desk.take_over(signed_in(request), run_id)))

    async def undo(self, run_id: Id, wanted: UndoForm, request: Request) -> ActedForm:
        """Put back what an update changed on the ticket, where nobody has changed it since."""
        made = await self.desk.undo(signed_in(request), run_id, wanted.effect_id)
        return ActedForm(run_id=run_id, said=or_refused(made))

    async def remember(self, run_id: Id, name: Preference, wanted: LikingForm, request: Request) -> ActedForm:
        """Write down what the run's customer prefers, until a day; what was written before is replaced."""
        ends = datetime.combine(wanted.until, time.max, UTC)
        made = await self.desk.remember(
            signed_in(request), run_id, name=name.value, value=wanted.value, expires_at=ends
        )
        return ActedForm(run_id=run_id, said=or_refused(made))

    async def forget(self, run_id: Id, name: Preference, request: Request) -> ActedForm:
        """Take away what is remembered of the run's customer."""
        made = await self.desk.remember(
            signed_in(request), run_id, name=name.value, value="", expires_at=self.desk.now()
        )
        return ActedForm(run_id=run_id, said=or_refused(made))

    async def look(self, run_id: Id, wanted: WordsForm, request: Request) -> LookedForm:
        """What checks say of a reply before it is approved. Changes nothing."""
        match await self.desk.look(signed_in(request), run_id, wanted.reply):
            case Missing(what=what, name=name):
                raise missing(what, name)
            case Unfit(why=why):
                raise conflict(why)
            case Looked(refused=refused, remarks=remarks):
                return LookedForm(refused=[_form(one) for one in refused], remarks=[_form(one) for one in remarks])

    async def replay(self, run_id: Id, request: Request) -> Replay:
        """The run decided again from what it had read, as it was and under the policy that decides today."""
        found = await replay(self.desk.sessions, self.desk.vault, signed_in(request).tenant_id, run_id)
        if found is None:
            raise missing("run", run_id)
        return found


def routes(reviews: Reviews) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), reviews.guard
    reading, acting = Called(guard, READERS, Scope.READ), Called(guard, ANSWERERS, Scope.REVIEW)
    call(router, "GET", "/runs/{run_id}/card", reviews.get_card, reading, gives=Card)
    call(router, "GET", "/runs/{run_id}/replay", reviews.replay, reading, gives=Replay)
    call(router, "POST", "/runs/{run_id}/take-over", reviews.take_over, acting, gives=ActedForm)
    call(router, "POST", "/runs/{run_id}/undo", reviews.undo, acting, gives=ActedForm)
    call(router, "PUT", "/runs/{run_id}/preferences/{name}", reviews.remember, acting, gives=ActedForm)
    call(router, "DELETE", "/runs/{run_id}/preferences/{name}", reviews.forget, acting, gives=ActedForm)
    call(router, "POST", "/runs/{run_id}/look", reviews.look, acting, gives=LookedForm)
    return router


def _form(found: Finding) -> FindingForm:
    start, end = found.place or (None, None)
    return FindingForm(check=found.check, reason=found.reason, start=start, end=end)
