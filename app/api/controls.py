"""Switches, breakers and budgets for programs and for the page: how they stand, off and on, and a reset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request

from app.api.access import Called
from app.api.policies import Why
from app.api.routing import Id, call, missing
from app.console.controls import BreakerState, Controls, LimitState, ToolState, read_controls
from app.identity.roles import OVERSEERS, STEERERS, Role
from app.identity.service_tokens import Scope
from app.web.access import Guard, signed_in
from graph.breakers.standing import standing
from graph.breakers.trips import reset
from graph.breakers.watch import stop_in_vain
from graph.settlement.models import Switch
from graph.settlement.switches import change_switch
from policies.vocabulary import Tool

READERS: Final = OVERSEERS | {Role.SERVICE}


class SwitchForm(BaseModel):
    """Who stopped a tool, or let it be used again, and why."""

    off: bool
    reason: str
    actor: str
    changed_at: datetime


class ToolForm(BaseModel):
    """A tool. `everywhere` is the switch for every tenant, which only the owner of the database turns."""

    tool: str
    off: bool
    here: SwitchForm | None
    everywhere: SwitchForm | None
    held: int
    runs_held: int
    held_minor: dict[str, int]
    on_their_way: int


class BreakerForm(BaseModel):
    """A breaker. `covers` counts what is held and what it stops, or would."""

    breaker: str
    measure: str | None
    stated: bool
    tripped: bool
    cause: str | None
    tripped_at: datetime | None
    resets_at: datetime | None
    reset_at: datetime | None
    changed_by: str | None
    reason: str | None
    covers: int


class LimitForm(BaseModel):
    """What a limit of all refunds holds in one currency within its window."""

    limit: str
    is_breaker: bool
    window_s: int
    automatic_only: bool
    currency: str
    used_minor: int
    cap_minor: int | None
    used_count: int
    cap_count: int | None


class BudgetForm(BaseModel):
    """The budgets of one run; null is none."""

    tool_calls: int | None
    model_calls: int | None
    tokens: int | None
    spend_usd_micros: int | None
    seconds: int | None


class SpentForm(BaseModel):
    """What the runs that began within 24 hours used."""

    runs: int
    exhausted: int
    tool_calls: int
    model_calls: int
    tokens: int
    cost_usd_micros: int


class ControlsForm(BaseModel):
    """Everything that stops the agent, and what it has left."""

    at: datetime
    tools: list[ToolForm]
    breakers: list[BreakerForm]
    limits: list[LimitForm]
    budgets: BudgetForm | None
    spent: SpentForm


class SwitchWish(BaseModel):
    """Off, or on again; and why, for people and the log."""

    off: bool
    reason: Why


class ResetWish(BaseModel):
    """Why the agent may act again."""

    reason: Why


class Changed(BaseModel):
    """What became of it. `changed` is false where it was so already; `stopped` effects will not be sent."""

    changed: bool
    stopped: int = 0


@dataclass(frozen=True, slots=True)
class ControlCalls:
    """The handlers, which the page uses, too."""

    guard: Guard
    new_id: Callable[[str], str]

    async def show_controls(self, request: Request) -> ControlsForm:
        """Show switches, breakers, limits and budgets as they are now."""
        return controls_form(await self.read(signed_in(request).tenant_id))

    async def read(self, tenant_id: str) -> Controls:
        """The same as values."""
        async with self.guard.sessions(tenant_id) as session:
            return await read_controls(session, tenant_id, self.guard.now())

    async def turn_switch(self, tool: Id, wanted: SwitchWish, request: Request) -> Changed:
        """Stop a tool, or let it be used again. What is held by it is stopped at once; what was sent is not undone."""
        visitor = signed_in(request)
        tenant_id, now = visitor.tenant_id, self.guard.now()
        if tool not in set(Tool):
            raise missing("tool", tool)
        async with self.guard.sessions(tenant_id) as session:
            changed = await change_switch(
                session,
                tenant_id=tenant_id,
                tool=tool,
                is_off=wanted.off,
                reason=wanted.reason,
                actor=visitor.actor,
                now=now,
                new_id=self.new_id,
            )
        stopped = await stop_in_vain(self.guard.sessions, tenant_id, now=now, new_id=self.new_id) if wanted.off else ()
        return Changed(changed=changed, stopped=len(stopped))

    async def reset_breaker(self, breaker_id: Id, wanted: ResetWish, request: Request) -> Changed:
        """Let the agent act again. Counting begins anew; money that was paid still counts for its window."""
        visitor = signed_in(request)
        async with self.guard.sessions(visitor.tenant_id) as session:
            stated, rows = await standing(session, visitor.tenant_id)
            if breaker_id not in {*stated, *rows}:
                raise missing("breaker", breaker_id)
            changed = await reset(
                session,
                visitor.tenant_id,
                breaker_id,
                reason=wanted.reason,
                actor=visitor.actor,
                now=self.guard.now(),
                new_id=self.new_id,
            )
        return Changed(changed=changed)


def controls_form(found: Controls) -> ControlsForm:
    """The controls for a program."""
    budgets, spent = found.budgets, found.spent
    return ControlsForm(
        at=found.at,
        tools=[_tool(one) for one in found.tools],
        breakers=[_breaker(one) for one in found.breakers],
        limits=[_limit(one) for one in found.limits],
        budgets=None if budgets is None else BudgetForm.model_validate(budgets, from_attributes=True),
        spent=SpentForm.model_validate(spent, from_attributes=True),
    )


def routes(controls: ControlCalls) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), controls.guard
    reading, steering = Called(guard, READERS, Scope.READ), Called(guard, STEERERS, Scope.STEER)
    call(router, "GET", "/controls", controls.show_controls, reading, gives=ControlsForm)
    call(router, "PUT", "/switches/{tool}", controls.turn_switch, steering, gives=Changed)
    call(router, "POST", "/breakers/{breaker_id}/reset", controls.reset_breaker, steering, gives=Changed)
    return router


def _tool(state: ToolState) -> ToolForm:
    pending = state.pending
    return ToolForm(
        tool=state.tool.value,
        off=state.is_off,
        here=_switch(state.last),
        everywhere=_switch(state.off_everywhere),
        held=pending.held,
        runs_held=pending.runs_held,
        held_minor=dict(pending.held_minor or {}),
        on_their_way=pending.on_their_way,
    )


def _switch(row: Switch | None) -> SwitchForm | None:
    if row is None:
        return None
    return SwitchForm(off=row.is_off, reason=row.reason, actor=row.actor, changed_at=row.changed_at)


def _breaker(state: BreakerState) -> BreakerForm:
    stated, row = state.stated, state.row
    measure = stated.measure.value if stated is not None else row.measure if row is not None else None
    return BreakerForm(
        breaker=state.breaker_id,
        measure=measure,
        stated=stated is not None,
        tripped=state.is_tripped,
        cause=row.cause if row is not None else None,
        tripped_at=row.tripped_at if row is not None else None,
        resets_at=row.resets_at if row is not None else None,
        reset_at=row.reset_at if row is not None else None,
        changed_by=row.changed_by if row is not None else None,
        reason=row.reason if row is not None else None,
        covers=state.covers,
    )


def _limit(state: LimitState) -> LimitForm:
    return LimitForm(
        limit=state.limit_id,
        is_breaker=state.is_breaker,
        window_s=state.window_s,
        automatic_only=state.automatic_only,
        currency=state.currency,
        used_minor=state.used_minor,
        cap_minor=state.cap_minor,
        used_count=state.used_count,
        cap_count=state.cap_count,
    )
