"""Where a process's spans go, and the form of its log lines.

Spans are posted to a collector by OTLP over HTTP where the settings name one, in the background: nothing waits for it,
and what it does not take is dropped. https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry import trace

from app.settings import LoggingSettings
from graph.tracing import CHOSEN_IDS

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


class JsonLines(logging.Formatter):
    """A line of JSON for each record, with the trace and span it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        here = trace.get_current_span().get_span_context()
        form = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if here.is_valid:
            form |= {"trace_id": trace.format_trace_id(here.trace_id), "span_id": trace.format_span_id(here.span_id)}
        if record.exc_info:
            form["error"] = self.formatException(record.exc_info)
        return json.dumps(form, ensure_ascii=False)


def start_logging(settings: LoggingSettings, level: str, quiet: Sequence[str]) -> None:
    """Have this process log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(JsonLines() if settings.form == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in quiet:
        logging.getLogger(name).setLevel(logging.WARNING)


def start_tracing(settings: LoggingSettings, process: str) -> TracerProvider | None:
    """Have this process's spans exported; None where the settings name no collector. Shut it down at the end."""
    if settings.trace_export is None:
        return None
    # Imported here: a process that exports nothing does not pay for the SDK.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415

    class FollowingIds(RandomIdGenerator):
        """Random ids, but for spans whose ids follow from a run or an event."""

        def generate_trace_id(self) -> int:
            chosen = CHOSEN_IDS.get()
            return chosen.trace_id if chosen is not None else super().generate_trace_id()

        def generate_span_id(self) -> int:
            chosen = CHOSEN_IDS.get()
            return chosen.span_id if chosen is not None else super().generate_span_id()

    resource = Resource.create(
        {"service.name": "countersign", "service.version": version("countersign"), "service.instance.id": process}
    )
    provider = TracerProvider(resource=resource, id_generator=FollowingIds())
    secret = settings.trace_authorization
    headers = {"Authorization": secret.get_secret_value()} if secret is not None else None
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(settings.trace_export, headers=headers)))
    trace.set_tracer_provider(provider)
    return provider
