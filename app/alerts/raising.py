"""Raising an alert once, keeping it while it holds, resolving it when it is calm; and a person who looks at it.

INVARIANT: of a rule and a subject one alert is open, however many processes look: the index `alert_open` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.alerts.measuring import measured
from app.alerts.models import Alert, AlertState
from app.alerts.rules import CALM, Figure, Rule, bound_of, sentence
from app.identity.accounts import Act
from graph.audit.log import NewEvent, append_all


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look changed: ids of alerts that were raised, and of those that were resolved."""

    raised: tuple[str, ...]
    resolved: tuple[str, ...]


async def look(session: AsyncSession, tenant_id: str, rule: Rule, act: Act) -> Looked:
    """Measure one rule and change its alerts, in the session's transaction."""
    figures = await measured(session, tenant_id, rule, act.now) if rule.at_least is not None else []
    query = (
        select(Alert)
        .where(
            col(Alert.tenant_id) == tenant_id, col(Alert.rule) == rule.name, col(Alert.state) == AlertState.OPEN.value
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    known = {alert.subject: alert for alert in (await session.execute(query)).scalars()}
    events: list[NewEvent] = []
    raised: list[str] = []
    for figure in figures:
        bound = bound_of(rule, figure)
        if bound is None or figure.value < bound:
            continue
        alert = known.pop(figure.subject, None)
        if alert is not None:
            alert.value, alert.held_at = figure.value, act.now
            alert.worst = max(alert.worst, figure.value)
            continue
        made = await _raise(session, tenant_id, rule, figure, bound, act)
        if made is not None:
            raised.append(made.alert_id)
            events.append(_event(made, "alert.raised", act))
    resolved: list[str] = []
    for alert in known.values():
        if alert.held_at + CALM > act.now:
            continue
        alert.state, alert.resolved_at = AlertState.RESOLVED.value, act.now
        resolved.append(alert.alert_id)
        events.append(_event(alert, "alert.resolved", act))
    await session.flush()
    await append_all(session, tenant_id, events)
    return Looked(tuple(raised), tuple(resolved))


async def alerts(session: AsyncSession, tenant_id: str, *, most: int = 200) -> Sequence[Alert]:
    """Alerts, the open ones first, the newest first among them."""
    query = (
        select(Alert)
        .where(col(Alert.tenant_id) == tenant_id)
        .order_by(col(Alert.state), col(Alert.raised_at).desc(), col(Alert.alert_id))
        .limit(most)
    )
    return (await session.execute(query)).scalars().all()


async def take(session: AsyncSession, tenant_id: str, alert_id: str, act: Act) -> Alert | None:
    """Somebody says that they look at an alert, in the session's transaction; None where there is no such alert.

    Nothing follows but that others know. Said twice it is said once.
    """
    alert = await session.get(Alert, (tenant_id, alert_id), with_for_update=True)
    if alert is None:
        return None
    if alert.seen_by is None:
        alert.seen_by, alert.seen_at = act.actor, act.now
        await session.flush()
        await append_all(session, tenant_id, [_event(alert, "alert.taken", act)])
    return alert


async def _raise(
    session: AsyncSession, tenant_id: str, rule: Rule, figure: Figure, bound: int, act: Act
) -> Alert | None:
    """A new alert; None where another process was faster."""
    told = {"counted": figure.counted, "before": figure.before, "window_s": int(rule.window.total_seconds())}
    row = {
        "tenant_id": tenant_id,
        "alert_id": act.new_id("alt"),
        "rule": rule.name,
        "subject": figure.subject,
        "state": AlertState.OPEN.value,
        "said": sentence(rule, figure, bound),
        "value": figure.value,
        "worst": figure.value,
        "bound": bound,
        "figures": {name: value for name, value in {**told, **(figure.more or {})}.items() if value is not None},
        "raised_at": act.now,
        "held_at": act.now,
    }
    made = await session.execute(insert(Alert).values(row).on_conflict_do_nothing().returning(Alert))
    return made.scalar_one_or_none()


def _event(alert: Alert, kind: str, act: Act) -> NewEvent:
    body = {
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "subject": alert.subject,
        "said": alert.said,
        "value": alert.value,
        "worst": alert.worst,
        "bound": alert.bound,
        "figures": dict(alert.figures),
    }
    return NewEvent(act.new_id("evt"), act.now, kind, act.actor, body=body)
