"""Which breakers have tripped, what they cover, and the two changes there are: a trip and a reset. Each is an event.

Read in the transaction that reserves an effect and again in the one before it leaves, like a switch, so that the next
effect is stopped and not the next deploy. A breaker never stops what a person has approved, a note to colleagues, or
the word to a customer that their money is on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import append
from graph.breakers.models import TrippedBreaker
from policies.breakers import Breaker, Scope
from policies.vocabulary import Intent, Tool

ACTOR: Final = "breakers"
ACTS: Final = frozenset(
    {Tool.STRIPE_REFUND, Tool.STRIPE_CANCEL_SUBSCRIPTION, Tool.STRIPE_CANCEL_PAYMENT, Tool.ZENDESK_REPLY},
)
"""Tools whose trouble stops their own use only. Without any other tool, nothing that the agent does can be trusted."""

TRIPPED: Final = "breaker_tripped"
"""Code of an effect that a breaker stopped."""

LIMIT_PREFIX: Final = "breaker/"
"""Begins the id of the limit that holds a breaker of money."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What an effect is part of, as far as it is known, so that a breaker can tell whether it covers it."""

    intent: str | None = None
    brand: str | None = None
    tier: str | None = None

    def form(self) -> dict[str, str | None]:
        """As the effect's row keeps it."""
        return {"intent": self.intent, "brand": self.brand, "tier": self.tier}

    @classmethod
    def read(cls, form: Mapping[str, str | None]) -> Watched:
        """What an effect's row keeps."""
        return cls(form.get("intent"), form.get("brand"), form.get("tier"))


async def tripped(session: AsyncSession, tenant_id: str) -> tuple[TrippedBreaker, ...]:
    """The breakers that are tripped now, by id."""
    query = (
        select(TrippedBreaker)
        .where(col(TrippedBreaker.tenant_id) == tenant_id, col(TrippedBreaker.is_tripped).is_(True))
        .order_by(col(TrippedBreaker.breaker_id))
        .execution_options(populate_existing=True)
    )
    return tuple((await session.execute(query)).scalars())


def covering(breakers: tuple[TrippedBreaker, ...], tool: str, watched: Watched) -> TrippedBreaker | None:
    """The first of the breakers that covers the use of a tool for such a case."""
    return next((one for one in breakers if _covers(one, tool, watched)), None)


def _covers(breaker: TrippedBreaker, tool: str, watched: Watched) -> bool:
    return covers(breaker.tool, scope_of(breaker), tool, watched)


def covers(breaker_tool: str | None, scope: Scope, tool: str, watched: Watched) -> bool:
    """Whether a breaker of that tool and scope, once tripped, stops the use of `tool` for such a case."""
    if breaker_tool in ACTS and breaker_tool != tool:
        return False
    return scope.covers(watched.intent, watched.brand, watched.tier)


def scope_of(breaker: TrippedBreaker) -> Scope:
    """What it covered when it tripped."""
    return Scope(Intent(breaker.intent) if breaker.intent is not None else None, breaker.brand, breaker.tier)


def told(breaker: TrippedBreaker) -> str:
    """That it has tripped and why, for people."""
    return f"breaker {breaker.breaker_id} tripped: {breaker.cause}"


async def trip(
    session: AsyncSession,
    tenant_id: str,
    breaker: Breaker,
    *,
    cause: str,
    figures: Mapping[str, object],
    now: datetime,
    new_id: Callable[[str], str],
) -> bool:
    """Trip a breaker, in the session's transaction and as its last write. False where it was tripped already."""
    row: dict[str, object] = {
        "is_tripped": True,
        "measure": breaker.measure.value,
        "tool": breaker.tool.value if breaker.tool is not None else None,
        "intent": breaker.scope.intent.value if breaker.scope.intent is not None else None,
        "brand": breaker.scope.brand,
        "tier": breaker.scope.tier,
        "cause": cause,
        "figures": dict(figures),
        "tripped_at": now,
        "resets_at": None if breaker.cool_down_s is None else now + timedelta(seconds=breaker.cool_down_s),
        "changed_by": ACTOR,
        "reason": None,
    }
    statement = insert(TrippedBreaker).values(tenant_id=tenant_id, breaker_id=breaker.breaker_id, **row)
    changed = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "breaker_id"], set_=row, where=col(TrippedBreaker.is_tripped).is_(False)
        ).returning(col(TrippedBreaker.breaker_id)),
    )
    if changed.scalar_one_or_none() is None:
        return False
    covers = {name: row[name] for name in ("tool", "intent", "brand", "tier") if row[name] is not None}
    body = {
        "breaker": breaker.breaker_id,
        "measure": breaker.measure.value,
        "cause": cause,
        "figures": dict(figures),
        "covers": covers,
    }
    await append(session, tenant_id=tenant_id, at=now, kind="breaker.tripped", actor=ACTOR, new_id=new_id, body=body)
    return True


async def reset(
    session: AsyncSession,
    tenant_id: str,
    breaker_id: str,
    *,
    reason: str,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> bool:
    """Reset a breaker, in the session's transaction and as its last write. False where it is not tripped.

    Counting begins anew: what tripped it does not trip it again. Money that was paid still counts for its window.
    """
    query = select(TrippedBreaker).where(
        col(TrippedBreaker.tenant_id) == tenant_id,
        col(TrippedBreaker.breaker_id) == breaker_id,
        col(TrippedBreaker.is_tripped).is_(True),
    )
    row = (await session.execute(query.with_for_update())).scalar_one_or_none()
    if row is None:
        return False
    row.is_tripped, row.reset_at, row.resets_at = False, now, None
    row.changed_by, row.reason = actor, reason
    await session.flush()
    body = {"breaker": breaker_id, "reason": reason, "tripped_at": row.tripped_at.isoformat()}
    await append(session, tenant_id=tenant_id, at=now, kind="breaker.reset", actor=actor, new_id=new_id, body=body)
    return True
