"""settle: wait until every effect of this cycle has come to its end. The settlement does; this node only looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlmodel import col

from graph.nodes.review import elsewhere
from graph.runs.models import WaitFor
from graph.settlement.models import Effect, EffectState
from graph.state import RunState
from graph.step import Step, StepContext, hand_off
from policies.vocabulary import Outcome, Reason

FINAL = frozenset(
    {EffectState.SETTLED, EffectState.RELEASED, EffectState.STOPPED, EffectState.HUMAN, EffectState.REVERSED},
)


def ask(state: RunState) -> Mapping[str, object]:
    """What the run waits for: its effects, which wait out their hold window."""
    return {
        "wait_for": WaitFor.SETTLEMENT.value,
        "outcome": Outcome.WAITING_FOR_REVIEW.value,
        "reason": None,
        "effects": state.get("effects", []),
    }


async def settle(context: StepContext) -> Step:
    """What became of the effects."""
    effects = await effects_of(context, context.state.get("effects", []))
    done = [effect.effect_id for effect in effects if effect.state == EffectState.SETTLED.value]
    known = list(dict.fromkeys([*context.state.get("unannounced", []), *done]))
    other = elsewhere(context.signal)
    if other is not None:
        return _with(other, known)
    body = {"effects": {effect.effect_id: effect.state for effect in effects}}
    for effect in effects:
        step = _not_done(effect)
        if step is not None:
            return _with(step, known)
    return Step("answer", RunState(unannounced=known), body=body)


def _with(step: Step, unannounced: list[str]) -> Step:
    return Step(step.goto, RunState(**step.update, unannounced=unannounced), body=step.body)


def _not_done(effect: Effect) -> Step | None:
    """Where the run goes because of an effect that did not come about."""
    match EffectState(effect.state):
        case EffectState.SETTLED:
            return None
        case EffectState.STOPPED:
            return _stopped(effect)
        case EffectState.HUMAN | EffectState.UNKNOWN | EffectState.SENDING | EffectState.HELD:
            return hand_off(Reason.UNKNOWN_OUTCOME, note=effect.detail)
        case EffectState.RELEASED | EffectState.REVERSED:
            return hand_off(Reason.TOOL_ERROR, note=effect.detail)


def _stopped(effect: Effect) -> Step:
    """A stop has a cause: a switch, a change of the charge, or a person."""
    match effect.reason:
        case "switched_off":
            return hand_off(Reason.KILL_SWITCH, note=effect.detail)
        case "breaker_tripped" | "canary_rolled_back" | "demoted":
            return hand_off(Reason.BREAKER_TRIPPED, note=effect.detail)
        case "charge_changed" | "ticket_changed" | "new_message":
            return Step("intake", body={"stopped": effect.reason})
        case "unreadable":
            return hand_off(Reason.TOOL_ERROR, note=effect.detail)
        case _:
            return hand_off(Reason.HUMAN_TOOK_OVER, note=effect.detail)


async def effects_of(context: StepContext, effect_ids: Sequence[str]) -> list[Effect]:
    """The effects as they stand, in the order they were asked for."""
    async with context.runtime.sessions(context.tenant_id) as session:
        query = select(Effect).where(
            col(Effect.tenant_id) == context.tenant_id,
            col(Effect.effect_id).in_(list(effect_ids)),
        )
        found = {effect.effect_id: effect for effect in (await session.execute(query)).scalars()}
    return [found[effect_id] for effect_id in effect_ids]
