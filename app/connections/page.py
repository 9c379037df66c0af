"""The page of connectors: how each stands, the doctor's findings, and what the agent can and cannot do."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.api.connectors import OPERATORS, Connectors
from app.api.routing import Id
from app.identity.roles import PEOPLE
from app.web.access import add, signed_in
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
            may_operate=bool(signed_in(request).roles & OPERATORS),
            now=self.connectors.guard.now(),
        )

    async def check(self, tenant_id: str, request: Request) -> Response:
        """Ask the vendors."""
        await self.connectors.check_connectors(request)
        return _back(tenant_id)

    async def restore(self, tenant_id: str, connector: Id, request: Request) -> Response:
        """Let a connector act again."""
        await self.connectors.restore_connector(connector, request)
        return _back(tenant_id)


def routes(page: ConnectorsPage) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), page.connectors.guard
    below, operating = "/t/{tenant_id}/connectors", guard.allow(OPERATORS)
    add(router, "GET", below, page.show, guard.allow(PEOPLE))
    add(router, "POST", f"{below}/check", page.check, operating)
    add(router, "POST", f"{below}/{{connector}}/restored", page.restore, operating)
    return router


def _back(tenant_id: str) -> Response:
    return RedirectResponse(f"/t/{quote(tenant_id)}/connectors", HTTPStatus.SEE_OTHER)
