"""wait: for the customer's answer to a question. It resumes with their next message, or when they stay silent."""

from __future__ import annotations

from collections.abc import Mapping

from graph.nodes.review import elsewhere
from graph.runs.models import WaitFor
from graph.state import RunState
from graph.step import Step, StepContext, hand_off
from policies.vocabulary import Outcome, Reason


def ask(state: RunState) -> Mapping[str, object]:
    """What the run waits for."""
    return {
        "wait_for": WaitFor.CUSTOMER.value,
        "outcome": Outcome.WAITING_FOR_CUSTOMER.value,
        "reason": Reason.MISSING_DATA.value,
        "questions_asked": state.get("questions_asked", 0),
    }


async def wait(context: StepContext) -> Step:
    """The customer's answer, or their silence."""
    return elsewhere(context.signal) or hand_off(Reason.CUSTOMER_SILENT)
