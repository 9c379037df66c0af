"""Runs for programs: the list, one run as its record, its trace, its events, its evidence; and stopping it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.api.access import Called
from app.api.record import MICROS, OUTCOMES, RecordDetails, RunOutcome, RunRecord, details_of, record_of
from app.api.routing import After, Cursor, Id, Limit, Listing, Word, call, conflict, missing
from app.event_lines import event_lines
from app.identity.roles import ANSWERERS, PEOPLE, Role
from app.identity.service_tokens import Scope
from app.identity.sessions import Visitor
from app.trace.form import TraceForm, trace_form
from app.trace.reading import read_trace
from app.web.access import Guard, Refused, add, signed_in
from app.web.reading import read_run
from graph.audit.errors import AuditError
from graph.audit.evidence import evidence
from graph.audit.log import append
from graph.audit.sequence import Signer
from graph.queue import enqueue_tickets
from graph.runs.models import Run
from graph.settlement.stop import stop_run
from graph.vault import Vault
from policies.vocabulary import Outcome

READERS: Final = PEOPLE | {Role.SERVICE}
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class RunSummary(BaseModel):
    """A run in a list: its record without the steps."""

    run_id: str
    user_id: str | None
    task_type: str
    cost_usd: float
    outcome: RunOutcome
    countersign: RecordDetails


class Stop(BaseModel):
    """Why what is held shall not be sent."""

    reason: Sentence


class Stopped(BaseModel):
    """What was stopped."""

    run_id: str
    stopped: list[str]


@dataclass(frozen=True, slots=True)
class Runs:
    """The handlers."""

    guard: Guard
    vault: Vault
    new_id: Callable[[str], str]
    signer: Callable[[], Signer | None]

    async def list_runs(
        self,
        request: Request,
        *,
        outcome: Outcome | None = None,
        ticket_id: Word = None,
        since: datetime | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Listing[RunSummary]:
        """List runs, the newest first."""
        tenant_id, behind = signed_in(request).tenant_id, Cursor.read(after)
        query = select(Run).where(col(Run.tenant_id) == tenant_id)
        if outcome is not None:
            query = query.where(col(Run.outcome) == outcome.value)
        if ticket_id:
            query = query.where(col(Run.ticket_id) == ticket_id)
        if since is not None:
            query = query.where(col(Run.started_at) >= since)
        place = tuple_(col(Run.started_at), col(Run.run_id))
        if behind is not None:
            query = query.where(place < (behind.at, behind.row_id))
        query = query.order_by(col(Run.started_at).desc(), col(Run.run_id).desc()).limit(limit + 1)
        async with self.guard.sessions(tenant_id) as session:
            found = list((await session.execute(query)).scalars())
        page = found[:limit]
        onward = Cursor(page[-1].started_at, page[-1].run_id).text() if len(found) > limit else None
        return Listing(items=[_summary(run) for run in page], next=onward)

    async def get_run(self, run_id: Id, request: Request) -> RunRecord:
        """One run as its record."""
        tenant_id = signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            page = await read_run(session, self.vault, tenant_id, run_id)
        if page is None:
            raise missing("run", run_id)
        return record_of(page.run, page.events, page.effects, page.approval)

    async def get_trace(self, run_id: Id, request: Request) -> TraceForm:
        """One run step by step, with what each was given and stored, what changed outside, and the proof."""
        tenant_id = signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            trace = await read_trace(session, self.vault, tenant_id, run_id, self.signer())
        if trace is None:
            raise missing("run", run_id)
        return trace_form(trace)

    async def export_trace(self, run_id: Id, request: Request) -> Response:
        """The trace as a file."""
        trace = await self.get_trace(run_id, request)
        return Response(trace.model_dump_json(indent=1), media_type="application/json")

    async def export_events(self, run_id: Id, request: Request) -> Response:
        """The events of one run, a JSON line each, as `countersign runs export` prints them. It is told in the log."""
        visitor = signed_in(request)
        tenant_id = visitor.tenant_id
        async with self.guard.sessions(tenant_id) as session:
            run = await session.get(Run, (tenant_id, run_id))
            if run is None:
                raise missing("run", run_id)
            lines = [line async for line in event_lines(session, tenant_id, run_id=run_id)]
            await self._tell(session, visitor, {"what": "events", "run": run_id})
        headers = {"Content-Disposition": f'attachment; filename="{run_id}.jsonl"'}
        body = (f"{line}\n".encode() for line in lines)
        return StreamingResponse(body, media_type="application/x-ndjson", headers=headers)

    async def export_evidence(self, run_id: Id, request: Request) -> Response:
        """The evidence bundle of the run's ticket, which `verify_bundle.py` checks. Sealed values stay sealed."""
        visitor, signer = signed_in(request), self.signer()
        tenant_id = visitor.tenant_id
        if signer is None:
            raise conflict("The key that signs the log is not on this machine; ask whoever runs the worker.")
        async with self.guard.sessions(tenant_id) as session:
            run = await session.get(Run, (tenant_id, run_id))
            if run is None:
                raise missing("run", run_id)
            try:
                bundle = await evidence(session, tenant_id, run.ticket_id, signer)
            except AuditError as error:
                raise conflict(f"There is no proof yet: {error}.") from error
            if bundle is None:
                raise conflict("The events of this ticket wait for the next checkpoint. Ask again in a second.")
            ticket_id = run.ticket_id
            await self._tell(session, visitor, {"what": "evidence", "ticket_id": ticket_id, "opened": False})
        headers = {"Content-Disposition": f'attachment; filename="ticket-{ticket_id}.json"'}
        body = json.dumps(bundle, ensure_ascii=False, indent=1)
        return Response(body, media_type="application/json", headers=headers)

    async def stop(self, run_id: Id, wanted: Stop, request: Request) -> Stopped:
        """Stop what the run holds back, before it is sent. Where nothing is held, nothing is changed: 409."""
        visitor = signed_in(request)
        tenant_id = visitor.tenant_id
        async with self.guard.sessions(tenant_id) as session:
            run = await session.get(Run, (tenant_id, run_id))
            if run is None:
                raise missing("run", run_id)
            stopped = await stop_run(
                session,
                tenant_id,
                run_id,
                reason="person",
                detail=wanted.reason,
                actor=visitor.actor,
                now=self.guard.now(),
                new_id=self.new_id,
            )
            if not stopped:
                raise Refused(HTTPStatus.CONFLICT, "Nothing was changed", "Nothing of this run is held any more.")
            await enqueue_tickets(session, tenant_id, [run.ticket_id])
        return Stopped(run_id=run_id, stopped=stopped)

    async def _tell(self, session: AsyncSession, visitor: Visitor, body: dict[str, object]) -> None:
        """Who took events out."""
        await append(
            session,
            tenant_id=visitor.tenant_id,
            at=self.guard.now(),
            kind="log.exported",
            actor=visitor.actor,
            new_id=self.new_id,
            body=body,
        )


