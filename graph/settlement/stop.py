"""Stopping what is held, before anything was sent. What has been sent can no longer be stopped here.

By a person, by a new message of the customer, by a change of the ticket or the charge, or by a switch.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import append_all
from graph.settlement import ledger
from graph.settlement.changes import Change, apply, change_without_event, read_effect
from graph.settlement.models import Effect, EffectState


async def stop(
    session: AsyncSession,
    tenant_id: str,
    effect_id: str,
    *,
    reason: str,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
    detail: str | None = None,
) -> EffectState:
    """Stop one effect and give its money back, in the session's transaction; how it stands afterwards.

    Anything but `STOPPED` means that it was too late, and nothing was changed. `reason` is a code for the log, `detail`
    a sentence for people.

    Raises:
        MissingRow: no such effect in this tenant.
    """
    effect = await read_effect(session, tenant_id, effect_id)
    change = Change(EffectState.STOPPED, reason=reason, detail=detail or reason)
    if await apply(session, effect, change, now=now, actor=actor, new_id=new_id):
        return EffectState.STOPPED
    return EffectState((await read_effect(session, tenant_id, effect_id)).state)


async def stop_run(
    session: AsyncSession,
    tenant_id: str,
    run_id: str,
    *,
    reason: str,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
    detail: str | None = None,
) -> list[str]:
    """Stop everything of a run that is still held; the ids of what was stopped. `detail` is a sentence for people."""
    query = (
        select(Effect)
        .where(
            col(Effect.tenant_id) == tenant_id,
            col(Effect.run_id) == run_id,
            col(Effect.state) == EffectState.HELD.value,
        )
        .order_by(col(Effect.effect_id))
        .execution_options(populate_existing=True)
    )
    held = list((await session.execute(query)).scalars())
    await ledger.lock_for_all(session, tenant_id, held)
    change = Change(EffectState.STOPPED, reason=reason, detail=detail or reason)
    events = {
        effect.effect_id: await change_without_event(session, effect, change, now=now, actor=actor, new_id=new_id)
        for effect in held
    }
    await append_all(session, tenant_id, [event for event in events.values() if event is not None])
    return [effect_id for effect_id, event in events.items() if event is not None]
