"""The page of a trace: the run as it went at the left, the step that is looked at beside it, the proof on top."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.routing import missing
from app.identity.accounts import names_of
from app.identity.roles import PEOPLE
from app.trace.again import replay
from app.trace.form import step_form
from app.trace.reading import Trace, read_trace
from app.trace.steps import Step, StepKind
from app.trace.words import sentence, span, title
from app.web.access import Guard, add
from app.web.rendering import Renderer
from graph.audit.sequence import Signer
from graph.vault import Vault

WIDTH: Final = 1000
"""Of the line of worked time, in the units of the drawing."""
THINNEST: Final = 6
"""Of a bar, so that a step of a millisecond is seen."""


@dataclass(frozen=True, slots=True)
class Row:
    """A step as the list shows it."""

    step: Step
    title: str
    took: str
    cost: str
    left: int
    width: int
    dear: int  # width of the bar of costs


@dataclass(frozen=True, slots=True)
class Traces:
    """The handlers."""

    guard: Guard
    renderer: Renderer
    vault: Vault
    signer: Callable[[], Signer | None]

    async def show(
        self, tenant_id: str, run_id: str, request: Request, step: int | None = None, *, again: bool = False
    ) -> Response:
        """The trace, with one step opened: the one that was asked for, else the last decision.

        `again` has the run decided once more beside it, which changes nothing.
        """
        async with self.guard.sessions(tenant_id) as session:
            trace = await read_trace(session, self.vault, tenant_id, run_id, self.signer())
            if trace is None:
                raise missing("run", run_id)
            people = await names_of(session, tenant_id, (event.actor for event in trace.story.page.events))
        chosen = _chosen(trace, step)
        return self.renderer.page(
            request,
            "trace.html",
            tenant_id=tenant_id,
            trace=trace,
            run=trace.run,
            told=sentence(trace),
            rows=rows_of(trace),
            chosen=chosen,
            shown=step_form(trace, chosen) if chosen is not None else None,
            title=title,
            people=people,
            facts=_facts(trace),
            pretty=pretty,
            replay=await replay(self.guard.sessions, self.vault, tenant_id, run_id) if again else None,
        )


def routes(traces: Traces) -> APIRouter:
    """The routes of this module."""
    router = APIRouter()
    add(router, "GET", "/t/{tenant_id}/runs/{run_id}/trace", traces.show, traces.guard.allow(PEOPLE))
    return router


def rows_of(trace: Trace) -> Sequence[Row]:
    """Each step with its bars: time on the line of worked time, cost against the dearest step."""
    whole = max(trace.worked_ms, 1)
    dearest = max((step.cost_usd_micros for step in trace.steps), default=0)
    return [
        Row(
            step=step,
            title=title(step),
            took=_took(step),
            cost=usd(step.cost_usd_micros) if step.cost_usd_micros else "",
            left=min(step.began_ms * WIDTH // whole, WIDTH - THINNEST),
            width=max(step.latency_ms * WIDTH // whole, THINNEST) if step.latency_ms else 0,
            dear=max(step.cost_usd_micros * WIDTH // dearest, THINNEST) if dearest and step.cost_usd_micros else 0,
        )
        for step in trace.steps
    ]


def usd(micros: int) -> str:
    """Millionths of a dollar as dollars, exactly.

    >>> [usd(0), usd(1_234)]
    ['$0', '$0.001234']
    """
    return f"${micros // 1_000_000}.{micros % 1_000_000:06d}" if micros else "$0"


def pretty(value: object) -> str:
    """JSON for reading."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _took(step: Step) -> str:
    if step.waited is not None:
        return f"waited {span(step.waited)}"
    if step.kind is StepKind.WAIT:
        return "still waits"
    return span(timedelta(milliseconds=step.latency_ms)) if step.latency_ms else ""


def _chosen(trace: Trace, asked: int | None) -> Step | None:
    by_number: Mapping[int, Step] = {step.number: step for step in trace.steps}
    if asked is not None and asked in by_number:
        return by_number[asked]
    decides = [step for step in trace.steps if step.name == "decide"]
    return next(iter(reversed(decides or list(trace.steps))), None)


def _facts(trace: Trace) -> Sequence[tuple[str, str, str]]:
    """What stands on top: a word, its value, and a remark."""
    run = trace.run
    found: list[tuple[str, str, str]] = []
    if run.ended_at is not None:
        found.append(("Total time", span(run.ended_at - run.started_at), "from its start to its end, waits included"))
    found.append(("Worked", span(timedelta(milliseconds=trace.worked_ms)), "time in steps, without waits"))
    found.append(("Cost", usd(run.cost_usd_micros), f"{run.model_calls} model calls, {run.tool_calls} tool calls"))
    found.append(("Policy", (run.policy_hash or "none")[:12], run.policy_hash or ""))
    found.append(("Models", ", ".join(trace.models) or "none", "each with the version of its prompt"))
    return found
