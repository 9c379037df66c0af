"""A trace as JSON values: the answer of the API, and what the page copies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from app.run_words import judged_form
from app.trace.reading import Stored, Trace
from app.trace.steps import Step
from app.trace.words import sentence
from graph.audit.models import AuditEvent


class EventForm(BaseModel):
    """An event of the log, without its hash; the export has it."""

    seq: int
    event_id: str
    at: datetime
    kind: str
    actor: str
    body: dict[str, Any]


class StoredForm(BaseModel):
    """What a step stored or was given. `value` is null where its person was erased."""

    kind: str
    commitment: str = Field(description="the salted SHA-256 that the log holds")
    step: int = Field(description="the step that stored it")
    erased: bool
    value: Any = None


class StepForm(BaseModel):
    """One step."""

    number: int
    kind: str
    name: str
    at: datetime
    began_ms: int = Field(description="on the line of worked time, on which waits have no length")
    latency_ms: int
    waited_s: float | None = None
    cost_usd_micros: int
    tokens: int
    actors: list[str]
    credentials: list[str]
    inputs: list[StoredForm]
    outputs: list[StoredForm]
    calls: list[EventForm]
    decisions: list[dict[str, Any]]
    events: list[EventForm]


class PartForm(BaseModel):
    """One thing that changed."""

    what: str
    before: str | None
    after: str


class ChangeForm(BaseModel):
    """A change outside."""

    effect_id: str
    kind: str
    where: str
    state: str
    actor: str
    credential: str | None
    vendor_object: str | None
    parts: list[PartForm]


class ProofForm(BaseModel):
    """How far the events are proved to be in the signed log."""

    state: str
    told: str
    events: int
    size: int
    origin: str
    problems: list[str]


class TraceForm(BaseModel):
    """A run, step by step."""

    run_id: str
    ticket_id: str
    told: str = Field(description="the outcome in one sentence")
    outcome: str | None
    reason: str | None
    policy_hash: str | None
    models: list[str]
    worked_ms: int
    cost_usd_micros: int
    erased: bool
    steps: list[StepForm]
    changes: list[ChangeForm]
    proof: ProofForm


def trace_form(trace: Trace) -> TraceForm:
    """The whole trace."""
    run, proof = trace.run, trace.proof
    return TraceForm(
        run_id=run.run_id,
        ticket_id=run.ticket_id,
        told=sentence(trace),
        outcome=run.outcome,
        reason=run.reason,
        policy_hash=run.policy_hash,
        models=trace.models,
        worked_ms=trace.worked_ms,
        cost_usd_micros=run.cost_usd_micros,
        erased=trace.story.is_erased,
        steps=[step_form(trace, step) for step in trace.steps],
        changes=[
            ChangeForm(
                effect_id=one.effect.effect_id,
                kind=one.effect.kind,
                where=one.where,
                state=one.effect.state,
                actor=one.effect.actor,
                credential=one.effect.credential,
                vendor_object=one.effect.vendor_object,
                parts=[PartForm(what=part.what, before=part.before, after=part.after) for part in one.parts],
            )
            for one in trace.changes
        ],
        proof=ProofForm(
            state=proof.state.value,
            told=proof.told,
            events=proof.events,
            size=proof.size,
            origin=proof.origin,
            problems=list(proof.problems),
        ),
    )


def step_form(trace: Trace, step: Step) -> StepForm:
    """One step of it."""
    return StepForm(
        number=step.number,
        kind=step.kind.value,
        name=step.name,
        at=step.at,
        began_ms=step.began_ms,
        latency_ms=step.latency_ms,
        waited_s=step.waited.total_seconds() if step.waited is not None else None,
        cost_usd_micros=step.cost_usd_micros,
        tokens=step.tokens,
        actors=step.actors,
        credentials=step.credentials,
        inputs=[_stored(one) for one in trace.inputs(step)],
        outputs=[_stored(one) for one in trace.outputs(step)],
        calls=[_event(one) for one in step.calls],
        decisions=[judged_form(one) for one in trace.judged(step)],
        events=[_event(one) for one in step.events],
    )


def _stored(one: Stored) -> StoredForm:
    return StoredForm(kind=one.kind, commitment=one.commitment, step=one.by, erased=one.is_erased, value=one.value)


def _event(event: AuditEvent) -> EventForm:
    return EventForm(
        seq=event.seq, event_id=event.event_id, at=event.at, kind=event.kind, actor=event.actor, body=event.body
    )
