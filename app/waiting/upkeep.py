"""What the queue needs from time to time: reminders, checks that are due, claims that are over. Beside the worker.

Several workers may do it at once: each thing is done once, whoever comes first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.beside import keep_looking
from app.identity.accounts import Act
from app.tenants import ReviewSettings
from app.waiting import checks, claims
from app.waiting.reminding import remind
from app.waiting.rules import Assignment, QueueRules
from graph.tenancy import Sessions

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 5.0
ACTOR: Final = "queue"
"""Who reminds and draws, as the log names it."""


def rules_of(settings: ReviewSettings) -> QueueRules:
    """The rules that the settings name."""
    return QueueRules(
        answer_within=timedelta(seconds=settings.answer_within_s),
        claimed_for=timedelta(seconds=settings.claimed_for_s),
        remind_before=timedelta(seconds=settings.remind_before_s),
        blind_percent=settings.blind_percent,
        planted_percent=settings.planted_percent,
        check_for=timedelta(seconds=settings.check_for_s),
        batch_risk_at_most=settings.batch_risk_at_most,
        assign=tuple(Assignment(one.to, one.above, one.at_most, one.intents) for one in settings.assign),
    )


@dataclass(slots=True)
class Upkeep:
    """Looks after the queues of some tenants until asked to stop."""

    sessions: Sessions
    rules: Mapping[str, QueueRules]
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    stopping: asyncio.Event

    async def run(self) -> None:
        """Look now and then; an outage of the database is waited out."""
        await keep_looking("the queue", self.rules, self.look, every_s=LOOK_EVERY_S, stopping=self.stopping)

    async def look(self, tenant_id: str) -> None:
        """One look at one tenant."""
        rules, act = self.rules[tenant_id], Act(ACTOR, self.now(), self.new_id)
        async with self.sessions(tenant_id) as session:
            await claims.sweep(session, tenant_id, now=act.now)
            await checks.draw(session, tenant_id, rules, act)
            reminded = await remind(session, tenant_id, before=rules.remind_before, act=act)
        if reminded:
            log.info("%d questions of %s wait for an answer, and their time runs out", len(reminded), tenant_id)
