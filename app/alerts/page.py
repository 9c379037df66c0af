"""The page of alerts: what is open, canaries that were taken back with what made it so, the rules, what is over."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.alerts.models import AlertState
from app.api.alerts import Alerts
from app.api.routing import Id
from app.identity.accounts import names_of
from app.identity.roles import ANSWERERS, PEOPLE
from app.web.access import add, signed_in
from app.web.formats import formats_of
from app.web.forms import back_to
from app.web.rendering import Renderer


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """The handlers."""

    alerts: Alerts
    renderer: Renderer

    async def show(self, tenant_id: str, request: Request) -> Response:
        """Everything there is."""
        found = await self.alerts.list_alerts(request)
        people = {one.seen_by or "" for one in found.items} | {one.actor for one in found.rollbacks}
        async with self.alerts.guard.sessions(tenant_id) as session:
            names = await names_of(session, tenant_id, people)
        return self.renderer.page(
            request,
            "alerts.html",
            tenant_id=tenant_id,
            opened=[one for one in found.items if one.state is AlertState.OPEN],
            over=[one for one in found.items if one.state is AlertState.RESOLVED],
            rollbacks=found.rollbacks,
            rules=found.rules,
            names=names,
            f=formats_of(request, self.alerts.guard.now()),
            may_take=bool(signed_in(request).roles & ANSWERERS),
        )

    async def take(self, tenant_id: str, alert_id: Id, request: Request) -> Response:
        """Somebody looks at it."""
        await self.alerts.take_alert(alert_id, request)
        return back_to(tenant_id, "alerts")


def routes(page: AlertsPage) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), page.alerts.guard
    add(router, "GET", "/t/{tenant_id}/alerts", page.show, guard.allow(PEOPLE))
    add(router, "POST", "/t/{tenant_id}/alerts/{alert_id}/taken", page.take, guard.allow(ANSWERERS))
    return router
