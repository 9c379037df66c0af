"""Spans of OpenTelemetry for what runs do. Without an exporter they cost next to nothing and go nowhere.

A run has one trace, whichever processes work on it and however long it waits: its trace id follows from its id, so
nothing has to be handed from one to the other, and the log names it. So does a webhook's, which the run links to.
Models and tools are named as the semantic conventions for generative AI name them:
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/

Promises: a span has ids, words of ours and numbers, never a text of a ticket and never an error's words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

TRACER: Final = trace.get_tracer("countersign")
AGENT: Final = "countersign"

CHOSEN_IDS: ContextVar[SpanContext | None] = ContextVar("chosen_ids", default=None)
"""The ids of the span that is being made, where they follow from something; read by who makes ids."""

Attribute = str | int | bool


def trace_id_of(run_id: str) -> str:
    """The trace id of a run, as 32 hexadecimal letters."""
    return trace.format_trace_id(_ids("run", run_id).trace_id)


@contextmanager
def spanning(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: Attribute) -> Iterator[Span]:
    """A span below the present one. An error is named by its type alone."""
    with _current(name, kind, None, attributes) as span:
        yield span


@contextmanager
def in_run(run_id: str, name: str, **attributes: Attribute) -> Iterator[Span]:
    """A span of a run, below the one that tells of the whole run."""
    above = trace.set_span_in_context(NonRecordingSpan(_ids("run", run_id)))
    with _current(name, SpanKind.INTERNAL, above, {"countersign.run_id": run_id, **attributes}) as span:
        yield span


def waited(run_id: str, tenant_id: str, event_ids: Sequence[str], since: datetime, until: datetime) -> None:
    """Tell how long events waited in the queue until their run began; linked to their webhooks."""
    above = trace.set_span_in_context(NonRecordingSpan(_ids("run", run_id)))
    attributes: dict[str, Attribute] = {
        "messaging.system": "postgresql",
        "messaging.operation.type": "process",
        "messaging.batch.message_count": len(event_ids),
        "countersign.tenant": tenant_id,
        "countersign.run_id": run_id,
    }
    links = [Link(_ids("event", one)) for one in event_ids]
    TRACER.start_span("process events", above, SpanKind.CONSUMER, attributes, links=links, start_time=_ns(since)).end(
        _ns(until)
    )


def ended(run_id: str, since: datetime, until: datetime, **attributes: Attribute) -> None:
    """Tell of a whole run, once it has ended: the span that all others of the run are below."""
    told: dict[str, Attribute] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": AGENT,
        "countersign.run_id": run_id,
        **attributes,
    }
    with _chosen(_ids("run", run_id)):
        span = TRACER.start_span(f"invoke_agent {AGENT}", Context(), attributes=told, start_time=_ns(since))
    span.end(_ns(until))


def received(event_id: str | None, source: str, started_ns: int, status: int) -> None:
    """Tell of a webhook that was answered; one that was refused has no event."""
    attributes: dict[str, Attribute] = {
        "http.request.method": "POST",
        "http.route": f"/webhooks/{source}/{{tenant_id}}",
        "http.response.status_code": status,
    }
    if event_id is not None:
        attributes["countersign.event_id"] = event_id
    with _chosen(_ids("event", event_id) if event_id is not None else None):
        span = TRACER.start_span(
            f"POST /webhooks/{source}", Context(), SpanKind.SERVER, attributes, start_time=started_ns
        )
    span.end()


@contextmanager
def _current(name: str, kind: SpanKind, above: Context | None, attributes: dict[str, Attribute]) -> Iterator[Span]:
    with TRACER.start_as_current_span(
        name, above, kind, attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise


@contextmanager
def _chosen(ids: SpanContext | None) -> Iterator[None]:
    token = CHOSEN_IDS.set(ids)
    try:
        yield
    finally:
        CHOSEN_IDS.reset(token)


def _ids(what: str, name: str) -> SpanContext:
    digest = hashlib.sha256(f"countersign {what} {name}".encode()).digest()
    trace_id, span_id = int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big")
    return SpanContext(trace_id or 1, span_id or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1_000
