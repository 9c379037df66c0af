"""Telling places beside the work of a worker: a task for each place, so that a slow one delays nobody and nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import httpx

from app.beside import attempt, pause
from app.notices.mailing import Mailer
from app.notices.signing import decode_secret
from app.notices.telling import Place, tell
from app.settings import Settings
from graph.tenancy import Sessions

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0


def places_of(settings: Settings) -> dict[str, list[Place]]:
    """The places of each tenant, as the settings name them."""
    return {
        tenant_id: [
            Place(
                name=name,
                url=one.url or "",
                to=one.to,
                form=one.form,
                kinds=one.kinds,
                secret=decode_secret(one.secret.get_secret_value()) if one.secret is not None else None,
                base_url=settings.public_url or f"http://{settings.host}:{settings.port}",
            )
            for name, one in sorted(tenant.notices.items())
        ]
        for tenant_id, tenant in settings.tenants.items()
    }


def mailer_of(settings: Settings) -> Mailer | None:
    """The mail server that the settings name, or None."""
    smtp = settings.smtp
    if smtp.host is None:
        return None
    password = smtp.password.get_secret_value() if smtp.password is not None else None
    return Mailer(smtp.host, smtp.port, smtp.security, smtp.sender, smtp.timeout_s, smtp.username, password)


@dataclass(slots=True)
class Noticing:
    """Tells the places of some tenants until asked to stop."""

    sessions: Sessions
    places: Mapping[str, Sequence[Place]]
    now: Callable[[], datetime]
    stopping: asyncio.Event
    mailer: Mailer | None = None
    _told: dict[tuple[str, str], str | None] = field(default_factory=dict)

    async def run(self) -> None:
        """Look and tell; an outage of the database is waited out."""
        # Not by a proxy or a redirect: a message goes where the settings say, and nowhere else.
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False) as client:
            pairs = [(tenant_id, place) for tenant_id, places in self.places.items() for place in places]
            await asyncio.gather(*(self._keep_telling(client, tenant_id, place) for tenant_id, place in pairs))

    async def _keep_telling(self, client: httpx.AsyncClient, tenant_id: str, place: Place) -> None:
        while not self.stopping.is_set():
            await attempt(f"telling {place.name} of {tenant_id}", self._tell(client, tenant_id, place))
            await pause(self.stopping, LOOK_EVERY_S)

    async def _tell(self, client: httpx.AsyncClient, tenant_id: str, place: Place) -> None:
        """Tell what is due. A problem is said once, and not at every attempt."""
        done = await tell(self.sessions, tenant_id, place, client, now=self.now(), mailer=self.mailer)
        if done is None or done.problem == self._told.get((tenant_id, place.name)):
            return
        self._told[tenant_id, place.name] = done.problem
        if done.problem is not None:
            log.warning("notices to %s of %s wait: %s", place.name, tenant_id, done.problem)
