"""Alerts for programs: what is open, what was, the rules, and saying that one looks at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlmodel import col
from starlette.requests import Request

from app.alerts.models import Alert, AlertState
from app.alerts.raising import alerts, take
from app.alerts.rules import RULES, Rule, Unit, spelled
from app.api.access import Called
from app.api.routing import Id, call, missing
from app.api.runs import READERS
from app.identity.accounts import Act
from app.identity.roles import ANSWERERS
from app.identity.service_tokens import Scope
from app.web.access import Guard, signed_in
from graph.audit.models import AuditEvent


class AlertForm(BaseModel):
    """An alert. Values are whole numbers in the unit of the rule; `shown` are the same for people."""

    alert_id: str
    rule: str
    subject: str
    state: AlertState
    said: str
    unit: Unit
    value: int
    worst: int
    bound: int
    shown: str
    worst_shown: str
    figures: dict[str, object]
    raised_at: datetime
    held_at: datetime
    resolved_at: datetime | None
    seen_by: str | None
    seen_at: datetime | None


class RuleForm(BaseModel):
    """A rule as the settings have it; without a bound it is off."""

    name: str
    means: str
    unit: Unit
    at_least: int | None
    shown: str | None = Field(description="the bound for people")
    window_s: int
    least: int
    factor_percent: int | None


class RollbackForm(BaseModel):
    """A canary that was taken back: by itself, where `trigger` says by which figures, or by a person."""

    at: datetime
    taken_back: str
    actor: str
    why: str
    trigger: dict[str, object] | None


class AlertsForm(BaseModel):
    """Open alerts first; then the newest that are over; the rules; canaries that were taken back."""

    items: list[AlertForm]
    rules: list[RuleForm]
    rollbacks: list[RollbackForm]


@dataclass(frozen=True, slots=True)
class Alerts:
    """The handlers, which the page uses, too."""

    guard: Guard
    rules: Mapping[str, Mapping[str, Rule]]
    new_id: Callable[[str], str]

    async def list_alerts(self, request: Request) -> AlertsForm:
        """What somebody should look at, and what was."""
        tenant_id = signed_in(request).tenant_id
        query = (
            select(AuditEvent)
            .where(col(AuditEvent.tenant_id) == tenant_id, col(AuditEvent.kind) == "policy.rolled_back")
            .order_by(col(AuditEvent.seq).desc())
            .limit(20)
        )
        async with self.guard.sessions(tenant_id) as session:
            items = [alert_form(one) for one in await alerts(session, tenant_id)]
            told = [_rollback(one) for one in (await session.execute(query)).scalars() if one.body.get("canary")]
        return AlertsForm(items=items, rules=[_rule(one) for one in self.rules[tenant_id].values()], rollbacks=told)

    async def take_alert(self, alert_id: Id, request: Request) -> AlertForm:
        """Say that one looks at it, so that others need not. Said twice it is said once."""
        visitor = signed_in(request)
        act = Act(visitor.actor, self.guard.now(), self.new_id)
        async with self.guard.sessions(visitor.tenant_id) as session:
            taken = await take(session, visitor.tenant_id, alert_id, act)
            if taken is None:
                raise missing("alert", alert_id)
            return alert_form(taken)


def routes(alerting: Alerts) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), alerting.guard
    call(router, "GET", "/alerts", alerting.list_alerts, Called(guard, READERS, Scope.READ), gives=AlertsForm)
    acting = Called(guard, ANSWERERS, Scope.REVIEW)
    call(router, "PUT", "/alerts/{alert_id}/taken", alerting.take_alert, acting, gives=AlertForm)
    return router


def alert_form(alert: Alert) -> AlertForm:
    """An alert as it is kept."""
    unit = RULES[alert.rule].unit if alert.rule in RULES else Unit.COUNT
    own = {name: getattr(alert, name) for name in AlertForm.model_fields if hasattr(alert, name)}
    shown = {"shown": spelled(alert.value, unit), "worst_shown": spelled(alert.worst, unit)}
    return AlertForm.model_validate({**own, "unit": unit, **shown})


def _rule(rule: Rule) -> RuleForm:
    return RuleForm(
        name=rule.name,
        means=rule.means,
        unit=rule.unit,
        at_least=rule.at_least,
        shown=spelled(rule.at_least, rule.unit) if rule.at_least is not None else None,
        window_s=int(rule.window.total_seconds()),
        least=rule.least,
        factor_percent=rule.factor_percent,
    )


def _rollback(event: AuditEvent) -> RollbackForm:
    trigger = event.body.get("trigger")
    return RollbackForm(
        at=event.at,
        taken_back=str(event.body.get("taken_back")),
        actor=event.actor,
        why=str(event.body.get("why") or ""),
        trigger=trigger if isinstance(trigger, dict) else None,
    )
