"""Jobs on the same PostgreSQL, through PgQueuer, in the transaction of the change that makes them necessary.

A job carries ids only. It is a hint that a ticket has something to do; what that is, the worker reads from our tables,
so a job that is lost, repeated or late does no harm: the worker's look-out finds the same work again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from pgqueuer.adapters.drivers.psycopg import PsycopgDriver
from pgqueuer.adapters.persistence.queries import Queries
from psycopg import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncSession

TICKET: Final = "ticket"
AGAIN: Final = "again"
"""A ticket that was busy at the first look."""
EFFECT: Final = "effect"
STRIPE: Final = "stripe"


class _InTransaction(PsycopgDriver):
    """PgQueuer's statements inside a session's transaction: they commit or roll back with it.

    Its own driver insists on autocommit, which listening needs and enqueueing does not.
    """

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection


async def _enqueue(
    session: AsyncSession,
    entrypoint: str,
    payloads: Sequence[bytes],
    *,
    once: bool,
    after: timedelta | None = None,
) -> None:
    if not payloads:
        return
    raw = await (await session.connection()).get_raw_connection()
    connection = raw.driver_connection
    assert isinstance(connection, AsyncConnection)
    keys: list[str | None] = [f"{entrypoint}:{payload.decode()}" if once else None for payload in payloads]
    await Queries(_InTransaction(connection)).enqueue(
        [entrypoint] * len(payloads),
        list(payloads),
        [0] * len(payloads),
        [after] * len(payloads),
        dedupe_key=keys,
        on_conflict="skip",
    )


async def enqueue_tickets(
    session: AsyncSession,
    tenant_id: str,
    ticket_ids: Sequence[str],
    *,
    once: bool = False,
) -> None:
    """Say that tickets have something to do, in the session's transaction.

    Args:
        session: of the change.
        tenant_id: whose tickets.
        ticket_ids: Zendesk's ids.
        once: leave out a ticket that a job is queued or running for. Only for a caller who comes back and looks again:
            a running job may have looked before this change.
    """
    await _enqueue(session, TICKET, [payload(tenant_id, ticket_id) for ticket_id in ticket_ids], once=once)


async def enqueue_again(session: AsyncSession, tenant_id: str, ticket_id: str, *, after: timedelta) -> None:
    """Look at a ticket once more, after so long of database time, because another worker holds it now.

    One such look waits for a ticket at a time, and none follows from it: of a ticket that is held for longer the
    look-out will tell. Otherwise each event of a busy ticket would keep a job of its own going round.
    """
    await _enqueue(session, AGAIN, [payload(tenant_id, ticket_id)], once=True, after=after)


async def enqueue_effects(session: AsyncSession, tenant_id: str, effect_ids: Sequence[str]) -> None:
    """Say that effects are due, in the session's transaction; those already queued or running are left out."""
    await _enqueue(session, EFFECT, [payload(tenant_id, effect_id) for effect_id in effect_ids], once=True)


async def enqueue_stripe(session: AsyncSession, tenant_id: str, event_ids: Sequence[str]) -> None:
    """Say that events of Stripe were stored, in the session's transaction."""
    await _enqueue(session, STRIPE, [payload(tenant_id, event_id) for event_id in event_ids], once=True)


def payload(tenant_id: str, object_id: str) -> bytes:
    """A job's payload."""
    return json.dumps([tenant_id, object_id]).encode()


def read_payload(raw: bytes | None) -> tuple[str, str]:
    """Tenant and object of a job.

    Raises:
        ValueError: it was not written by `payload`.
    """
    parts = json.loads(raw or b"null")
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):  # noqa: PLR2004
        raise ValueError(f"job payload {raw!r} is not a tenant and an id: it was not enqueued by this program")
    return parts[0], parts[1]
