"""Making the digest of some tenants once a week beside the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.beside import keep_looking
from app.identity.accounts import Act
from app.notices.digest import WEEK, gather, tell
from app.pace import is_time
from graph.tenancy import Sessions

LOOK_EVERY_S: Final = 60.0
ACTOR: Final = "digest"
"""Who makes it, as the log names it."""


@dataclass(slots=True)
class Digesting:
    """Looks whether a week is over until asked to stop."""

    sessions: Sessions
    tenants: Sequence[str]
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    stopping: asyncio.Event

    async def run(self) -> None:
        """Look now and then."""
        await keep_looking("the digest", self.tenants, self.look, every_s=LOOK_EVERY_S, stopping=self.stopping)

    async def look(self, tenant_id: str) -> bool:
        """Make the digest where its week is over; a week in which nothing happened makes none."""
        act = Act(ACTOR, self.now(), self.new_id)
        async with self.sessions(tenant_id) as session:
            if not await is_time(session, tenant_id, "digest", act.now, WEEK):
                return False
            digest = await gather(session, tenant_id, act.now)
            if not digest.is_empty:
                await tell(session, tenant_id, digest, act)
            return not digest.is_empty
