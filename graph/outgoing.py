"""Asking for one update of a ticket. The settlement sends it, at most once, with its marker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graph.breakers.trips import Watched
from graph.runs import leases
from graph.settlement.models import EffectKind
from graph.settlement.requests import AlreadyIntended, EffectRequest, Exhausted, Reserved, SwitchedOff, Tripped
from graph.settlement.reserve import Means, reserve
from graph.state import RunState
from graph.step import Step, StepContext, hand_off
from policies.vocabulary import Outcome, Reason, Tool


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An update to be made: for which step of the run, with which tool, and its body once its id is known.

    `approval_id` is the answer that releases it; a note to colleagues needs none and must not depend on one.
    `watched` is what it is part of, for breakers; None for what none may stop. `before` is what a person may put back.
    """

    step: str
    tool: Tool
    subject_id: str
    body: Callable[[str], str]
    approval_id: str | None = None
    watched: Watched | None = None
    before: Mapping[str, object] | None = None


async def put_out(
    context: StepContext,
    outgoing: Outgoing,
    *,
    update: RunState | None = None,
    artifacts: Mapping[str, object] | None = None,
    body: Mapping[str, object] | None = None,
) -> Step:
    """Reserve the update and go on to `deliver`; asking twice for the same step of a cycle is asking once."""
    runtime = context.runtime
    request = EffectRequest(
        tenant_id=context.tenant_id,
        run_id=context.run_id,
        ticket_id=context.ticket_id,
        cycle=context.state.get("cycle", 0),
        kind=EffectKind.ZENDESK_UPDATE,
        tool=outgoing.tool.value,
        actor="agent",
        body=outgoing.body,
        item_key=outgoing.step,
        subject_id=outgoing.subject_id,
        is_personal=True,
        approval_id=outgoing.approval_id,
        policy_hash=context.state["policy_hash"],
        credential=context.tenant.credentials.get("zendesk"),
        watched=outgoing.watched,
        before=outgoing.before,
    )
    means = Means(now=context.now, new_id=runtime.new_id, new_key=runtime.new_key, vault=runtime.vault)
    async with runtime.sessions(context.tenant_id) as session:
        await leases.check(session, context.tenant_id, context.ticket_id, token=context.context.token)
        answer = await reserve(session, request, means)
    match answer:
        case Reserved(effect_id=effect_id) | AlreadyIntended(effect_id=effect_id):
            changes = RunState(**(update or RunState()), reply_effect=effect_id)
            return Step("deliver", changes, artifacts=artifacts or {}, body={**(body or {}), "effect": effect_id})
        case Tripped(why=why):
            return hand_off(Reason.BREAKER_TRIPPED, note=why)
        case SwitchedOff() | Exhausted():
            # Nobody outside can be told, so only our own record says it.
            ended = RunState(outcome=Outcome.HANDED_OFF.value, reason=Reason.KILL_SWITCH.value)
            return Step("close", ended, body={"switched_off": outgoing.tool.value})
