"""Which installation we are, as we write it on refunds: others may act for the same Stripe account, and are not us."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def installation_of(session: AsyncSession, tenant_id: str) -> str | None:
    """The tenant's mark, made once with its row and restored with its backups; None where it has none."""
    found = await session.execute(
        text("SELECT installation_id FROM tenant WHERE tenant_id = :tenant_id"), {"tenant_id": tenant_id}
    )
    mark: str | None = found.scalar_one_or_none()
    return mark
