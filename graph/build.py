"""The state machine, on one screen.

::

    intake ▶ triage ▶ gather ▶ retrieve ▶ plan ▶ decide ▶ draft ▶ verify ▶ review ▶ act ▶ settle ▶ answer ▶ deliver ▶
    close
      │        │                          │        │                 │       ┆      │      ┆         │        ┆  │
      └────────┴──────────────────────────┴────────┴── hand_off ◀────┴───────┴──────┴──────┴─────────┘        ┆  ▼
                                                          └───────────────────────────────────▶ deliver      wait ┆

`┆` waits: `review` for a person, `settle` and `deliver` for the settlement, `wait` for the customer. A new message
leads from every wait back to `intake`. Every other node may run again at any time: it writes in one transaction, at
its end.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, NamedTuple

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import RetryPolicy

from connectors.errors import Throttled, VendorUnavailable
from graph.nodes import (
    act,
    answer,
    close,
    decide,
    deliver,
    draft,
    gather,
    hand_off,
    intake,
    plan,
    retrieve,
    review,
    settle,
    triage,
    verify,
    wait,
)
from graph.runtime import Runtime
from graph.state import RunContext, RunState
from graph.step import Ask, NodeFunction, step

RECURSION_LIMIT: Final = 120
"""Steps of one advance. A run that asks twice and replans a few times takes some sixty."""


class Node(NamedTuple):
    """One line of the machine: what runs, for how long at most, and where it may lead."""

    function: NodeFunction
    timeout_s: float
    leads_to: tuple[str, ...]
    ask: Ask | None = None


NODES: Final[dict[str, Node]] = {
    "intake": Node(intake.intake, 60, ("triage", "hand_off", "close")),
    "triage": Node(triage.triage, 90, ("gather", "hand_off")),
    "gather": Node(gather.gather, 120, ("retrieve", "hand_off")),
    "retrieve": Node(retrieve.retrieve, 60, ("plan", "hand_off")),
    "plan": Node(plan.plan, 90, ("decide", "hand_off", "close")),
    "decide": Node(decide.decide, 30, ("draft", "hand_off")),
    "draft": Node(draft.draft, 90, ("verify", "hand_off")),
    "verify": Node(verify.verify, 30, ("draft", "review", "act", "answer", "hand_off")),
    "review": Node(review.review, 30, ("act", "answer", "intake", "hand_off", "close"), review.ask),
    "act": Node(act.act, 60, ("settle", "answer", "intake", "hand_off")),
    "settle": Node(settle.settle, 30, ("answer", "intake", "hand_off", "close"), settle.ask),
    "answer": Node(answer.answer, 60, ("deliver", "intake", "hand_off", "close")),
    "deliver": Node(deliver.deliver, 30, ("close", "wait", "intake", "hand_off"), deliver.ask),
    "wait": Node(wait.wait, 30, ("intake", "hand_off", "close"), wait.ask),
    "hand_off": Node(hand_off.hand_off, 60, ("deliver", "close")),
    "close": Node(close.close, 30, ("end",)),
}


def is_passing(error: Exception) -> bool:
    """Whether a node is tried again at once: an outage that may be over in a moment, and nothing else."""
    return isinstance(error, VendorUnavailable) and not isinstance(error, Throttled)


RETRY: Final = RetryPolicy(initial_interval=0.3, backoff_factor=3.0, max_attempts=3, retry_on=is_passing)


def build(
    runtime: Runtime,
    checkpointer: BaseCheckpointSaver[str] | None,
) -> CompiledStateGraph[RunState, RunContext, RunState, RunState]:
    """The compiled machine for one tenant's checkpointer."""
    graph = StateGraph(RunState, context_schema=RunContext)
    for name, node in NODES.items():
        graph.add_node(
            name,
            step(name, node.function, runtime, ask=node.ask),
            timeout=node.timeout_s,
            retry_policy=RETRY,
        )
        ends: dict[Hashable, str] = {target: END if target == "end" else target for target in node.leads_to}
        graph.add_conditional_edges(name, _route, ends)
    graph.add_edge(START, "intake")
    return graph.compile(checkpointer=checkpointer, name="countersign")


def _route(state: RunState) -> str:
    return state["route"]
