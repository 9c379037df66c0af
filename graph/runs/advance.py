"""Advancing a ticket: events are recognised, a run is started or woken, its effects are sent when they are due.

One worker at a time per ticket, by its lease. Everything here may be killed at any point and done again by another
worker: events stay pending until what they ask for is committed, nodes write in one transaction, effects are sent by
the settlement's own rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.errors import NodeTimeoutError
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Interrupt

from connectors.errors import VendorUnavailable
from graph.build import RECURSION_LIMIT
from graph.errors import LeaseLost
from graph.keeping import renewed
from graph.rulebook import Arm, held_policy, load_policy
from graph.runs import leases
from graph.runs.inbox import look, take_up
from graph.runs.models import HELD_UP, Run
from graph.runs.models import RunState as RowState
from graph.runs.signals import signal_for, stop_overtaken
from graph.runs.standing import begin, due_of_run, end_unreachable, wait_for_key, wait_for_vendor, waiting, wake
from graph.runtime import Runtime
from graph.settlement.changes import find_effect
from graph.settlement.models import EffectState
from graph.settlement.performers import performers
from graph.settlement.send import Sender, recheck, send
from graph.spending import Spending
from graph.state import RunContext, RunState
from graph.vault import MasterKeyWithheld
from policies.vocabulary import Reason

Machine = CompiledStateGraph[RunState, RunContext, RunState, RunState]

MAX_FAILURES: Final = 6
"""Outages in a row after which a run is given to a person; with the back-off that is about two minutes."""
MAX_HOPELESS: Final = 10
"""Outages in a row after which a run ends even though Zendesk cannot be told."""


class Advanced(StrEnum):
    """What became of the attempt."""

    DONE = "done"  # nothing more to do now
    BUSY = "busy"  # another worker holds the ticket


@dataclass(frozen=True, slots=True)
class Advancer:
    """What advancing needs: the runtime and each tenant's compiled machine."""

    runtime: Runtime
    machines: Mapping[str, Machine]

    def sender(self, tenant_id: str) -> Sender:
        """What the settlement sends a tenant's effects with."""
        tenant = self.runtime.tenant(tenant_id)
        return Sender(
            sessions=self.runtime.sessions,
            performers=performers(tenant.stripe, tenant.zendesk),
            now=self.runtime.now,
            new_id=self.runtime.new_id,
            vault=self.runtime.vault,
            lease_s=self.runtime.lease_s,
            reissues=tenant.reissues_lost_refunds,
        )


async def advance(advancer: Advancer, tenant_id: str, ticket_id: str) -> Advanced:
    """Do all there is to do for a ticket now.

    Raises:
        Exception: what no node could handle; the worker records it with `failed` and comes back.
    """
    runtime = advancer.runtime
    async with runtime.sessions(tenant_id) as session:
        token = await leases.acquire(
            session,
            tenant_id,
            ticket_id,
            holder=runtime.worker_id,
            lease_s=runtime.lease_s,
        )
    if token is None:
        return Advanced.BUSY
    try:
        async with renewed(lambda: _renew(runtime, tenant_id, ticket_id, token), lease_s=runtime.lease_s):
            turn = _Turn(advancer, token)
            while await _once(turn, tenant_id, ticket_id):
                pass
    except LeaseLost:
        return Advanced.BUSY
    finally:
        async with runtime.sessions(tenant_id) as session:
            await leases.release(session, tenant_id, ticket_id, token=token)
    return Advanced.DONE


async def _renew(runtime: Runtime, tenant_id: str, ticket_id: str, token: int) -> None:
    async with runtime.sessions(tenant_id) as session:
        await leases.renew(session, tenant_id, ticket_id, token=token, lease_s=runtime.lease_s)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What the turns of one attempt share: the lease's token, and the artifacts that were stored or read, by id."""

    advancer: Advancer
    token: int
    recent: dict[str, object] = field(default_factory=dict)


