"""The page of connectors: how each stands, the doctor's findings, and what the agent can and cannot do."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.connectors import Connectors
from app.api.routing import Id
from app.identity.roles import PEOPLE, STEERERS
from app.web.access import add, signed_in
from app.web.formats import formats_of
from app.web.forms import back_to
from app.web.rendering import Renderer


@dataclass(frozen=True, slots=True)
class ConnectorsPage:
    """The handlers."""

    connectors: Connectors
    renderer: Renderer

    async def show(self, tenant_id: str, request: Request) -> Response:
        """Everything there is."""
        found = await self.connectors.list_connectors(request)
        return self.renderer.page(
            request,
            "connectors.html",
            tenant_id=tenant_id,
            connectors=found.items,
            abilities=found.abilities,
            may_operate=bool(signed_in(request).roles & STEERERS),
            now=self.connectors.guard.now(),
            f=formats_of(request, self.connectors.guard.now()),
        )

    async def check(self, tenant_id: str, request: Request) -> Response:
        """Ask the vendors."""
        await self.connectors.check_connectors(request)
        return back_to(tenant_id, "connectors")

    async def restore(self, tenant_id: str, connector: Id, request: Request) -> Response:
        """Let a connector act again."""
        await self.connectors.restore_connector(connector, request)
        return back_to(tenant_id, "connectors")


def routes(page: ConnectorsPage) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), page.connectors.guard
    below, operating = "/t/{tenant_id}/connectors", guard.allow(STEERERS)
    add(router, "GET", below, page.show, guard.allow(PEOPLE))
    add(router, "POST", f"{below}/check", page.check, operating)
    add(router, "POST", f"{below}/{{connector}}/restored", page.restore, operating)
    return router
