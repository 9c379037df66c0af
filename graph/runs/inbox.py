"""What has come in for a ticket, and what it means for the run that is active, if one is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from connectors.errors import VendorRefused
from connectors.zendesk.wire import CommentView
from graph.audit.log import NewEvent, append_all
from graph.gate import Gate
from graph.intake.models import Disposition, InboxEvent
from graph.intake.recognise import Meaning, Recognised, recognise
from graph.runs.models import HELD_UP, Run, RunState, WaitFor
from graph.runtime import Runtime
from policies.vocabulary import Tool


@dataclass(frozen=True, slots=True)
class Incoming:
    """The ticket's active run and its pending events by meaning. Those that mean nothing are recorded already."""

    tenant_id: str
    ticket_id: str
    run: Run | None
    last_comment_id: int
    messages: tuple[InboxEvent, ...] = ()
    staff: tuple[InboxEvent, ...] = ()
    gone: tuple[InboxEvent, ...] = ()
    changes: tuple[InboxEvent, ...] = ()
    has_history: bool = False

    @property
    def starts_a_run(self) -> bool:
        """Whether a customer has written and no run is at it."""
        return self.run is None and bool(self.messages)

    @property
    def events(self) -> tuple[InboxEvent, ...]:
        """All that a signal takes up."""
        return (*self.messages, *self.staff, *self.gone)


@dataclass(slots=True)
class _Sorted:
    messages: list[InboxEvent] = field(default_factory=list)
    staff: list[InboxEvent] = field(default_factory=list)
    gone: list[InboxEvent] = field(default_factory=list)
    changes: list[InboxEvent] = field(default_factory=list)
    nothing: list[tuple[InboxEvent, str]] = field(default_factory=list)


async def look(runtime: Runtime, tenant_id: str, ticket_id: str) -> Incoming:
    """Read and sort what is pending. Events with nothing to do are recorded with their reason on the way.

    While a run is at work, or waits out an outage, its events are left pending: sorting them may need the very vendor
    that is away. They are looked at when it waits for something else or has ended.
    """
    async with runtime.sessions(tenant_id) as session:
        runs = await _newest_runs(session, tenant_id, ticket_id)
        events = await _pending(session, tenant_id, ticket_id)
    active = next((run for run in runs if run.state != RunState.ENDED.value), None)
    last_comment_id = max((run.last_comment_id for run in runs), default=0)
    incoming = Incoming(
        tenant_id, ticket_id, active, last_comment_id, has_history=any(run is not active for run in runs)
    )
    if not events or (active is not None and _is_at_work(active)):
        return incoming
    sorted_ = await _sort(runtime, incoming, events)
    await _confirm_messages(runtime, incoming, sorted_)
    if active is None:
        sorted_.nothing += [(event, "agent_comment") for event in sorted_.staff]
        sorted_.nothing += [(event, "ticket_gone") for event in sorted_.gone]
        sorted_.staff, sorted_.gone = [], []
    await _record(runtime, tenant_id, sorted_.nothing)
    return Incoming(
        tenant_id,
        ticket_id,
        active,
        last_comment_id,
        tuple(sorted_.messages),
        tuple(sorted_.staff),
        tuple(sorted_.gone),
        tuple(sorted_.changes),
        has_history=incoming.has_history,
    )


def _is_at_work(run: Run) -> bool:
    return run.state == RunState.RUNNING.value or run.wait_for in HELD_UP


def _holds_money(run: Run | None) -> bool:
    """Whether the run may have something held that a change of its ticket stops."""
    return run is not None and run.wait_for == WaitFor.SETTLEMENT.value


async def _newest_runs(session: AsyncSession, tenant_id: str, ticket_id: str) -> Sequence[Run]:
    query = (
        select(Run)
        .where(col(Run.tenant_id) == tenant_id, col(Run.ticket_id) == ticket_id)
        .order_by(col(Run.started_at).desc())
        .limit(5)
    )
    return (await session.execute(query)).scalars().all()


async def _pending(session: AsyncSession, tenant_id: str, ticket_id: str) -> Sequence[InboxEvent]:
    query = (
        select(InboxEvent)
        .where(
            col(InboxEvent.tenant_id) == tenant_id,
            col(InboxEvent.ticket_id) == ticket_id,
            col(InboxEvent.disposition) == Disposition.PENDING.value,
        )
        .order_by(col(InboxEvent.received_at))
    )
    return (await session.execute(query)).scalars().all()