async def _once(turn: _Turn, tenant_id: str, ticket_id: str) -> bool:
    """One turn; true where another may have something to do."""
    advancer, runtime = turn.advancer, turn.advancer.runtime
    incoming = await look(runtime, tenant_id, ticket_id)
    run = incoming.run
    if run is None:
        return incoming.starts_a_run and await _drive(turn, await begin(runtime, incoming, token=turn.token))
    if run.state == RowState.RUNNING.value:
        return await _drive(turn, run)
    if run.wait_for in HELD_UP:
        is_over = run.wait_until is None or runtime.now() >= run.wait_until
        return is_over and await _drive(turn, run)
    await stop_overtaken(runtime, run, incoming)
    if incoming.changes:
        await _recheck_held(advancer, run)
        await take_up(runtime, run, incoming.changes, "ticket_changed")
    await _send_due(advancer, run)
    signal = await signal_for(runtime, run, incoming)
    if signal is None:
        return False
    return await _drive(turn, await wake(runtime, run, signal, incoming, token=turn.token))


async def _drive(turn: _Turn, run: Run) -> bool:
    """Let the machine run until it waits or ends."""
    advancer, runtime = turn.advancer, turn.advancer.runtime
    if run.failures >= MAX_HOPELESS:
        await end_unreachable(runtime, run, token=turn.token)
        return False
    machine = advancer.machines[run.tenant_id]
    context = await _context(turn, run)
    config: RunnableConfig = {
        "configurable": {"thread_id": f"{run.tenant_id}:{run.run_id}"},
        "recursion_limit": RECURSION_LIMIT,
    }
    graph_input = await _input(machine, run, config)
    try:
        left = await machine.ainvoke(graph_input, config, context=context, durability="sync")
    except (VendorUnavailable, NodeTimeoutError) as error:
        await wait_for_vendor(runtime, run, error, used=context.spending.columns, token=turn.token)
        return False
    except MasterKeyWithheld:
        await wait_for_key(runtime, run, used=context.spending.columns, token=turn.token)
        return False
    interrupts: tuple[Interrupt, ...] = tuple(left.get("__interrupt__", ()))
    if interrupts:
        await waiting(runtime, run, interrupts[0], token=turn.token)
        await _send_due(advancer, run)
    return True


async def _context(turn: _Turn, run: Run) -> RunContext:
    policy = held_policy(run.tenant_id, run.policy_hash or "")
    if policy is None:
        async with turn.advancer.runtime.sessions(run.tenant_id) as session:
            policy = await load_policy(session, run.tenant_id, run.policy_hash or "")
    return RunContext(
        token=turn.token,
        policy=policy,
        give_up=Reason.TOOL_ERROR if run.failures >= MAX_FAILURES else None,
        recent=turn.recent,
        spending=Spending.of(run, policy.budgets),
        is_held_out=run.arm == Arm.HELD_OUT.value,
    )


async def _input(machine: Machine, run: Run, config: RunnableConfig) -> RunState | Command[Any] | None:
    """A first input, an answer to what the run waits for, or nothing, which goes on after the last checkpoint."""
    state = await machine.aget_state(config)
    if not state.values:
        return RunState(
            tenant_id=run.tenant_id,
            run_id=run.run_id,
            ticket_id=run.ticket_id,
            cycle=0,
            policy_hash=run.policy_hash or "",
            follow_up=run.is_follow_up,
        )
    # By id: LangGraph silently ignores an answer to a wait that is over, and a signal must never answer a later one.
    if run.signal is not None and any(one.id == run.interrupt_id for one in state.interrupts):
        return Command(resume={run.interrupt_id: dict(run.signal)})
    return None


async def _send_due(advancer: Advancer, run: Run) -> None:
    """Send this run's effects whose time has come; the rest waits for the worker's look-out."""
    for effect_id in await due_of_run(advancer.runtime, run):
        await send(advancer.sender(run.tenant_id), run.tenant_id, effect_id)


async def _recheck_held(advancer: Advancer, run: Run) -> None:
    """Somebody changed the ticket: stop what is held and rests on an older version of it."""
    async with advancer.runtime.sessions(run.tenant_id) as session:
        effects = [await find_effect(session, run.tenant_id, effect_id) for effect_id in run.waits_on]
    for effect in effects:
        if effect is not None and effect.state == EffectState.HELD.value:
            await recheck(advancer.sender(run.tenant_id), effect)


async def after_effect(runtime: Runtime, tenant_id: str, effect_id: str) -> str | None:
    """The ticket whose run may go on now that an effect has come to its end; None while the run waits for others."""
    async with runtime.sessions(tenant_id) as session:
        effect = await find_effect(session, tenant_id, effect_id)
    if effect is None or effect.state in {"held", "sending", "unknown"}:
        return None
    return effect.ticket_id
