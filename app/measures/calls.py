"""What calls of systems outside and of models do to the rows of the measures. Pure."""

from __future__ import annotations

from typing import Final

from app.measures.batch import Event, Folding, remember, spent_outside
from app.measures.models import UNKNOWN, MeasureRun

NOT_CALLED: Final = "not_called"
ANSWERS: Final = frozenset({"done", "VendorRefused"})
"""Outcomes of a read that a system gave. A refusal such as a 404 is an answer; a denied access, a lost one is none."""
VENDORS: Final = frozenset({"zendesk", "stripe"})


def tool_called(folding: Folding, event: Event) -> None:
    """A read outside. One that the gate did not let through is no call."""
    outcome, tool = str(event.body.get("outcome")), str(event.body.get("tool"))
    if outcome == NOT_CALLED:
        return
    folding.count(event, "read", tool, is_bad=outcome not in ANSWERS, ms=int(event.body.get("latency_ms") or 0))
    connector = tool.partition(".")[0]
    cursor = folding.cursor
    if cursor.connected_at is None and outcome == "done" and connector in VENDORS:
        remember(cursor, "answered", connector, event.at.isoformat())
        answered = cursor.memo["answered"]
        if isinstance(answered, dict) and answered.keys() >= VENDORS:
            cursor.connected_at = event.at


def tool_of_run(_: Folding, run: MeasureRun, event: Event) -> None:
    """The same for the run that read. What came to nothing counts among the retries, with its time."""
    outcome, latency_ms = str(event.body.get("outcome")), int(event.body.get("latency_ms") or 0)
    if outcome == NOT_CALLED:
        return
    run.tool_calls += 1
    run.tool_errors += outcome not in ANSWERS
    if outcome in ANSWERS:
        run.tool_ms += latency_ms
    else:
        run.retry_ms += latency_ms
    spent_outside(run, latency_ms)


def model_called(_: Folding, run: MeasureRun, event: Event) -> None:
    """A model was asked. One outside is paid by its tokens, one in this process by the time it takes."""
    body = event.body
    is_done, is_local = body.get("outcome") == "done", body.get("provider") == "local"
    micros, latency_ms = int(body.get("cost_usd_micros") or 0), int(body.get("latency_ms") or 0)
    run.model_calls += body.get("is_kept") is not True and body.get("outcome") != "circuit_open"
    run.tokens += int(body.get("input_tokens") or 0) + int(body.get("output_tokens") or 0)
    spent_outside(run, latency_ms)
    if not is_done:
        run.retry_usd_micros += micros
        run.retry_ms += latency_ms if is_local else 0
        return
    run.model_usd_micros += micros
    run.model_ms += latency_ms if is_local else 0
    if not is_local or run.model == UNKNOWN:
        run.model = str(body.get("model") or UNKNOWN)
