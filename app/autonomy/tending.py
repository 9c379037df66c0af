"""Looking after the autonomy of some tenants beside the worker: drift every few seconds, proposals every hour."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from app.autonomy.drifting import watch
from app.autonomy.looking import ACTOR, look
from app.autonomy.rules import AutonomyRules
from app.beside import keep_looking
from app.identity.accounts import Act
from app.pace import is_time
from app.tenants import AutonomySettings
from graph.tenancy import Sessions

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 3.0
PROPOSE_EVERY: Final = timedelta(hours=1)


def rules_of(settings: AutonomySettings) -> AutonomyRules:
    """The rules that the settings name."""
    return AutonomyRules(
        promote_at_least=settings.promote_at_least_percent,
        demote_below=settings.demote_below_percent,
        window=timedelta(days=settings.window_days),
        proposes=settings.proposes,
        demotes=settings.demotes,
    )


@dataclass(slots=True)
class Tending:
    """Watches and proposes until asked to stop."""

    sessions: Sessions
    rules: Mapping[str, AutonomyRules]
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    stopping: asyncio.Event

    async def run(self) -> None:
        """Look now and then; an outage of the database is waited out."""
        await keep_looking("the autonomy", self.rules, self.look, every_s=LOOK_EVERY_S, stopping=self.stopping)

    async def look(self, tenant_id: str) -> None:
        """One look at one tenant."""
        rules, act, sessions = (
            self.rules[tenant_id],
            Act(ACTOR, self.now(), self.new_id),
            partial(self.sessions, tenant_id),
        )
        for move in await watch(sessions, tenant_id, rules, act):
            log.error("%s %s %s of %s moved down: %s", move.intent, move.segment, move.action, tenant_id, move.reason)
        async with sessions() as session:
            is_due = await is_time(session, tenant_id, "autonomy", act.now, PROPOSE_EVERY)
        if is_due:
            seen = await look(sessions, tenant_id, rules, act, proposes=rules.proposes)
            if seen.proposed:
                log.info("%d cells of %s have earned more autonomy and wait for a yes", len(seen.proposed), tenant_id)
