"""What a person decides about an effect that asking could not resolve. The reservation stays until somebody says so.

It refuses everything but an effect in the state `human`, and moves no money at a vendor: it only records what is true.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from graph.settlement.changes import Change, apply, read_effect
from graph.settlement.models import EffectState


async def resolve(
    session: AsyncSession,
    tenant_id: str,
    effect_id: str,
    *,
    vendor_object: str | None,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> EffectState:
    """Record what a person found at the vendor, in the session's transaction; how the effect stands afterwards.

    `vendor_object` is the id of what they found, such as the refund; None says that it did not happen, which gives the
    reserved money back.

    Raises:
        MissingRow: no such effect in this tenant.
    """
    effect = await read_effect(session, tenant_id, effect_id)
    if effect.state != EffectState.HUMAN.value:
        return EffectState(effect.state)
    if vendor_object is None:
        change = Change(EffectState.RELEASED, reason="resolved_by_person", detail="a person found nothing")
    else:
        columns = {"vendor_object": vendor_object}
        change = Change(EffectState.SETTLED, reason="resolved_by_person", columns=columns)
    await apply(session, effect, change, now=now, actor=actor, new_id=new_id)
    return EffectState((await read_effect(session, tenant_id, effect_id)).state)
