"""The rows that a batch of events may change, and what is remembered from one event to a later one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from app.measures.models import MeasureCursor, MeasureRun


class Event(Protocol):
    """What the fold reads of an event."""

    at: datetime
    kind: str
    run_id: str | None
    ticket_id: str | None
    body: Mapping[str, Any]


@dataclass(slots=True)
class Counted:
    """A day's count that is added to the stored one."""

    count: int = 0
    bad: int = 0
    total_ms: int = 0


@dataclass(slots=True)
class Folding:
    """The rows that a batch of events may change.

    Args:
        tenant_id: whose log.
        cursor: how far it is folded.
        runs: by id; those of the batch, and those that they follow or rate.
        latest: the newest run of each ticket of the batch.
        counts: what is to be added, by day, what and subject.
    """

    tenant_id: str
    cursor: MeasureCursor
    runs: dict[str, MeasureRun] = field(default_factory=dict)
    latest: dict[str, str] = field(default_factory=dict)
    counts: dict[tuple[date, str, str], Counted] = field(default_factory=dict)

    def run(self, event: Event) -> MeasureRun:
        """The run that an event is of. One whose beginning the log does not have is known from here on."""
        assert event.run_id is not None
        found = self.runs.get(event.run_id)
        if found is None:
            found = MeasureRun(
                tenant_id=self.tenant_id, run_id=event.run_id, ticket_id=event.ticket_id or "", started_at=event.at
            )
            self.runs[event.run_id] = found
            self.latest[found.ticket_id] = found.run_id
        return found

    def count(self, event: Event, what: str, subject: str, *, is_bad: bool = False, ms: int = 0) -> None:
        """Count something of the event's day."""
        counted = self.counts.setdefault((event.at.date(), what, subject), Counted())
        counted.count += 1
        counted.bad += is_bad
        counted.total_ms += ms


def remember(row: MeasureRun | MeasureCursor, place: str, name: str, value: object) -> None:
    """Keep a value until its end is seen. The whole is assigned, because that is what the database notices."""
    kept = row.memo.get(place)
    row.memo = {**row.memo, place: {**(kept if isinstance(kept, dict) else {}), name: value}}


def recall(row: MeasureRun | MeasureCursor, place: str, name: str) -> Any:  # noqa: ANN401 - JSON
    """Take a kept value away; None where there is none."""
    kept = row.memo.get(place)
    if not isinstance(kept, dict) or name not in kept:
        return None
    rest = {key: value for key, value in kept.items() if key != name}
    others = {key: value for key, value in row.memo.items() if key != place}
    row.memo = {**others, place: rest} if rest else others
    return kept[name]


def since(start: object, event: Event) -> int | None:
    """Whole seconds from a remembered moment to the event."""
    if not isinstance(start, str):
        return None
    return max(0, int((event.at - datetime.fromisoformat(start)).total_seconds()))


def intervened(run: MeasureRun, after_s: int | None) -> None:
    """A person changed or stopped something, so many seconds after they could."""
    run.interventions += 1
    if run.intervened_after_s is None:
        run.intervened_after_s = after_s


def spent_outside(run: MeasureRun, latency_ms: int) -> None:
    """Time within the node that follows in the log, which is not the node's own."""
    before = run.memo.get("outside_ms")
    run.memo = {**run.memo, "outside_ms": (before if isinstance(before, int) else 0) + latency_ms}
