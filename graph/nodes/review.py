"""review: wait for a person. The question was stored when the draft was verified; waking up brings the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graph.runs.models import WaitFor
from graph.state import RunState
from graph.step import Step, StepContext, hand_off
from policies.vocabulary import Outcome, Reason


def ask(state: RunState) -> Mapping[str, object]:
    """What the run waits for."""
    return {
        "wait_for": WaitFor.REVIEW.value,
        "outcome": Outcome.WAITING_FOR_REVIEW.value,
        "reason": state.get("reason") or Reason.NEEDS_APPROVAL.value,
        "approval_id": state.get("approval_id"),
    }


async def review(context: StepContext) -> Step:
    """The person's answer, or what came in between."""
    happened = str(context.signal.get("kind", ""))
    person = str(context.signal.get("actor", ""))
    if happened == "approved":
        return Step("act", body={"approved_by": person})
    if happened == "asked":
        return Step("answer", RunState(asks=True, reason=None), body={"asked_by": person})
    return elsewhere(context.signal) or hand_off(Reason.HUMAN_TOOK_OVER, note=f"rejected by {person}")


def elsewhere(signal: Mapping[str, Any]) -> Step | None:
    """Where a waiting run goes when something other than what it waited for happened."""
    match signal.get("kind"):
        case "new_message" | "stale":
            return Step("intake", body={"woken_by": str(signal["kind"])})
        case "human_took_over":
            person = signal.get("actor")
            took_over = f"{person} took the ticket over" if person else "an agent answered the ticket"
            return hand_off(Reason.HUMAN_TOOK_OVER, note=took_over)
        case "expired":
            return hand_off(Reason.APPROVAL_EXPIRED)
        case "ticket_gone":
            return Step("close", RunState(outcome=Outcome.IGNORED.value, reason=Reason.STALE.value))
        case _:
            return None
