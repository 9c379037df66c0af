"""One node's step: what it is given, what it returns, and the one transaction that records it.

A node function reads through the gate, computes, and returns a `Step`. The wrapper stores its artifacts sealed, counts
what was used, and appends the node's and its calls' events, all in one transaction that also holds the ticket's lease.
INVARIANT: a node writes nothing outside and nothing of ours except in that transaction, so it may run again at any
time.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final, TypeVar

from langgraph.runtime import Runtime as GraphRuntime
from langgraph.types import interrupt
from sqlalchemy.ext.asyncio import AsyncSession

from connectors.errors import VendorRefused, WireError
from graph.audit.log import NewEvent, append_all
from graph.breakers.tally import Happened
from graph.breakers.tally import count as tally
from graph.errors import BudgetExhausted, GraphError, TicketGone, ToolForbidden, ToolSwitchedOff
from graph.gate import Gate
from graph.models.errand import AT_HOME, MOST_CALLS, Errand
from graph.models.use import ModelUse
from graph.runs import artifacts, leases
from graph.runtime import Runtime, Tenant
from graph.spending import Spending
from graph.state import RunContext, RunState
from graph.tracing import ended, in_run
from graph.withholding import loggable
from policies.breakers import Measure
from policies.decision import RunBudget
from policies.document import Policy
from policies.vocabulary import Outcome, Reason, Tool

Value = TypeVar("Value")
Write = Callable[[AsyncSession], Awaitable[None]]

LAST_NODES: Final = frozenset({"hand_off", "deliver", "close"})
"""What every run comes to, however it goes."""


END: Final = "end"
"""Where the last step goes."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a node decided.

    Args:
        goto: the next node.
        update: values for the checkpointed state.
        artifacts: values to be sealed; each is stored under its kind and its id put into the state.
        body: what the log shall say about it, public and without personal data.
        writes: further writes of ours in the same transaction.
        models: what models were used.
        counts: what breakers are to count besides its calls.
    """

    goto: str
    update: RunState = field(default_factory=RunState)
    artifacts: Mapping[str, object] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)
    writes: tuple[Write, ...] = ()
    models: tuple[ModelUse, ...] = ()
    counts: tuple[Happened, ...] = ()
    run: Mapping[str, object] = field(default_factory=dict)


@dataclass
class StepContext:
    """What a node works with. `signal` is what a waiting node was woken with."""

    runtime: Runtime
    state: RunState
    context: RunContext
    node: str
    gate: Gate
    signal: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tenant(self) -> Tenant:
        """The run's tenant."""
        return self.gate.tenant

    @property
    def policy(self) -> Policy:
        """The policy version that the run was started under."""
        return self.context.policy

    async def errand(self, *, keeping: int = 0, subject_id: str) -> Errand:
        """What a question to a model may use of this run: how many calls may leave, by policy, switches and budget.

        Args:
            keeping: calls of the budget that are left for what comes after.
            subject_id: whose text is shown, as the vault names people.
        """
        policy = self.policy
        calls = min(MOST_CALLS, self.context.spending.model_calls_left() - keeping)
        is_forbidden = policy.privacy.forbidden_providers or policy.tools.refusal_to_read(Tool.MODEL_CALL) is not None
        if calls <= 0 or is_forbidden or await self.gate.switched_off(Tool.MODEL_CALL) is not None:
            return AT_HOME
        return Errand(calls, self.tenant_id, subject_id, {wish.role.value: wish for wish in policy.models})

    @property
    def spending(self) -> Spending:
        """What the run used up, and may still use."""
        return self.context.spending

    @property
    def tenant_id(self) -> str:
        """The tenant's id."""
        return self.state["tenant_id"]

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.state["run_id"]

    @property
    def ticket_id(self) -> str:
        """The ticket's id at Zendesk."""
        return self.state["ticket_id"]

    @cached_property
    def now(self) -> datetime:
        """Business time at which the step began; one step has one time."""
        return self.runtime.now()

    async def load(self, kind: str, type_: type[Value]) -> Value:
        """An artifact that an earlier node stored, as the type it was."""
        artifact_id = str(self.state[kind])  # type: ignore[literal-required]  # kinds are keys of the state
        known = self.context.recent.get(artifact_id)
        if isinstance(known, type_):
            return known
        async with self.runtime.sessions(self.tenant_id) as session:
            loaded = await artifacts.load(session, self.runtime.vault, self.tenant_id, artifact_id, type_)
        self.context.recent[artifact_id] = loaded
        return loaded


NodeFunction = Callable[[StepContext], Awaitable[Step]]
Ask = Callable[[RunState], Mapping[str, object]]


def step(
    node: str,
    function: NodeFunction,
    parts: Runtime,
    *,
    ask: Ask | None = None,
) -> Callable[..., Coroutine[Any, Any, RunState]]:
    """A node for LangGraph.

    Args:
        node: its name.
        function: what it does.
        parts: what it works with.
        ask: for a node that waits: what it waits for. The wait comes first, because LangGraph runs a node again from
        its
            top when it is woken (https://docs.langchain.com/oss/python/langgraph/interrupts).
    """

    # LangGraph passes its own runtime to a parameter of that name.
    async def run(state: RunState, runtime: GraphRuntime[RunContext]) -> RunState:
        signal = interrupt(dict(ask(state))) if ask is not None else {}
        started = time.perf_counter()
        working = _open(parts, state, runtime.context, node, signal)
        used = working.spending.used
        about = {"countersign.tenant": working.tenant_id, "countersign.ticket_id": working.ticket_id}
        with in_run(working.run_id, f"node {node}", **about) as span:
            try:
                result = await _attempt(function, working)
            except Exception:
                used["retries"] += 1  # it is tried again, at once or after a pause
                raise
            finally:
                latency_ms = round((time.perf_counter() - started) * 1000)
                used["worked_ms"] += latency_ms
            span.set_attribute("countersign.goto", result.goto)
            return await _commit(working, result, latency_ms)

    return run


