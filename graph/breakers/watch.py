"""Looking at the figures: trips what has reached its bound, resets what has cooled down, finds what is held in vain.

Called every second by every worker; each change happens once, by the row of its breaker. Money is not looked at here:
the reservation that would pass its bound is refused by the database, and trips it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.breakers.models import TrippedBreaker
from graph.breakers.tally import counted, forget
from graph.breakers.trips import ACTOR, TRIPPED, Watched, covering, reset, told, trip, tripped
from graph.settlement.models import Effect, EffectState
from graph.settlement.stop import stop
from graph.settlement.switches import read_switches
from graph.tenancy import Sessions
from policies.breakers import Breaker, Measure

_OVERRIDES: Final = text(
    """
    SELECT count(*) FILTER (WHERE approval.state = 'rejected' OR approval.sealed_reply IS NOT NULL), count(*)
      FROM approval JOIN run USING (tenant_id, run_id)
     WHERE approval.tenant_id = :tenant_id AND approval.decided_at > :since
       AND (CAST(:brand AS text) IS NULL OR run.brand = :brand)
       AND (CAST(:intent AS text) IS NULL OR run.actions @> jsonb_build_array(jsonb_build_object('intent', :intent)))
       AND (CAST(:tier AS text) IS NULL OR run.actions @> jsonb_build_array(jsonb_build_object('tier', :tier)))
    """,
)


@dataclass(frozen=True, slots=True)
class Stopped:
    """A held effect that may not be sent: `reason` is a code, `detail` a sentence."""

    effect_id: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look changed: breakers that tripped, breakers that cooled down, held effects that were stopped."""

    tripped: tuple[str, ...]
    cooled: tuple[str, ...]
    stopped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reached:
    breaker: Breaker
    cause: str
    figures: Mapping[str, object]


async def look(
    sessions: Sessions,
    tenant_id: str,
    breakers: Sequence[Breaker],
    *,
    now: datetime,
    new_id: Callable[[str], str],
) -> Seen:
    """One look at a tenant's figures. Each change is a transaction of its own: no lock is taken after the log's."""
    async with sessions(tenant_id) as session:
        due = [one.breaker_id for one in await tripped(session, tenant_id) if one.resets_at and one.resets_at <= now]
    for name in due:
        async with sessions(tenant_id) as session:
            await reset(session, tenant_id, name, reason="it has cooled down", actor=ACTOR, now=now, new_id=new_id)
    async with sessions(tenant_id) as session:
        reached = await _reached(session, tenant_id, breakers, now)
        await forget(session, tenant_id, now=now)
    for one in reached:
        async with sessions(tenant_id) as session:
            await trip(session, tenant_id, one.breaker, cause=one.cause, figures=one.figures, now=now, new_id=new_id)
    stopped = await stop_in_vain(sessions, tenant_id, now=now, new_id=new_id)
    return Seen(tuple(one.breaker.breaker_id for one in reached), tuple(due), stopped)


async def stop_in_vain(
    sessions: Sessions, tenant_id: str, *, now: datetime, new_id: Callable[[str], str]
) -> tuple[str, ...]:
    """Stop what is held and may not be sent, one transaction each; the ids. Twice at once, each is stopped once."""
    async with sessions(tenant_id) as session:
        in_vain = await held_in_vain(session, tenant_id)
    for held in in_vain:
        async with sessions(tenant_id) as session:
            await stop(
                session,
                tenant_id,
                held.effect_id,
                reason=held.reason,
                detail=held.detail,
                actor=ACTOR,
                now=now,
                new_id=new_id,
            )
    return tuple(one.effect_id for one in in_vain)


async def _reached(session: AsyncSession, tenant_id: str, breakers: Sequence[Breaker], now: datetime) -> list[_Reached]:
    """The breakers that have reached their bound and are not tripped."""
    found = await session.execute(select(TrippedBreaker).where(col(TrippedBreaker.tenant_id) == tenant_id))
    known = {row.breaker_id: row for row in found.scalars()}
    reached: list[_Reached] = []
    for breaker in breakers:
        row = known.get(breaker.breaker_id)
        if breaker.measure is Measure.MONEY or (row is not None and row.is_tripped):
            continue
        since = now - timedelta(seconds=breaker.window_s)
        if row is not None and row.reset_at is not None:
            since = max(since, row.reset_at)
        bad, total = await _figures(session, tenant_id, breaker, since)
        if breaker.trips_at(bad, total):
            cause = f"{bad} of {total} {_WORDS[breaker.measure]} within {breaker.window_s} s"
            reached.append(_Reached(breaker, cause, {"bad": bad, "total": total, "since": since.isoformat()}))
    return reached


_WORDS: Final = {
    Measure.OVERRIDES: "answers of people were no plain yes",
    Measure.INJECTIONS: "messages tried to instruct the agent",
    Measure.TOOL_ERRORS: "calls went wrong",
    Measure.MODEL_ERRORS: "calls of a model went wrong",
}


async def _figures(session: AsyncSession, tenant_id: str, breaker: Breaker, since: datetime) -> tuple[int, int]:
    """How many went wrong, of how many."""
    if breaker.measure is Measure.OVERRIDES:
        scope = breaker.scope
        values = {"tenant_id": tenant_id, "since": since, "brand": scope.brand, "tier": scope.tier}
        values["intent"] = scope.intent.value if scope.intent is not None else None
        bad, total = (await session.execute(_OVERRIDES, values)).one()
        return int(bad), int(total)
    subject = breaker.tool.value if breaker.tool is not None else None
    return await counted(session, tenant_id, breaker.measure, since=since, subject=subject, brand=breaker.scope.brand)


async def held_in_vain(session: AsyncSession, tenant_id: str) -> list[Stopped]:
    """Held effects that a switch or a breaker stops. They need not wait for the end of their hold to be told so."""
    switches = await read_switches(session, tenant_id)
    breakers = await tripped(session, tenant_id)
    if not switches and not breakers:
        return []
    query = (
        select(Effect)
        .where(col(Effect.tenant_id) == tenant_id, col(Effect.state) == EffectState.HELD.value)
        .order_by(col(Effect.effect_id))
    )
    held = (await session.execute(query)).scalars()
    return [stopped for effect in held if (stopped := _stopped_by(effect, switches, breakers)) is not None]


def _stopped_by(effect: Effect, switches: Mapping[str, str], breakers: tuple[TrippedBreaker, ...]) -> Stopped | None:
    if effect.tool in switches:
        detail = f"{effect.tool} is switched off: {switches[effect.tool]}"
        return Stopped(effect.effect_id, "switched_off", detail)
    if effect.watched is None or effect.approval_id is not None:
        return None
    breaker = covering(breakers, effect.tool, Watched.read(effect.watched))
    return None if breaker is None else Stopped(effect.effect_id, TRIPPED, told(breaker))