def routes(runs: Runs) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), runs.guard
    reading = Called(guard, READERS, Scope.READ)
    call(router, "GET", "/runs", runs.list_runs, reading, gives=Listing[RunSummary])
    call(router, "GET", "/runs/{run_id}", runs.get_run, reading, gives=RunRecord)
    call(router, "GET", "/runs/{run_id}/trace", runs.get_trace, reading, gives=TraceForm)
    call(router, "GET", "/runs/{run_id}/events", runs.export_events, reading, gives="application/x-ndjson")
    call(router, "GET", "/runs/{run_id}/evidence", runs.export_evidence, reading, gives="application/json")
    call(router, "POST", "/runs/{run_id}/stop", runs.stop, Called(guard, ANSWERERS, Scope.REVIEW), gives=Stopped)
    return router


def files(runs: Runs) -> APIRouter:
    """The same as files that a page of a tenant links to."""
    router, people = APIRouter(), runs.guard.allow(PEOPLE)
    add(router, "GET", "/t/{tenant_id}/runs/{run_id}/trace.json", runs.export_trace, people)
    add(router, "GET", "/t/{tenant_id}/runs/{run_id}/events.jsonl", runs.export_events, people)
    add(router, "GET", "/t/{tenant_id}/runs/{run_id}/evidence.json", runs.export_evidence, people)
    return router


def _summary(run: Run) -> RunSummary:
    return RunSummary(
        run_id=run.run_id,
        user_id=run.subject_id,
        task_type=run.intents[0] if run.intents else "unknown",
        cost_usd=run.cost_usd_micros / MICROS,
        outcome=OUTCOMES.get(run.outcome, "running"),
        countersign=details_of(run),
    )