def _open(
    runtime: Runtime,
    state: RunState,
    context: RunContext,
    node: str,
    signal: Mapping[str, Any],
) -> StepContext:
    tenant = runtime.tenant(state["tenant_id"])
    # What hands the work over is never refused for what the work has used.
    spending = replace(context.spending, budget=RunBudget()) if node in LAST_NODES else context.spending
    gate = Gate(runtime, tenant, actor="agent", spending=spending, tools=context.policy.tools)
    return StepContext(runtime, state, context, node, gate, signal)


_STOPS: Final[Mapping[type[GraphError], Reason]] = {
    BudgetExhausted: Reason.BUDGET_EXHAUSTED,
    ToolSwitchedOff: Reason.KILL_SWITCH,
    ToolForbidden: Reason.POLICY_DENIED,
}
"""What lets the run do no more, and the reason for which a person takes over."""


async def _attempt(function: NodeFunction, working: StepContext) -> Step:
    if working.context.give_up is not None and working.node not in LAST_NODES:
        return hand_off(working.context.give_up)
    try:
        return await function(working)
    except tuple(_STOPS) as error:
        return hand_off(_STOPS[type(error)], note=str(error))
    except TicketGone as error:
        return end(Outcome.IGNORED, Reason.STALE, note=str(error))
    except (VendorRefused, WireError) as error:
        # Asking again cannot help. The gate has recorded the call, and a lost permission has its connector draft-only.
        return hand_off(Reason.TOOL_ERROR, note=str(error))


def hand_off(reason: Reason, *, note: str | None = None) -> Step:
    """Give the run to a person."""
    return Step("hand_off", RunState(reason=reason.value, note=note), body={"reason": reason.value})


def end(outcome: Outcome, reason: Reason | None = None, *, note: str | None = None) -> Step:
    """End the run without anything more to do."""
    return Step(
        "close",
        RunState(outcome=outcome.value, reason=reason.value if reason else None, note=note),
        body={"outcome": outcome.value, "reason": reason.value if reason else None},
    )


async def _commit(working: StepContext, result: Step, latency_ms: int) -> RunState:
    runtime, tenant_id, now = working.runtime, working.tenant_id, working.runtime.now()
    changes = RunState(**result.update, route=result.goto)
    async with runtime.sessions(tenant_id) as session:
        row = await leases.own(session, tenant_id, working.run_id, token=working.context.token)
        for name, value in result.run.items():
            setattr(row, name, value)
        stored = await artifacts.store(
            session, runtime.vault, run=row, values=result.artifacts, now=now, new_id=runtime.new_id
        )
        for write in result.writes:
            await write(session)
        for name, value in working.spending.columns.items():
            setattr(row, name, value)
        row.updated_at = now
        await session.flush()
        await tally(session, tenant_id, _happened(working, result), now=now)
        commitments = {kind: reference.commitment for kind, reference in stored.items()}
        await append_all(session, tenant_id, _events(working, result, commitments, latency_ms, now))
    if result.goto == END:
        told = {"countersign.tenant": tenant_id, "countersign.ticket_id": working.ticket_id}
        ended(working.run_id, row.started_at, now, **told, **{"countersign.outcome": str(row.outcome)})
    for kind, reference in stored.items():
        changes[kind] = reference.artifact_id  # type: ignore[literal-required]  # kinds are keys of the state
        working.context.recent[reference.artifact_id] = result.artifacts[kind]
    return changes


def _happened(working: StepContext, result: Step) -> list[Happened]:
    """What breakers count of a step. The gate has counted the calls that went wrong, when they did."""
    calls = [record for record in working.gate.records if record.outcome == "done"]
    return [
        *result.counts,
        *(Happened(Measure.TOOL_ERRORS, is_bad=False, subject=record.tool) for record in calls),
        *(Happened(Measure.MODEL_ERRORS, is_bad=use.outcome != "done") for use in result.models if use.is_call),
    ]


def _events(
    working: StepContext,
    result: Step,
    stored: Mapping[str, str],
    latency_ms: int,
    now: datetime,
) -> list[NewEvent]:
    def event(kind: str, body: Mapping[str, object]) -> NewEvent:
        return NewEvent(
            event_id=working.runtime.new_id("evt"),
            at=now,
            kind=kind,
            actor="agent",
            run_id=working.run_id,
            ticket_id=working.ticket_id,
            body=loggable(kind, body, working.policy.privacy),
        )

    calls = [event("tool.called", record.body()) for record in working.gate.records]
    models = [event("model.called", use.body()) for use in result.models]
    summary: dict[str, object] = {
        "node": working.node,
        "cycle": working.state.get("cycle", 0),
        "goto": result.goto,
        "latency_ms": latency_ms,
        "outputs": dict(stored),
        "policy_hash": working.state["policy_hash"],
        "worker": working.runtime.worker_id,
        **result.body,
    }
    return [*calls, *models, event("node.completed", summary)]
