"""close: write down how the run ended. Nothing leaves from here."""

from __future__ import annotations

from graph.runs.models import RunState as RowState
from graph.step import END, Step, StepContext
from policies.vocabulary import Outcome


async def close(context: StepContext) -> Step:
    """The outcome, on the run's row and in the log."""
    outcome = context.state.get("outcome") or Outcome.RESOLVED.value
    reason = None if outcome == Outcome.RESOLVED.value else context.state.get("reason")
    run: dict[str, object] = {
        "state": RowState.ENDED.value,
        "outcome": outcome,
        "reason": reason,
        "ended_at": context.now,
        "wait_for": None,
        "wait_until": None,
    }
    return Step(END, body={"outcome": outcome, "reason": reason}, run=run)
