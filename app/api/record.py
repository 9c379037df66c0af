"""The run record: one JSON object for one run, in the plain shape that programs outside expect.

The shape is the one that teams log agents in: `run_id`, `user_id`, `task_type`, `model`, `policy`, `steps`, `cost_usd`,
`outcome`. Our own words stand beside it under `countersign`. Pure: everything comes from the run's rows and events.

Mapping of the words that the shape closes:

- `outcome`: `draft_created` for a run whose draft waits for a person, `running` before there is any, else our own
  outcome (`resolved`, `waiting_for_customer`, `handed_off`, `ignored`).
- `status` of a step: `ok`; `error`; `refused`, where a switch, a budget or the policy kept a call from being made;
  `blocked_review`, an effect that a person was asked about and has not released; `held`, one that waits out its hold;
  `stopped`, one that was stopped before it was sent; `unknown`, one whose end is being looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.trace.steps import Step, StepKind, steps_of
from graph.audit.models import AuditEvent
from graph.runs.models import Run
from graph.settlement.models import Approval, ApprovalState, Effect, EffectState

MICROS: Final = 1_000_000

RunOutcome = Literal["draft_created", "running", "resolved", "waiting_for_customer", "handed_off", "ignored"]
StepStatus = Literal["ok", "error", "refused", "blocked_review", "held", "stopped", "unknown"]

OUTCOMES: Final[Mapping[str | None, RunOutcome]] = {
    "waiting_for_review": "draft_created",
    "resolved": "resolved",
    "waiting_for_customer": "waiting_for_customer",
    "handed_off": "handed_off",
    "ignored": "ignored",
    None: "running",
}
EFFECTS: Final[Mapping[str, StepStatus]] = {
    EffectState.HELD.value: "held",
    EffectState.SENDING.value: "unknown",
    EffectState.UNKNOWN.value: "unknown",
    EffectState.SETTLED.value: "ok",
    EffectState.RELEASED.value: "error",
    EffectState.STOPPED.value: "stopped",
    EffectState.HUMAN.value: "unknown",
    EffectState.REVERSED.value: "error",
}
TOOLS: Final[Mapping[str, str]] = {
    "refund": "stripe.create_refund",
    "cancel_payment": "stripe.cancel_payment",
    "cancel_subscription": "stripe.cancel_subscription",
    "zendesk_update": "zendesk.update_ticket",
}
"""The tool of the record by the kind of an effect, or of an action that a person was asked about."""


class Record(BaseModel):
    """A form of the API: more keys are welcome in what others send under the same shape."""

    model_config = ConfigDict(extra="allow")


class RecordStep(Record):
    """One step: `retrieve`, `model_call`, `tool_call` or `node`."""

    type: Literal["retrieve", "model_call", "tool_call", "node"]
    latency_ms: int | None = Field(default=None, ge=0)
    sources: int | None = Field(default=None, ge=0, description="of `retrieve`: sections found")
    tool: str | None = Field(default=None, description="of `tool_call`: system and operation")
    model: str | None = Field(default=None, description="of `model_call`")
    node: str | None = Field(default=None, description="the node of the state machine")
    status: StepStatus | None = None
    cost_usd: float | None = Field(default=None, ge=0)
    reference: str | None = Field(default=None, description="what a tool call is about: an id, nothing personal")
    at: datetime | None = None


class RecordPolicy(Record):
    """What the policy allowed without a person, as far as the deciding rule names an amount."""

    max_refund_usd: float | None = Field(default=None, description="null where no threshold in dollars decided")
    requires_review: bool
    hash: str | None = None


class RecordDetails(Record):
    """Our own words for the run."""

    ticket_id: str
    state: str
    outcome: str | None
    reason: str | None
    wait_for: str | None
    intents: list[str]
    actions: list[dict[str, object]]
    is_shadow: bool
    cycle: int
    tool_calls: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int
    approval_id: str | None = Field(description="the question that waits for a person")
    fork_of: str | None
    started_at: datetime
    ended_at: datetime | None


class RunRecord(Record):
    """One run."""

    run_id: str
    user_id: str | None = Field(description="the requester's name in the vault, never an address")
    task_type: str = Field(description="the first thing the ticket asks for; `unknown` before it is understood")
    model: str | None = Field(description="the model that was asked last")
    policy: RecordPolicy
    steps: list[RecordStep]
    cost_usd: float = Field(ge=0)
    outcome: RunOutcome
    countersign: RecordDetails


def record_of(
    run: Run, events: Sequence[AuditEvent], effects: Sequence[Effect], approval: Approval | None
) -> RunRecord:
    """The record of a run from its row, its events by their numbers, its effects and its newest question."""
    steps = steps_of(events)
    models = [str(call.body.get("model")) for step in steps for call in step.models]
    is_open = approval is not None and approval.state == ApprovalState.PENDING.value
    return RunRecord(
        run_id=run.run_id,
        user_id=run.subject_id,
        task_type=run.intents[0] if run.intents else "unknown",
        model=models[-1] if models else None,
        policy=RecordPolicy(
            max_refund_usd=_threshold_usd(steps),
            requires_review=run.reason == "needs_approval" or approval is not None,
            hash=run.policy_hash,
        ),
        steps=[*_steps(steps), *_effects(effects), *_blocked(run, approval if is_open else None)],
        cost_usd=run.cost_usd_micros / MICROS,
        outcome=OUTCOMES.get(run.outcome, "running"),
        countersign=details_of(run, approval.approval_id if is_open and approval is not None else None),
    )


def details_of(run: Run, approval_id: str | None = None) -> RecordDetails:
    """Our own words for a run."""
    return RecordDetails(approval_id=approval_id, **{name: getattr(run, name) for name in _OWN})


_OWN: Final = tuple(name for name in RecordDetails.model_fields if name != "approval_id")


def _steps(steps: Sequence[Step]) -> Iterator[RecordStep]:
    for step in steps:
        for call in step.models:
            yield RecordStep(
                type="model_call",
                model=str(call.body.get("model")),
                status="ok" if call.body.get("outcome") == "done" else "error",
                cost_usd=_whole(call.body.get("cost_usd_micros")) / MICROS,
                latency_ms=_whole(call.body.get("latency_ms")),
                at=call.at,
            )
        for call in step.tools:
            tool = str(call.body.get("tool")).partition(".")[0]
            yield RecordStep(
                type="tool_call",
                tool=f"{tool}.{call.body.get('operation')}",
                status=_call_status(call.body),
                reference=str(call.body.get("reference")),
                latency_ms=_whole(call.body.get("latency_ms")),
                at=call.at,
            )
        if step.kind is StepKind.NODE:
            sections = step.body.get("sections")
            is_retrieval = step.name == "retrieve"
            yield RecordStep(
                type="retrieve" if is_retrieval else "node",
                node=step.name,
                sources=len(sections) if is_retrieval and isinstance(sections, list) else None,
                latency_ms=step.latency_ms,
                at=step.at,
            )


def _call_status(body: Mapping[str, object]) -> StepStatus:
    if str(body.get("decision", "")).startswith("refused"):
        return "refused"
    return "ok" if body.get("outcome") == "done" else "error"


def _effects(effects: Sequence[Effect]) -> Iterator[RecordStep]:
    for effect in effects:
        sent, ended = effect.first_sent_at, effect.settled_at
        yield RecordStep(
            type="tool_call",
            tool=TOOLS.get(effect.kind, effect.kind),
            status=EFFECTS.get(effect.state, "unknown"),
            reference=effect.vendor_object or effect.charge_id,
            latency_ms=max(0, round((ended - sent).total_seconds() * 1000)) if sent and ended else None,
            at=effect.created_at,
        )


def _blocked(run: Run, approval: Approval | None) -> Iterator[RecordStep]:
    """What a person is asked about and has not released."""
    if approval is None:
        return
    for action in run.actions:
        kind = str(action.get("kind"))
        yield RecordStep(
            type="tool_call",
            tool=TOOLS.get(kind, kind),
            status="blocked_review",
            reference=str(action["charge"]) if action.get("charge") else None,
            at=approval.requested_at,
        )
    yield RecordStep(type="tool_call", tool="zendesk.reply", status="blocked_review", at=approval.requested_at)


def _threshold_usd(steps: Sequence[Step]) -> float | None:
    """The bound in dollars that the newest decision was nearest to."""
    for step in reversed(steps):
        if step.name == "decide":
            for bound in _bounds(step.body):
                if bound.get("currency") == "usd" and isinstance(bound.get("bound"), int):
                    return int(str(bound["bound"])) / 100
            return None
    return None


def _bounds(value: object) -> Iterator[Mapping[str, object]]:
    """Every threshold in what the log says of a decision."""
    if isinstance(value, dict):
        if "bound" in value and "side" in value:
            yield value
        for inner in value.values():
            yield from _bounds(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _bounds(inner)


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
