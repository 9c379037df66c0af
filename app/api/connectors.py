"""Connectors for programs: how each stands, what the agent can do, checking and restoring them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from app.api.access import Called
from app.api.routing import Id, call, missing
from app.api.runs import READERS
from app.connections.checking import CONNECTORS, configured, keep, look
from app.connections.sight import Ability, ConnectorSight, abilities, connectors
from app.findings import State
from app.identity.accounts import Act
from app.identity.roles import STEERERS
from app.identity.service_tokens import Scope
from app.settings import Settings
from app.web.access import Guard, signed_in
from graph.settlement.draft_only import set_draft_only
from graph.settlement.models import ConnectorState


class FindingForm(BaseModel):
    """A line of `countersign doctor`."""

    subject: str
    state: State
    found: str
    next_step: str


class ConnectorForm(BaseModel):
    """A connector. What is null is not known: nobody has asked, or the vendor does not say."""

    connector: str
    is_configured: bool
    is_draft_only: bool
    reason: str | None
    changed_at: datetime | None
    calls: int = Field(description="of the last hour")
    errors: int = Field(description="of these")
    last_success: datetime | None
    last_failure: datetime | None
    checked_at: datetime | None
    credential_since: datetime | None = Field(description="when the log last said that the credential is another")
    rate_limit: int | None = Field(description="requests a minute")
    rate_left: int | None = Field(description="of these, at the last check")
    may: dict[str, str] = Field(description="what the credential was asked, and what came of it")
    checks: list[FindingForm]


class AbilityForm(BaseModel):
    """What the agent can do: `alone`, `asked` (a person says yes first), `reads`, or `no`."""

    name: str
    can: str
    why: str


class ConnectorsForm(BaseModel):
    """Every connector, and what the agent can and cannot do now."""

    items: list[ConnectorForm]
    abilities: list[AbilityForm]


class RestoredForm(BaseModel):
    """`repeated` says that it was not draft-only."""

    connector: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class Connectors:
    """The handlers, which the page uses, too."""

    guard: Guard
    settings: Settings
    new_id: Callable[[str], str]

    async def list_connectors(self, request: Request) -> ConnectorsForm:
        """How each connector stands, and what the agent can and cannot do."""
        tenant_id = signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            named = configured(self.settings.tenants[tenant_id])
            sights = await connectors(session, tenant_id, named, self.guard.now())
            able = await abilities(session, tenant_id, sights)
            return ConnectorsForm(items=[_form(one) for one in sights], abilities=[_ability(one) for one in able])

    async def check_connectors(self, request: Request) -> ConnectorsForm:
        """Ask every vendor what the credential may do, without changing anything there. Takes seconds."""
        visitor = signed_in(request)
        tenant = self.settings.tenants[visitor.tenant_id]
        found = await asyncio.to_thread(look, self.settings, tenant, self.guard.now)
        async with self.guard.sessions(visitor.tenant_id) as session:
            await keep(session, visitor.tenant_id, found, Act(visitor.actor, self.guard.now(), self.new_id))
        return await self.list_connectors(request)

    async def restore_connector(self, connector: Id, request: Request) -> RestoredForm:
        """Let a connector that fell back to draft-only act again."""
        visitor = signed_in(request)
        if connector not in CONNECTORS:
            raise missing("connector", connector)
        async with self.guard.sessions(visitor.tenant_id) as session:
            state = await session.get(ConnectorState, (visitor.tenant_id, connector))
            if state is None or not state.is_draft_only:
                return RestoredForm(connector=connector, repeated=True)
            changed = await set_draft_only(
                session,
                visitor.tenant_id,
                connector,
                reason=None,
                actor=visitor.actor,
                now=self.guard.now(),
                new_id=self.new_id,
            )
        return RestoredForm(connector=connector, repeated=not changed)


def routes(linked: Connectors) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), linked.guard
    operating = Called(guard, STEERERS, Scope.ADMIN)
    reading = Called(guard, READERS, Scope.READ)
    call(router, "GET", "/connectors", linked.list_connectors, reading, gives=ConnectorsForm)
    call(router, "POST", "/connectors/check", linked.check_connectors, operating, gives=ConnectorsForm)
    call(router, "PUT", "/connectors/{connector}/restored", linked.restore_connector, operating, gives=RestoredForm)
    return router


def _form(one: ConnectorSight) -> ConnectorForm:
    check = one.check
    own = {name: getattr(one, name) for name in ConnectorForm.model_fields if hasattr(one, name)}
    return ConnectorForm.model_validate(
        {
            **own,
            "checked_at": check.checked_at if check is not None else None,
            "rate_limit": check.rate_limit if check is not None else None,
            "rate_left": check.rate_left if check is not None else None,
            "may": check.may if check is not None else {},
            "checks": check.checks if check is not None else [],
        }
    )


def _ability(one: Ability) -> AbilityForm:
    return AbilityForm(name=one.name, can=one.can, why=one.why)
