"""The page of earned autonomy: what waits for a yes, how each cell stands, and what moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from app.api.autonomy import Autonomy, WhyForm
from app.api.routing import Id
from app.autonomy.models import Direction, MoveState
from app.autonomy.rules import AutonomyRules
from app.autonomy.words import CellForm
from app.identity.roles import PEOPLE, STEERERS
from app.review.words import ACTIONS, intent
from app.web.access import Refused, add, signed_in
from app.web.forms import back_to, read
from app.web.rendering import Renderer
from policies.locked import MOVES_MONEY
from policies.vocabulary import ActionKind
from policies.whatif.bounds import lower_bound


class MoveAnswer(BaseModel):
    """What the form of a proposal sends."""

    decision: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Heat:
    """The agreement that is certain in each cell of one action: a row for each intent, a column for each segment."""

    action: str
    segments: tuple[str, ...]
    rows: tuple[tuple[str, tuple[CellForm | None, ...]], ...]


@dataclass(frozen=True, slots=True)
class AutonomyPage:
    """The handlers."""

    autonomy: Autonomy
    renderer: Renderer

    async def show(self, tenant_id: str, request: Request) -> Response:
        """Proposals first, then every cell, then what moved."""
        visitor, found = signed_in(request), await self.autonomy.get_autonomy(request)
        waiting = {MoveState.OPEN.value, MoveState.HALF.value, MoveState.ACCEPTED.value}
        return self.renderer.page(
            request,
            "autonomy.html",
            tenant_id=tenant_id,
            cells=found.cells,
            heats=_heats(found.cells),
            heat=partial(_heat, rules=self.autonomy.rules[tenant_id]),
            waiting=[one for one in found.moves if one.state in waiting],
            moved=[one for one in found.moves if one.state not in waiting],
            rules=self.autonomy.rules[tenant_id],
            may_move=bool(visitor.roles & STEERERS),
            told=request.query_params.get("said", "")[:300],
            down=Direction.DOWN.value,
            intent=intent,
            action=lambda name: ACTIONS.get(ActionKind(name), name),
        )

    async def propose(self, tenant_id: str, request: Request) -> Response:
        """Work out the evidence anew."""
        found = await self.autonomy.propose_moves(request)
        opened = sum(one.state == MoveState.OPEN.value for one in found.moves)
        return back_to(tenant_id, "autonomy", f"Looked at {len(found.cells)} cells; {opened} wait for a first yes.")

    async def answer(
        self, tenant_id: str, move_id: Id, request: Request, form: Annotated[MoveAnswer, Form()]
    ) -> Response:
        """Say yes or no."""
        if form.decision not in {"yes", "no"}:
            text = f"{form.decision[:40]!r} is not an answer. Choose yes or no."
            raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", text)
        why = read(WhyForm, why=form.why)
        decide = self.autonomy.accept_move if form.decision == "yes" else self.autonomy.decline_move
        made = await decide(move_id, why, request)
        return back_to(tenant_id, "autonomy", " ".join([made.said, *made.lacking]))


def _heats(cells: Sequence[CellForm]) -> list[Heat]:
    """One for each action about which people were asked or were not needed; those that move money first."""
    known = [one for one in cells if one.asked or one.done_alone]
    actions = sorted({one.action for one in known}, key=lambda name: (ActionKind(name) not in MOVES_MONEY, name))
    found = []
    for action in actions:
        some = {(one.intent, one.segment): one for one in known if one.action == action}
        segments = tuple(sorted({segment for _, segment in some}))
        intents = sorted({intent for intent, _ in some})
        rows = tuple((one, tuple(some.get((one, segment)) for segment in segments)) for one in intents)
        found.append(Heat(action, segments, rows))
    return found


def _heat(cell: CellForm | None, *, rules: AutonomyRules) -> str:
    """How warm a cell is: `earned` at the gate, `near` it, `below`, `cold` where people disagree; or `unknown`.

    A cell that waits for a higher tier is judged by what people answered there; one that acts alone by what they judged
    afterwards, and it is `alone` where they have not judged enough to say anything against it.
    """
    if cell is None or not (cell.asked or cell.done_alone):
        return "unknown"
    if not cell.asked and not cell.judged:
        return "alone"
    agreed, of = (cell.agreed, cell.asked) if cell.asked else (cell.judged_agreed, cell.judged)
    percent = 100 * lower_bound(agreed, of)
    if percent >= rules.promote_at_least:
        return "earned"
    if percent >= rules.demote_below:
        return "near"
    return "below" if agreed * 100 >= rules.demote_below * of else "cold"


def routes(page: AutonomyPage) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), page.autonomy.guard
    below, movers = "/t/{tenant_id}/autonomy", guard.allow(STEERERS)
    add(router, "GET", below, page.show, guard.allow(PEOPLE))
    add(router, "POST", below, page.propose, movers)
    add(router, "POST", f"{below}/{{move_id}}", page.answer, movers)
    return router
