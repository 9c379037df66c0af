"""Earned autonomy for programs: how each cell stands, and a yes or a no to what is proposed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints
from starlette.requests import Request

from app.api.access import Called
from app.api.routing import Id, call, conflict, missing
from app.api.runs import READERS
from app.autonomy.deciding import NotDecided, accept, decline
from app.autonomy.looking import cells_kept, look, moves
from app.autonomy.models import AutonomyMove
from app.autonomy.rules import AutonomyRules
from app.autonomy.words import AutonomyForm, DecidedForm, cell_form, decided_form, move_form
from app.identity.accounts import Act
from app.identity.roles import STEERERS
from app.identity.service_tokens import Scope
from app.identity.sessions import Visitor
from app.web.access import Guard, signed_in

Why = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000, pattern=r"^[^\x00]*$")]


class WhyForm(BaseModel):
    """Why; people and the log read it."""

    why: Why = ""


@dataclass(frozen=True, slots=True)
class Autonomy:
    """The handlers, which the page uses, too."""

    guard: Guard
    rules: Mapping[str, AutonomyRules]
    new_id: Callable[[str], str]

    async def get_autonomy(self, request: Request) -> AutonomyForm:
        """How each cell of the matrix stands, and what was proposed, accepted or taken back."""
        tenant_id = signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            kept, made = await cells_kept(session, tenant_id), await moves(session, tenant_id)
            return AutonomyForm(cells=[cell_form(one) for one in kept], moves=[move_form(one) for one in made])

    async def propose_moves(self, request: Request) -> AutonomyForm:
        """Work out the evidence anew, and propose what is earned."""
        visitor = signed_in(request)
        sessions = partial(self.guard.sessions, visitor.tenant_id)
        await look(sessions, visitor.tenant_id, self.rules[visitor.tenant_id], self._act(visitor), proposes=True)
        return await self.get_autonomy(request)

    async def accept_move(self, move_id: Id, form: WhyForm, request: Request) -> DecidedForm:
        """Say yes. Two people must where money would move without one."""
        return await self._decide(move_id, form, request, is_yes=True)

    async def decline_move(self, move_id: Id, form: WhyForm, request: Request) -> DecidedForm:
        """Say no."""
        return await self._decide(move_id, form, request, is_yes=False)

    async def _decide(self, move_id: str, form: WhyForm, request: Request, *, is_yes: bool) -> DecidedForm:
        visitor = signed_in(request)
        sessions = partial(self.guard.sessions, visitor.tenant_id)
        async with sessions() as session:
            if await session.get(AutonomyMove, (visitor.tenant_id, move_id)) is None:
                raise missing("proposal", move_id)
        decide = accept if is_yes else decline
        made = await decide(sessions, visitor.tenant_id, move_id, self._act(visitor), form.why)
        if isinstance(made, NotDecided):
            raise conflict(made.why)
        return decided_form(made)

    def _act(self, visitor: Visitor) -> Act:
        return Act(visitor.actor, self.guard.now(), self.new_id)


def routes(autonomy: Autonomy) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), autonomy.guard
    acting = Called(guard, STEERERS, Scope.ADMIN)
    call(router, "GET", "/autonomy", autonomy.get_autonomy, Called(guard, READERS, Scope.READ), gives=AutonomyForm)
    call(router, "POST", "/autonomy", autonomy.propose_moves, acting, gives=AutonomyForm)
    call(router, "PUT", "/autonomy/{move_id}/yes", autonomy.accept_move, acting, gives=DecidedForm)
    call(router, "PUT", "/autonomy/{move_id}/no", autonomy.decline_move, acting, gives=DecidedForm)
    return router
