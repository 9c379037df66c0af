"""One worker at a time per ticket: a lease with a fencing token, in database time.

INVARIANT: a worker whose lease was taken over cannot commit anything for the ticket (`check` in the same transaction).
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.errors import LeaseLost

_ACQUIRE = text(
    """
    INSERT INTO ticket_lease (tenant_id, ticket_id, holder, token, expires_at)
    VALUES (:tenant_id, :ticket_id, :holder, 1, clock_timestamp() + make_interval(secs => :lease_s))
    ON CONFLICT (tenant_id, ticket_id) DO UPDATE
       SET holder = excluded.holder, token = ticket_lease.token + 1, expires_at = excluded.expires_at
     WHERE ticket_lease.expires_at < clock_timestamp()
    RETURNING token
    """,
)
_RENEW = text(
    """
    UPDATE ticket_lease SET expires_at = clock_timestamp() + make_interval(secs => :lease_s)
     WHERE tenant_id = :tenant_id AND ticket_id = :ticket_id AND token = :token
    RETURNING token
    """,
)
_RELEASE = text(
    """
    UPDATE ticket_lease SET expires_at = clock_timestamp() - interval '1 microsecond'
     WHERE tenant_id = :tenant_id AND ticket_id = :ticket_id AND token = :token
    """,
)
_CHECK = text(
    """
    SELECT 1 FROM ticket_lease WHERE tenant_id = :tenant_id AND ticket_id = :ticket_id AND token = :token FOR SHARE
    """,
)


async def acquire(session: AsyncSession, tenant_id: str, ticket_id: str, *, holder: str, lease_s: float) -> int | None:
    """Take the ticket; the fencing token, or None where another worker holds it."""
    values = {"tenant_id": tenant_id, "ticket_id": ticket_id, "holder": holder, "lease_s": lease_s}
    token: int | None = (await session.execute(_ACQUIRE, values)).scalar_one_or_none()
    return token


async def renew(session: AsyncSession, tenant_id: str, ticket_id: str, *, token: int, lease_s: float) -> None:
    """Keep the ticket.

    Raises:
        LeaseLost: somebody took it over.
    """
    values = {"tenant_id": tenant_id, "ticket_id": ticket_id, "token": token, "lease_s": lease_s}
    if (await session.execute(_RENEW, values)).scalar_one_or_none() is None:
        raise LeaseLost(f"the lease on ticket {ticket_id!r} was taken over: stop")


async def release(session: AsyncSession, tenant_id: str, ticket_id: str, *, token: int) -> None:
    """Give the ticket back at once, if it is still ours."""
    await session.execute(_RELEASE, {"tenant_id": tenant_id, "ticket_id": ticket_id, "token": token})


async def check(session: AsyncSession, tenant_id: str, ticket_id: str, *, token: int) -> None:
    """Hold the lease row until the transaction ends, so that nobody can take the ticket over in between.

    Raises:
        LeaseLost: the token is no longer the current one.
    """
    values = {"tenant_id": tenant_id, "ticket_id": ticket_id, "token": token}
    if (await session.execute(_CHECK, values)).scalar_one_or_none() is None:
        raise LeaseLost(f"the lease on ticket {ticket_id!r} was taken over: stop")
