"""Looking at the rules of some tenants beside the worker. Each rule is one process's at a time, and often enough."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from app.alerts.raising import Looked, look
from app.alerts.rules import RULES, Rule
from app.beside import keep_looking
from app.identity.accounts import Act
from app.pace import is_time
from app.tenants import AlertSettings
from graph.tenancy import Sessions

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 10.0
ACTOR: Final = "alerts"
"""Who raises and resolves, as the log names it."""


def rules_of(settings: Mapping[str, AlertSettings]) -> dict[str, Rule]:
    """The rules as the settings change them; one that is off has no bound."""
    return {name: _changed(rule, settings.get(name)) for name, rule in RULES.items()}


def pause_of(rule: Rule) -> timedelta:
    """How often a rule is looked at: a hundredth of its window, between ten seconds and ten minutes."""
    return min(max(rule.window / 100, timedelta(seconds=LOOK_EVERY_S)), timedelta(minutes=10))


@dataclass(slots=True)
class Alerting:
    """Looks at the rules until asked to stop."""

    sessions: Sessions
    rules: Mapping[str, Mapping[str, Rule]]
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    stopping: asyncio.Event

    async def run(self) -> None:
        """Look now and then; an outage of the database is waited out."""
        await keep_looking("the alerts", self.rules, self.look, every_s=LOOK_EVERY_S, stopping=self.stopping)

    async def look(self, tenant_id: str) -> list[Looked]:
        """One look at one tenant: each rule whose time has come, in a transaction of its own."""
        found = []
        for rule in self.rules[tenant_id].values():
            act = Act(ACTOR, self.now(), self.new_id)
            async with self.sessions(tenant_id) as session:
                if not await is_time(session, tenant_id, f"alert {rule.name}", act.now, pause_of(rule)):
                    continue
                looked = await look(session, tenant_id, rule, act)
            if looked.raised:
                log.warning("alert %s of %s: %s", rule.name, tenant_id, ", ".join(looked.raised))
            found.append(looked)
        return found


def _changed(rule: Rule, settings: AlertSettings | None) -> Rule:
    if settings is None:
        return rule
    if settings.off:
        return replace(rule, at_least=None)
    window = rule.window if settings.window_s is None else timedelta(seconds=settings.window_s)
    return replace(
        rule,
        at_least=rule.at_least if settings.at_least is None else settings.at_least,
        least=rule.least if settings.least is None else settings.least,
        factor_percent=rule.factor_percent if settings.factor_percent is None else settings.factor_percent,
        window=window,
    )
