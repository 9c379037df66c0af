"""One refund is one trace, from its webhook to its answer, and no personal data or secret is in it or in a log line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from pydantic import SecretStr

from app.settings import LoggingSettings
from app.telemetry import JsonLines, start_tracing
from graph.tracing import in_run, trace_id_of
from tests.connectors.witness.test_witnesses import witness
from tests.journeys.shop import Shop, charged_twice
from tests.journeys.test_canaries import LEAST_SECRET, found, secrets_of
from tests.journeys.test_privacy import BODY, CANARIES, EMAIL, NAME, PHONE

HEADER = "authorization"
KEY = "Bearer canary-of-the-collector"


@dataclass(frozen=True)
class Collected:
    """What a collector was posted by this process."""

    provider: TracerProvider
    posted: list[tuple[dict[str, str], bytes]]

    @property
    def raw(self) -> bytes:
        self.provider.force_flush()
        return b"".join(body for _, body in self.posted)

    @property
    def spans(self) -> list[Span]:
        self.provider.force_flush()
        return [
            span
            for _, body in self.posted
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture(scope="module")
def collected() -> Iterator[Collected]:
    """A process exports to one collector for its life."""
    with witness(lambda _: (200, "")) as (url, posted):
        provider = start_tracing(LoggingSettings(trace_export=url, trace_authorization=SecretStr(KEY)), "test")
        assert provider is not None
        yield Collected(provider, posted)
        provider.shutdown()


async def test_a_refund_is_one_trace_from_its_webhook_to_its_answer(shop: Shop, collected: Collected) -> None:
    person = {"name": NAME, "email": EMAIL, "phone": PHONE}
    ticket = await shop.arrives(charged_twice(body=BODY, customer=person, subject=f"{NAME} was charged twice"))
    for _ in range(3):
        await shop.passes(minutes=11)
    assert await shop.outcome(ticket) == ("resolved", None)
    run = await shop.run(ticket)

    raw, spans = collected.raw, collected.spans
    sent = {value for headers, _ in collected.posted for name, value in headers.items() if name.lower() == HEADER}
    assert sent == {KEY}
    secrets = {one for one in secrets_of(shop.settings) if len(one) >= LEAST_SECRET}
    assert found(raw.decode("latin-1"), secrets | set(CANARIES) | {KEY}) == set()

    trace_id = trace_id_of(run["run_id"])
    (told,) = await shop.rows("SELECT body FROM audit_event WHERE kind = 'run.started' AND ticket_id = :t", t=ticket)
    assert told["body"]["trace_id"] == trace_id
    own = [span for span in spans if span.trace_id.hex() == trace_id]
    whole = [span for span in own if not span.parent_span_id]
    assert [span.name for span in whole] == ["invoke_agent countersign"]
    ids = {span.span_id for span in own}
    assert len(ids) == len(own) > 20
    assert all(span.parent_span_id in ids for span in own if span not in whole)
    names = {span.name for span in own}
    assert {"process events", "node intake", "node decide", "node act", "execute_tool stripe.refund"} <= names
    assert {"execute_tool zendesk.read", "execute_tool stripe.read", "execute_tool zendesk.reply"} <= names
    (asked,) = [attributes(span) for span in own if span.name.startswith("chat ")]
    assert (asked["gen_ai.operation.name"], asked["gen_ai.provider.name"]) == ("chat", "local")
    assert asked["gen_ai.usage.input_tokens"] == 0

    # What the run links to are the webhooks that brought its ticket.
    (queued,) = [span for span in own if span.name == "process events"]
    webhooks = {(span.trace_id, span.span_id) for span in spans if span.name == "POST /webhooks/zendesk"}
    assert queued.links
    assert {(link.trace_id, link.span_id) for link in queued.links} <= webhooks


def attributes(span: Span) -> dict[str, str | int]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_a_line_of_json_names_its_trace_and_an_error_is_named_by_its_type(collected: Collected) -> None:
    assert start_tracing(LoggingSettings(), "test") is None
    record = logging.LogRecord("app.worker", logging.WARNING, "x.py", 1, "ticket %s waits", ("7",), None)
    lines: list[dict[str, str]] = []

    def fails() -> None:
        with in_run("run_1", "node intake"):
            lines.append(json.loads(JsonLines().format(record)))
            raise ValueError(EMAIL)

    with pytest.raises(ValueError, match=EMAIL):
        fails()
    (line,) = lines
    assert (line["level"], line["message"], line["trace_id"]) == ("warning", "ticket 7 waits", trace_id_of("run_1"))
    assert "trace_id" not in json.loads(JsonLines().format(record))
    raw = collected.raw
    assert b"ValueError" in raw
    assert EMAIL.encode() not in raw
