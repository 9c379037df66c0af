"""Telling one place of the events behind its cursor, in their order, each until the place takes it.

A message is a view on the log. INVARIANT: nothing is read back from it, and no table but the cursor changes, so a lost
or a doubled message never changes what anybody may do (tests/app/waiting/test_checks.py). The cursor moves after the
answer: a message is sent at least once, and its id tells the receiver that it is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.notices.mailing import Mailer
from app.notices.messages import body_of, mail_of
from app.notices.signing import headers_of
from graph.audit.models import AuditEvent
from graph.runtime import Sessions

TIMEOUT_S: Final = 10.0
AT_ONCE: Final = 50
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=15)
PATIENCE: Final = 100
"""Attempts for one message, a day of them: then it is skipped and counted, so that the next ones are told."""

_BEGIN: Final = text(
    """
    INSERT INTO notice_cursor (tenant_id, place, next_seq, attempts, skipped)
    SELECT CAST(:tenant AS varchar), CAST(:place AS varchar),
           coalesce((SELECT size FROM audit_head WHERE tenant_id = CAST(:tenant AS varchar)), 0), 0, 0
    ON CONFLICT DO NOTHING
    """
)
_LEASE: Final = text(
    """
    UPDATE notice_cursor SET try_at = clock_timestamp() + make_interval(secs => :lease_s)
     WHERE tenant_id = :tenant AND place = :place AND try_at <= clock_timestamp()
    RETURNING next_seq, attempts
    """
)
_MOVE: Final = text(
    """
    UPDATE notice_cursor
       SET next_seq = :next_seq, attempts = :attempts, problem = :problem, skipped = skipped + :skipped,
           told_at = coalesce(:told_at, told_at), try_at = clock_timestamp() + make_interval(secs => :pause_s)
     WHERE tenant_id = :tenant AND place = :place AND next_seq = :was
    """
)


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
    values = {"tenant": tenant_id, "place": place.name}
    async with sessions(tenant_id) as session:
        await session.execute(_BEGIN, values)
        leased = (await session.execute(_LEASE, {**values, "lease_s": TIMEOUT_S * 2})).one_or_none()
        if leased is None:
            return None
        events = await _behind(session, tenant_id, place, leased.next_seq)
    at, attempts, sent = leased.next_seq, leased.attempts, 0
    for event in events:
        problem = await (_mail(mailer, place, event, now) if place.to else _send(client, place, event, now))
        if problem is None:
            await _move(sessions, values, was=at, to=event.seq + 1, told_at=now)
            at, attempts, sent = event.seq + 1, 0, sent + 1
        elif attempts + 1 >= PATIENCE:
            await _move(sessions, values, was=at, to=event.seq + 1, problem=problem, skipped=1)
            at, attempts = event.seq + 1, 0
        else:
            await _move(sessions, values, was=at, to=at, problem=problem, attempts=attempts + 1)
            return Told(sent, problem)
    if not events:
        await _move(sessions, values, was=at, to=at)
    return Told(sent)


def pause(attempts: int) -> timedelta:
    """How long a place that did not answer is left alone: twice as long each time, up to a quarter of an hour.

    >>> [pause(attempts).total_seconds() for attempts in (0, 1, 2, 3, 20)]
    [0.0, 5.0, 10.0, 20.0, 900.0]
    """
    return min(FIRST_PAUSE * 2 ** min(attempts - 1, 20), LONGEST_PAUSE) if attempts else timedelta(0)


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


async def _move(
    sessions: Sessions,
    values: dict[str, str],
    *,
    was: int,
    to: int,
    told_at: datetime | None = None,
    problem: str | None = None,
    attempts: int = 0,
    skipped: int = 0,
) -> None:
    moved = {"was": was, "next_seq": to, "told_at": told_at, "problem": problem, "attempts": attempts}
    async with sessions(values["tenant"]) as session:
        await session.execute(
            _MOVE, {**values, **moved, "skipped": skipped, "pause_s": pause(attempts).total_seconds()}
        )
