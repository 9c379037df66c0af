"""deliver: wait until the one update of the ticket has come to its end."""

from __future__ import annotations

from collections.abc import Mapping

from graph.nodes.settle import effects_of
from graph.runs.models import WaitFor
from graph.settlement.models import EffectState
from graph.state import RunState
from graph.step import Step, StepContext
from policies.vocabulary import Outcome, Reason

_STOPS = {"switched_off": Reason.KILL_SWITCH, "breaker_tripped": Reason.BREAKER_TRIPPED}


def ask(state: RunState) -> Mapping[str, object]:
    """What the run waits for: its update of the ticket."""
    effect = state.get("reply_effect")
    return {
        "wait_for": WaitFor.SETTLEMENT.value,
        "outcome": state.get("outcome") or Outcome.WAITING_FOR_REVIEW.value,
        "reason": state.get("reason"),
        "effects": [effect] if effect else [],
    }


async def deliver(context: StepContext) -> Step:
    """What became of the update."""
    effect_id = context.state.get("reply_effect")
    (effect,) = await effects_of(context, [effect_id] if effect_id else [])
    handed_off = context.state.get("outcome") == Outcome.HANDED_OFF.value
    body: dict[str, object] = {"effects": {effect.effect_id: effect.state}}
    if effect.state == EffectState.SETTLED.value:
        if handed_off:
            return Step("close", body=body)
        asks = context.state.get("asks", False)
        update = RunState(unannounced=[], reason=None)
        run: dict[str, object] = {"reply_sent": True}
        if asks:
            asked = context.state.get("questions_asked", 0) + 1
            update["questions_asked"] = asked
            run["questions_asked"] = asked
        else:
            update["outcome"] = Outcome.RESOLVED.value
        return Step("wait" if asks else "close", update, body=body, run=run)
    return _undelivered(effect.reason, effect.detail, body, handed_off=handed_off)


def _undelivered(why: str | None, detail: str | None, body: dict[str, object], *, handed_off: bool) -> Step:
    """A ticket that changed is read again; one that is gone needs nothing; for the rest a person must look."""
    if why in {"conflict", "new_message"}:
        return Step("hand_off" if handed_off else "intake", body=body)
    if why in {"not_found", "closed"}:
        ended = RunState(outcome=Outcome.IGNORED.value, reason=Reason.STALE.value)
        return Step("close", ended, body=body)
    if handed_off:
        # The run's own reason stays: that the note did not arrive is the effect's matter, and stands there.
        return Step("close", body=body)
    reason = _STOPS.get(why or "", Reason.TOOL_ERROR)
    ended = RunState(outcome=Outcome.HANDED_OFF.value, reason=reason.value, note=detail)
    return Step("hand_off", ended, body=body)
