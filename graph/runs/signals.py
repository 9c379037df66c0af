"""What a waiting run can go on with: the thing it waits for, or something that overtakes it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlmodel import col

from graph.runs.inbox import Incoming
from graph.runs.models import Run, WaitFor
from graph.runtime import Runtime
from graph.settlement.approvals import expire
from graph.settlement.models import Approval, ApprovalState, Effect, EffectState
from graph.settlement.stop import stop_run

Signal = Mapping[str, object]

_FINAL = frozenset(
    {EffectState.SETTLED, EffectState.RELEASED, EffectState.STOPPED, EffectState.HUMAN, EffectState.REVERSED},
)
_ANSWERS = {
    ApprovalState.APPROVED: "approved",
    ApprovalState.USED: "approved",
    ApprovalState.REJECTED: "rejected",
    ApprovalState.ASKED: "asked",
    ApprovalState.EXPIRED: "expired",
    ApprovalState.STALE: "stale",
}


async def signal_for(runtime: Runtime, run: Run, incoming: Incoming) -> Signal | None:
    """What happened, or nothing yet.

    What comes from outside overtakes what is waited for, but never a request that may be on its way: an effect in doubt
    is waited for first, and what is still held is stopped, because it answers a message that is no longer the newest.
    """
    overtaken = _overtaken(incoming)
    match WaitFor(run.wait_for or WaitFor.SETTLEMENT):
        case WaitFor.SETTLEMENT:
            return (overtaken or {"kind": "effects_final"}) if await _all_final(runtime, run) else None
        case WaitFor.REVIEW:
            return overtaken or await _review(runtime, run)
        case WaitFor.CUSTOMER:
            if overtaken is None and run.wait_until is not None and runtime.now() >= run.wait_until:
                return {"kind": "silent"}
            return overtaken
        case WaitFor.VENDOR | WaitFor.KEY:
            return None


def _overtaken(incoming: Incoming) -> Signal | None:
    if incoming.gone:
        return {"kind": "ticket_gone"}
    if incoming.staff:
        person = next((event.details["account"] for event in incoming.staff if event.details.get("account")), None)
        return {"kind": "human_took_over"} | ({"actor": person} if person is not None else {})
    return {"kind": "new_message"} if incoming.messages else None


async def stop_overtaken(runtime: Runtime, run: Run, incoming: Incoming) -> None:
    """Stop what is held where something came in that overtakes it, before anything that is due is sent."""
    overtaken = _overtaken(incoming)
    if overtaken is not None and run.wait_for == WaitFor.SETTLEMENT.value:
        await _stop_held(runtime, run, str(overtaken["kind"]))


async def _stop_held(runtime: Runtime, run: Run, reason: str) -> None:
    async with runtime.sessions(run.tenant_id) as session:
        await stop_run(
            session,
            run.tenant_id,
            run.run_id,
            reason=reason,
            actor="intake",
            now=runtime.now(),
            new_id=runtime.new_id,
        )


async def _all_final(runtime: Runtime, run: Run) -> bool:
    async with runtime.sessions(run.tenant_id) as session:
        query = select(col(Effect.state)).where(
            col(Effect.tenant_id) == run.tenant_id,
            col(Effect.effect_id).in_(run.waits_on),
        )
        states = [EffectState(state) for state in (await session.execute(query)).scalars()]
    return len(states) == len(run.waits_on) and all(state in _FINAL for state in states)


async def _review(runtime: Runtime, run: Run) -> Signal | None:
    async with runtime.sessions(run.tenant_id) as session:
        if run.wait_until is not None and runtime.now() >= run.wait_until:
            await expire(session, tenant_id=run.tenant_id, now=runtime.now(), new_id=runtime.new_id)
        approval = await session.get(Approval, (run.tenant_id, run.waits_on[0])) if run.waits_on else None
    if approval is None:
        return {"kind": "stale"}
    answer = _ANSWERS.get(ApprovalState(approval.state))
    return None if answer is None else {"kind": answer, "actor": approval.decided_by or "nobody"}
