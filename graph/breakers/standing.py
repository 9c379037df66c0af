"""How the breakers of a tenant stand: those that the policy states, and every one that has ever tripped."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.breakers.models import TrippedBreaker
from graph.rulebook import deciding, load_policy
from policies.breakers import Breaker


async def standing(session: AsyncSession, tenant_id: str) -> tuple[dict[str, Breaker], dict[str, TrippedBreaker]]:
    """What the published policy states and the rows there are, each by the breaker's id."""
    policy_hash = (await deciding(session, tenant_id)).published
    stated = () if policy_hash is None else (await load_policy(session, tenant_id, policy_hash)).breakers
    query = select(TrippedBreaker).where(col(TrippedBreaker.tenant_id) == tenant_id)
    rows = (await session.execute(query)).scalars()
    return {one.breaker_id: one for one in stated}, {one.breaker_id: one for one in rows}