async def _sort(runtime: Runtime, incoming: Incoming, events: Sequence[InboxEvent]) -> _Sorted:
    zendesk = runtime.tenant(incoming.tenant_id).zendesk
    bot_user_id = await asyncio.to_thread(lambda: zendesk.bot_user_id)
    sorted_ = _Sorted()
    for event in events:
        found: Recognised = recognise(event, bot_user_id=bot_user_id, last_comment_id=incoming.last_comment_id)
        match found.meaning:
            case Meaning.CUSTOMER_MESSAGE:
                sorted_.messages.append(event)
            case Meaning.STAFF_MESSAGE:
                sorted_.staff.append(event)
            case Meaning.TICKET_GONE:
                sorted_.gone.append(event)
            case Meaning.TICKET_CHANGED if _holds_money(incoming.run):
                sorted_.changes.append(event)
            case Meaning.TICKET_CHANGED:
                sorted_.nothing.append((event, found.reason or "nothing"))
            case Meaning.NOTHING:
                sorted_.nothing.append((event, found.reason or "nothing"))
    return sorted_


async def _confirm_messages(runtime: Runtime, incoming: Incoming, sorted_: _Sorted) -> None:
    """An event may be a hint only (swept, or from a trigger): read what the ticket holds before anything moves."""
    if not sorted_.messages or not incoming.last_comment_id:
        return
    try:
        comments = await _comments(runtime, incoming)
    except VendorRefused as error:
        if error.status != 404:  # noqa: PLR2004 - HTTP's "not found"
            raise
        sorted_.gone += sorted_.messages
        sorted_.messages = []
        return
    requester = comments[0].author_id if comments else None
    if any(_is_new(one, incoming) and one.author_id == requester for one in comments):
        return
    hints, sorted_.messages = sorted_.messages, []
    bot_user_id = await asyncio.to_thread(lambda: runtime.tenant(incoming.tenant_id).zendesk.bot_user_id)
    if any(_is_new(one, incoming) and one.author_id != bot_user_id for one in comments):
        sorted_.staff += hints
    elif _holds_money(incoming.run):
        sorted_.changes += hints
    else:
        sorted_.nothing += [(event, "nothing_new") for event in hints]


def _is_new(comment: CommentView, incoming: Incoming) -> bool:
    return comment.public and comment.comment_id > incoming.last_comment_id


async def _comments(runtime: Runtime, incoming: Incoming) -> tuple[CommentView, ...]:
    tenant = runtime.tenant(incoming.tenant_id)
    gate = Gate(runtime, tenant, actor="intake")
    ticket_id = int(incoming.ticket_id)
    try:
        return await gate.read(
            Tool.ZENDESK_READ,
            "comments.list",
            incoming.ticket_id,
            lambda: tenant.zendesk.comments(ticket_id),
        )
    finally:
        async with runtime.sessions(incoming.tenant_id) as session:
            await append_all(
                session,
                incoming.tenant_id,
                [
                    NewEvent(
                        event_id=runtime.new_id("evt"),
                        at=runtime.now(),
                        kind="tool.called",
                        actor="intake",
                        run_id=incoming.run.run_id if incoming.run else None,
                        ticket_id=incoming.ticket_id,
                        body=record.body(),
                    )
                    for record in gate.records
                ],
            )


async def _record(runtime: Runtime, tenant_id: str, nothing: Sequence[tuple[InboxEvent, str]]) -> None:
    if not nothing:
        return
    async with runtime.sessions(tenant_id) as session:
        for event, reason in nothing:
            await dispose(session, event, Disposition.IGNORED, reason=reason)
        await append_all(
            session,
            tenant_id,
            [
                NewEvent(
                    event_id=runtime.new_id("evt"),
                    at=runtime.now(),
                    kind="event.ignored",
                    actor="intake",
                    ticket_id=event.ticket_id,
                    body={"source": event.source, "event": event.event_id, "event_kind": event.kind, "reason": reason},
                )
                for event, reason in nothing
            ],
        )


async def take_up(runtime: Runtime, run: Run, events: Sequence[InboxEvent], reason: str) -> None:
    """Record events that the run has taken note of."""
    async with runtime.sessions(run.tenant_id) as session:
        for event in events:
            await dispose(session, event, Disposition.ACCEPTED, reason=reason, run_id=run.run_id)


async def dispose(
    session: AsyncSession,
    event: InboxEvent,
    disposition: Disposition,
    *,
    reason: str | None = None,
    run_id: str | None = None,
) -> None:
    """Write down what became of an event, in the session's transaction."""
    row = await session.get_one(InboxEvent, (event.tenant_id, event.source, event.event_id))
    row.disposition = disposition.value
    row.reason = reason
    row.run_id = run_id
