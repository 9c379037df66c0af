"""The events of a run as steps: each node with the calls it made, each wait with what ended it, each effect. Pure.

Steps come in the order of the log. A node's own calls stand before its `node.completed` in the log, because one
transaction wrote them; so a call belongs to the next node. Bars are drawn on a line of worked time: a run waits days
and works for seconds, and what matters is where the seconds went.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from graph.audit.models import AuditEvent

READS: Final[Mapping[str, tuple[str, ...]]] = {
    "intake": (),
    "triage": ("snapshot", "triage"),
    "gather": ("snapshot", "triage"),
    "retrieve": ("snapshot", "triage"),
    "plan": ("snapshot", "triage", "dossier"),
    "decide": ("plan", "snapshot", "triage", "dossier", "sections"),
    "draft": ("snapshot", "triage", "plan", "verdicts", "dossier", "sections", "words", "draft"),
    "verify": ("draft", "verdicts", "sections", "snapshot", "dossier"),
    "review": (),
    "act": ("verdicts", "snapshot", "dossier"),
    "settle": (),
    "answer": ("snapshot", "verdicts", "draft"),
    "deliver": (),
    "wait": (),
    "hand_off": ("snapshot", "triage", "dossier", "files", "sections", "plan", "verdicts"),
    "close": (),
}
"""What each node loads of what earlier ones stored. A test compares it with the nodes."""

LONGEST_CALL: Final = timedelta(seconds=60)
"""An effect that took longer was not on its way: its end had to be found out. That is a wait."""

_CALLS: Final = ("tool.called", "model.called")


class StepKind(StrEnum):
    """What a step is."""

    NODE = "node"
    WAIT = "wait"
    PERSON = "person"
    EFFECT = "effect"
    EVENT = "event"


@dataclass(slots=True)
class Step:
    """One step. Times in milliseconds; `began_ms` is on the line of worked time, on which waits have no length."""

    number: int
    kind: StepKind
    name: str
    at: datetime
    events: list[AuditEvent] = field(default_factory=list)
    calls: list[AuditEvent] = field(default_factory=list)
    latency_ms: int = 0
    began_ms: int = 0
    waited: timedelta | None = None

    @property
    def main(self) -> AuditEvent:
        """The event that ends the step."""
        return self.events[-1]

    @property
    def body(self) -> Mapping[str, object]:
        """What the log says of it."""
        return self.main.body

    @property
    def outputs(self) -> Mapping[str, str]:
        """What the step stored, each kind with the commitment that the log holds."""
        outputs = self.body.get("outputs")
        return outputs if isinstance(outputs, dict) else {}

    @property
    def reads(self) -> tuple[str, ...]:
        """The kinds of what it was given."""
        return READS.get(self.name, ()) if self.kind is StepKind.NODE else ()

    @property
    def tools(self) -> list[AuditEvent]:
        """Its calls of tools."""
        return [call for call in self.calls if call.kind == "tool.called"]

    @property
    def models(self) -> list[AuditEvent]:
        """Its calls of models."""
        return [call for call in self.calls if call.kind == "model.called"]

    @property
    def cost_usd_micros(self) -> int:
        """What its models cost, in millionths of a dollar."""
        return sum(_whole(call.body.get("cost_usd_micros")) for call in self.models)

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return sum(_whole(call.body.get(name)) for call in self.models for name in ("input_tokens", "output_tokens"))

    @property
    def actors(self) -> list[str]:
        """Who did it, as the log names them."""
        return list(dict.fromkeys(event.actor for event in (*self.calls, *self.events)))

    @property
    def credentials(self) -> list[str]:
        """With which credentials, each named and never shown."""
        named = (event.body.get("credential") for event in (*self.calls, *self.events))
        return list(dict.fromkeys(str(one) for one in named if one))


def steps_of(events: Sequence[AuditEvent]) -> list[Step]:
    """The steps of a run from its events, which come by their numbers."""
    builder = _Builder()
    for event in events:
        builder.take(event)
    return builder.finish()


@dataclass(slots=True)
class _Builder:
    steps: list[Step] = field(default_factory=list)
    calls: list[AuditEvent] = field(default_factory=list)
    waiting: Step | None = None

    def take(self, event: AuditEvent) -> None:
        if event.kind in _CALLS:
            self.calls.append(event)
        elif event.kind == "node.completed":
            step = self._add(StepKind.NODE, str(event.body.get("node")), event)
            step.calls, self.calls = self.calls, []
            step.latency_ms = _whole(event.body.get("latency_ms"))
        elif event.kind.startswith("effect.") and self._goes_on(event):
            self._continue(event)
        elif event.kind == "run.waiting":
            self.waiting = self._add(StepKind.WAIT, str(event.body.get("for")), event)
        else:
            self._note(event)

    def finish(self) -> list[Step]:
        if self.calls:  # of a step that never came to its end
            step = self._add(StepKind.EVENT, "calls of an unfinished step", self.calls[-1])
            step.calls, self.calls = self.calls, []
        began_ms = 0
        for number, step in enumerate(self.steps):
            step.number, step.began_ms = number, began_ms
            began_ms += step.latency_ms
        return self.steps

    def _note(self, event: AuditEvent) -> None:
        if event.kind == "run.woken" and self.waiting is not None:
            self.waiting.waited = event.at - self.waiting.at
            self.waiting = None
        kind = StepKind.EVENT
        if event.kind.startswith("effect."):
            kind = StepKind.EFFECT
        elif event.kind.startswith(("approval.", "review.")):
            kind = StepKind.PERSON
        name = str(event.body.get("effect") or event.kind) if kind is StepKind.EFFECT else event.kind
        self._add(kind, name, event)

    def _goes_on(self, event: AuditEvent) -> bool:
        """Whether the event continues the effect of the step before it."""
        last = self.steps[-1] if self.steps else None
        is_effect = last is not None and last.kind is StepKind.EFFECT
        return is_effect and last is not None and last.body.get("effect_id") == event.body.get("effect_id")

    def _continue(self, event: AuditEvent) -> None:
        last = self.steps[-1]
        if last.main.kind == "effect.sending":
            passed = event.at - last.main.at
            if passed > LONGEST_CALL:
                last.waited = passed
            else:
                last.latency_ms += max(0, round(passed.total_seconds() * 1000))
        last.events.append(event)

    def _add(self, kind: StepKind, name: str, event: AuditEvent) -> Step:
        step = Step(0, kind, name, event.at, [event])
        self.steps.append(step)
        return step


def worked_ms(steps: Iterable[Step]) -> int:
    """How long the run worked, without what it waited."""
    return sum(step.latency_ms for step in steps)


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
