"""One worker at a time per ticket: a lease with a fencing token, in database time.

INVARIANT: a worker whose lease was taken over cannot commit anything for the ticket (`check` in the same transaction).
"""

from __future__ import annotations

from sqlalchemy import and_, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.errors import LeaseLost
from graph.runs.models import Run, TicketLease

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
_OWN = (
    select(Run)
    .join(
        TicketLease,
        and_(col(TicketLease.tenant_id) == col(Run.tenant_id), col(TicketLease.ticket_id) == col(Run.ticket_id)),
    )
    .where(
        col(Run.tenant_id) == bindparam("tenant_id"),
        col(Run.run_id) == bindparam("run_id"),
        col(TicketLease.token) == bindparam("token"),
    )
    .with_for_update(read=True, of=TicketLease)
    .execution_options(populate_existing=True)
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


async def own(session: AsyncSession, tenant_id: str, run_id: str, *, token: int) -> Run:
    """The run as it is, and its ticket's lease held like `check` does.

    Raises:
        LeaseLost: the token is no longer the current one.
    """
    values = {"tenant_id": tenant_id, "run_id": run_id, "token": token}
    run = (await session.execute(_OWN, values)).scalar_one_or_none()
    if run is None:
        raise LeaseLost(f"the lease on the ticket of run {run_id!r} was taken over: stop")
    return run
