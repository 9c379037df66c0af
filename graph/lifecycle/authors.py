"""Who loosened the policy that decided: they wrote or published it, so they do not also approve what it asks about.

Read from the log and from the version. A version that loosens nothing bars nobody.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_LOOSENED = text(
    """
    SELECT v.author, e.actor FROM audit_event e
      JOIN policy_version v ON v.tenant_id = e.tenant_id AND v.policy_hash = e.body ->> 'policy_hash'
     WHERE e.tenant_id = :tenant_id AND e.kind IN ('policy.published', 'policy.canary_started')
       AND e.body ->> 'policy_hash' = :policy_hash AND CAST(e.body ->> 'loosens' AS boolean)
    """,
)


async def authors_of_loosening(session: AsyncSession, tenant_id: str, policy_hash: str) -> frozenset[str]:
    """The people who wrote or published this version, where it loosened what decided before it."""
    rows = await session.execute(_LOOSENED, {"tenant_id": tenant_id, "policy_hash": policy_hash})
    return frozenset(person for row in rows for person in row)
