"""Where a run stands, written down: begun, waiting, woken, held up by an outage, given up. One transaction each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from langgraph.types import Interrupt
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from connectors.errors import Throttled
from graph.audit.log import NewEvent, append_all
from graph.intake.models import Disposition, InboxEvent
from graph.intake.parking import count_failure
from graph.rulebook import Arm, is_held_out, load_policy, version_for
from graph.runs import leases
from graph.runs.inbox import Incoming, dispose
from graph.runs.models import Run, RunState, WaitFor
from graph.runtime import Runtime
from graph.settlement.approvals import make_stale
from graph.settlement.models import Approval
from graph.tracing import trace_id_of, waited
from graph.vault import MasterKeyWithheld
from policies.vocabulary import Outcome, Reason

LONGEST_BACKOFF_S: Final = 60.0


async def begin(runtime: Runtime, incoming: Incoming, *, token: int) -> Run:
    """Start a run for the messages that came in. Its policy is the one that decides its ticket now, to its end."""
    tenant_id, now = incoming.tenant_id, runtime.now()
    async with runtime.sessions(tenant_id) as session:
        await leases.check(session, tenant_id, incoming.ticket_id, token=token)
        policy_hash, arm = await version_for(session, tenant_id, incoming.ticket_id)
        if is_held_out(tenant_id, incoming.ticket_id, runtime.tenant(tenant_id).hold_out_percent):
            arm = Arm.HELD_OUT
        run = Run(
            tenant_id=tenant_id,
            run_id=runtime.new_id("run"),
            ticket_id=incoming.ticket_id,
            policy_hash=policy_hash,
            arm=arm.value,
            is_shadow=arm is Arm.HELD_OUT,
            last_comment_id=incoming.last_comment_id,
            is_follow_up=incoming.has_history,
            started_at=now,
            updated_at=now,
        )
        session.add(run)
        for event in incoming.messages:
            await dispose(session, event, Disposition.ACCEPTED, run_id=run.run_id)
        events = [event.event_id for event in incoming.messages]
        body = {"events": events, "policy_hash": policy_hash, "arm": arm.value, "trace_id": trace_id_of(run.run_id)}
        await _tell(session, runtime, run, "run.started", body)
    since = min((event.received_at for event in incoming.messages), default=now)
    waited(run.run_id, run.tenant_id, events, since, now)
    return run


async def waiting(runtime: Runtime, run: Run, interrupt: Interrupt, *, token: int) -> None:
    """The machine waits: for what, and until when."""
    asked: Mapping[str, Any] = interrupt.value
    async with runtime.sessions(run.tenant_id) as session:
        row = await leases.own(session, run.tenant_id, run.run_id, token=token)
        row.state = RunState.WAITING.value
        row.wait_for = str(asked["wait_for"])
        row.outcome = asked.get("outcome")
        row.reason = asked.get("reason")
        row.interrupt_id = interrupt.id
        row.signal = None
        row.failures = 0
        approval_id = asked.get("approval_id")
        row.waits_on = [approval_id] if approval_id else list(asked.get("effects", ()))
        row.wait_until = await _until(session, runtime, row)
        row.updated_at = runtime.now()
        body = {"for": row.wait_for, "outcome": row.outcome, "reason": row.reason, "on": row.waits_on}
        await _tell(session, runtime, row, "run.waiting", body)


async def _until(session: AsyncSession, runtime: Runtime, row: Run) -> datetime | None:
    if row.wait_for == WaitFor.REVIEW.value and row.waits_on:
        approval = await session.get(Approval, (row.tenant_id, row.waits_on[0]))
        return approval.expires_at if approval is not None else None
    if row.wait_for == WaitFor.CUSTOMER.value:
        policy = await load_policy(session, row.tenant_id, row.policy_hash or "")
        return runtime.now() + timedelta(seconds=policy.questions.wait_s)
    return None


async def wake(runtime: Runtime, run: Run, signal: Mapping[str, object], incoming: Incoming, *, token: int) -> Run:
    """Something happened that the run goes on with. The signal is stored, so that a crash cannot lose it."""
    overtaken = signal["kind"] in {"new_message", "human_took_over", "ticket_gone"}
    async with runtime.sessions(run.tenant_id) as session:
        row = await leases.own(session, run.tenant_id, run.run_id, token=token)
        row.state = RunState.RUNNING.value
        row.signal = dict(signal)
        row.wait_until = None
        row.updated_at = runtime.now()
        for event in incoming.events if overtaken else ():
            await dispose(session, event, Disposition.ACCEPTED, run_id=run.run_id)
        await session.flush()
        if overtaken and row.wait_for == WaitFor.REVIEW.value:
            # Nobody must be asked, or be believed, about an answer to a message that is no longer the newest.
            for approval_id in row.waits_on:
                await make_stale(
                    session,
                    approval_id,
                    tenant_id=run.tenant_id,
                    reason=str(signal["kind"]),
                    actor="intake",
                    now=runtime.now(),
                    new_id=runtime.new_id,
                )
        await _tell(session, runtime, row, "run.woken", signal)
    return row


async def wait_for_vendor(runtime: Runtime, run: Run, error: Exception, *, used: Mapping[str, int], token: int) -> None:
    """A vendor is out of reach: try again later, with growing pauses. What the attempt used is kept on the run."""
    async with runtime.sessions(run.tenant_id) as session:
        row = await leases.own(session, run.tenant_id, run.run_id, token=token)
        for name, count in used.items():
            setattr(row, name, count)
        await _hold_up(session, runtime, row, error)


async def wait_for_key(runtime: Runtime, run: Run, *, used: Mapping[str, int], token: int) -> None:
    """The tenant's master key is withheld, so nothing can be stored or sent: ask again for as long as it takes.

    No number of attempts gives the run up: nothing could be written to a person either. It is told of once.
    """
    async with runtime.sessions(run.tenant_id) as session:
        row = await leases.own(session, run.tenant_id, run.run_id, token=token)
        for name, count in used.items():
            setattr(row, name, count)
        is_new = row.wait_for != WaitFor.KEY.value
        row.state = RunState.WAITING.value
        row.wait_for = WaitFor.KEY.value
        row.wait_until = runtime.now() + timedelta(seconds=LONGEST_BACKOFF_S)
        row.updated_at = runtime.now()
        if is_new:
            body = {"error": MasterKeyWithheld.__name__, "again_in_s": round(LONGEST_BACKOFF_S)}
            await _tell(session, runtime, row, "run.held_up", body)


async def _hold_up(session: AsyncSession, runtime: Runtime, row: Run, error: Exception) -> None:
    asked_s = error.retry_after_s if isinstance(error, Throttled) else 0.0
    wait_s = max(asked_s, min(2.0**row.failures, LONGEST_BACKOFF_S))
    row.state = RunState.WAITING.value
    row.wait_for = WaitFor.VENDOR.value
    row.wait_until = runtime.now() + timedelta(seconds=wait_s)
    row.failures += 1
    row.updated_at = runtime.now()
    body = {"error": type(error).__name__, "failures": row.failures, "again_in_s": round(wait_s)}
    await _tell(session, runtime, row, "run.held_up", body)


async def failed(runtime: Runtime, tenant_id: str, ticket_id: str, error: Exception) -> None:
    """A defect or an answer nobody foresaw stopped the ticket: hold its run up as for an outage, and count the attempt.

    An event for which no run could even be started is looked at again with growing pauses. It is parked after as many
    attempts, and shown, unless a vendor is out of reach or denies access: that mends, and no ticket may be lost to it.
    """
    async with runtime.sessions(tenant_id) as session:
        query = select(Run).where(
            col(Run.tenant_id) == tenant_id,
            col(Run.ticket_id) == ticket_id,
            col(Run.state) != RunState.ENDED.value,
        )
        run = (await session.execute(query.with_for_update())).scalar_one_or_none()
        if run is not None:
            run.retries += 1
            await _hold_up(session, runtime, run, error)
            return
        pending = await session.execute(
            select(InboxEvent).where(
                col(InboxEvent.tenant_id) == tenant_id,
                col(InboxEvent.ticket_id) == ticket_id,
                col(InboxEvent.disposition) == Disposition.PENDING.value,
            ),
        )
        events = pending.scalars().all()
        await count_failure(session, events, error, now=runtime.now(), new_id=runtime.new_id)


async def end_unreachable(runtime: Runtime, run: Run, *, token: int) -> None:
    """Zendesk has been out of reach for too long: the run ends with a person, and only our own record says so."""
    async with runtime.sessions(run.tenant_id) as session:
        row = await leases.own(session, run.tenant_id, run.run_id, token=token)
        row.state = RunState.ENDED.value
        row.outcome, row.reason = Outcome.HANDED_OFF.value, Reason.TOOL_ERROR.value
        row.wait_for = row.wait_until = None
        row.ended_at = row.updated_at = runtime.now()
        await _tell(session, runtime, row, "run.ended", {"outcome": row.outcome, "reason": row.reason})


async def _tell(session: AsyncSession, runtime: Runtime, run: Run, kind: str, body: Mapping[str, object]) -> None:
    await session.flush()
    event = NewEvent(
        event_id=runtime.new_id("evt"),
        at=runtime.now(),
        kind=kind,
        actor="agent",
        run_id=run.run_id,
        ticket_id=run.ticket_id,
        body=body,
    )
    await append_all(session, run.tenant_id, [event])


_DUE = text(
    """
    SELECT effect_id FROM effect
     WHERE tenant_id = :tenant_id AND run_id = :run_id AND state IN ('held', 'sending', 'unknown') AND due_at <= :now
       AND (leased_until IS NULL OR leased_until <= clock_timestamp())
     ORDER BY due_at, effect_id
    """,
)


async def due_of_run(runtime: Runtime, run: Run) -> list[str]:
    """The run's effects whose time has come."""
    async with runtime.sessions(run.tenant_id) as session:
        values = {"tenant_id": run.tenant_id, "run_id": run.run_id, "now": runtime.now()}
        return list((await session.execute(_DUE, values)).scalars())
