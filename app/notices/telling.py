"""Telling one place of the events behind its cursor, in their order, each until the place takes it.

A message is a view on the log. INVARIANT: nothing is read back from it, and no table but the cursor changes, so a lost
or a doubled message never changes what anybody may do (tests/app/waiting/test_checks.py). The cursor moves after the
answer: a message is sent at least once, and its id tells the receiver that it is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import httpx
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.notices.cursor import Cursor
from app.notices.mailing import Mailer
from app.notices.messages import body_of, mail_of
from app.notices.signing import headers_of
from graph.audit.models import AuditEvent
from graph.tenancy import Sessions

TIMEOUT_S: Final = 10.0
AT_ONCE: Final = 50
PATIENCE: Final = 100
"""Attempts for one message, a day of them: then it is skipped and counted, so that the next ones are told."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where messages go: to `url`, or by e-mail to the addresses of `to`.

    `secret` signs what is posted; `base_url` is where people reach our pages.
    """

    name: str
    url: str
    form: str
    kinds: tuple[str, ...]
    secret: bytes | None = None
    base_url: str | None = None
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one look."""

    sent: int = 0
    problem: str | None = None


async def tell(
    sessions: Sessions,
    tenant_id: str,
    place: Place,
    client: httpx.AsyncClient,
    *,
    now: datetime,
    mailer: Mailer | None = None,
) -> Told | None:
    """Send what the place has not heard of; None where another process is at it, or its pause is not over.

    A place that is new hears of what happens from then on. Nothing of ours is locked while a message is under way.
    """
    cursor = Cursor(tenant_id, place.name)
    async with sessions(tenant_id) as session:
        await cursor.begin(session, from_the_start=False)
        leased = await cursor.lease(session, lease_s=TIMEOUT_S * 2)
        if leased is None:
            return None
        events = await _behind(session, tenant_id, place, leased[0])
    (at, attempts), sent = leased, 0
    for event in events:
        problem = await (_mail(mailer, place, event, now) if place.to else _send(client, place, event, now))
        if problem is None:
            await cursor.move(sessions, was=at, to=event.seq + 1, told_at=now)
            at, attempts, sent = event.seq + 1, 0, sent + 1
        elif attempts + 1 >= PATIENCE:
            await cursor.move(sessions, was=at, to=event.seq + 1, problem=problem, skipped=1)
            at, attempts = event.seq + 1, 0
        else:
            await cursor.move(sessions, was=at, to=at, problem=problem, attempts=attempts + 1)
            return Told(sent, problem)
    if not events:
        await cursor.move(sessions, was=at, to=at)
    return Told(sent)


async def _behind(session: AsyncSession, tenant_id: str, place: Place, seq: int) -> Sequence[AuditEvent]:
    query = (
        select(AuditEvent)
        .where(
            col(AuditEvent.tenant_id) == tenant_id,
            col(AuditEvent.kind).in_(place.kinds),
            col(AuditEvent.seq) >= seq,
        )
        .order_by(col(AuditEvent.seq))
        .limit(AT_ONCE)
    )
    found = (await session.execute(query)).scalars().all()
    session.expunge_all()
    return found


async def _send(client: httpx.AsyncClient, place: Place, event: AuditEvent, now: datetime) -> str | None:
    """Post one message; what went wrong, or None."""
    body = body_of(event, place.form, place.base_url)
    headers = headers_of(event.event_id, body, place.secret, now)
    try:
        answer = await client.post(place.url, content=body, headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        # Its words may hold the address, and an address of Slack's is a secret.
        return f"it did not answer ({type(error).__name__})"
    if answer.is_success:
        return None
    return f"it answered {answer.status_code}"


async def _mail(mailer: Mailer | None, place: Place, event: AuditEvent, now: datetime) -> str | None:
    """Mail one message; what went wrong, or None."""
    if mailer is None:
        return "no mail server is configured: set COUNTERSIGN_SMTP__HOST"
    subject, text = mail_of(event, place.base_url)
    return await mailer.send(event.event_id, place.to, subject, text, now)
