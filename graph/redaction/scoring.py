"""How much of what should go is gone, by class, with the interval that so few values allow; and what stays.

A labelled line is `{"text" or "full_text", "spans": [...]}`, each span with a class and offsets in code points, in our
words or in Presidio's. A value counts as gone when every letter and digit of it is inside a place that was taken out.
Names and addresses of strangers have no shape: they are counted and shown, and nothing is promised about them. A line
with an `order_id` tells whether order numbers survive; one without labels says nothing. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graph.models.scoring import Tally
from graph.redaction.finding import DataClass
from graph.redaction.redact import redact

CLASSES: Final[Mapping[str, str]] = {
    "CREDIT_CARD": DataClass.CARD.value,
    "IBAN_CODE": DataClass.IBAN.value,
    "US_SSN": DataClass.SSN.value,
    "EMAIL_ADDRESS": DataClass.EMAIL.value,
    "PHONE_NUMBER": DataClass.PHONE.value,
    "IP_ADDRESS": DataClass.IP.value,
}
"""Presidio's words for our classes, https://microsoft.github.io/presidio/supported_entities/ ."""
GOALS: Final[Mapping[str, float]] = {
    DataClass.CARD.value: 1.0,
    DataClass.IBAN.value: 1.0,
    DataClass.SSN.value: 1.0,
    DataClass.EMAIL.value: 1.0,
    DataClass.PHONE.value: 0.9,
    "order numbers kept": 0.99,
}
"""The least share that is good enough; other classes are shown only."""
ORDERS: Final = "order numbers kept"
_SPAN_KEYS: Final = (("entity_type", "start_position", "end_position"), ("class", "start", "end"))


class LabelError(ValueError):
    """A line is not labelled as this module's docstring says."""


@dataclass(slots=True)
class RedactionScore:
    """Tallies by class, and how often something was taken out that nobody had labelled."""

    by_class: dict[str, Tally] = field(default_factory=dict)
    unlabelled: int = 0
    lines_read: int = 0

    def add(self, line: Mapping[str, Any]) -> None:
        """Count one labelled line.

        Raises:
            LabelError: it has no text, or spans outside of it.
            RedactionError: it could not be redacted.
        """
        text = line.get("text", line.get("full_text", line.get("body")))
        if not isinstance(text, str):
            raise LabelError('no text: give "text" or "full_text" as a string')
        spans = list(_spans(line.get("spans") or [], len(text)))
        safe = redact(text)
        gone = {index for event in safe.events for index in range(event.start, event.end)}
        self.lines_read += 1
        for label, start, end in spans:
            signs = [index for index in range(start, end) if text[index].isalnum()]
            self._count(CLASSES.get(label, label.lower()), right=all(index in gone for index in signs))
        if "spans" in line:
            labelled = {index for _, start, end in spans for index in range(start, end)}
            self.unlabelled += sum(labelled.isdisjoint(range(event.start, event.end)) for event in safe.events)
        order = str(line.get("order_id") or "")
        if order and order in text:
            self._count(ORDERS, right=order in safe.text)

    def _count(self, label: str, *, right: bool) -> None:
        tally = self.by_class.setdefault(label, Tally())
        tally.total += 1
        tally.right += right

    @property
    def holds(self) -> bool:
        """Whether every class with a goal reaches it."""
        reached = ((self.by_class[name], goal) for name, goal in GOALS.items() if name in self.by_class)
        return all(tally.right >= goal * tally.total for tally, goal in reached)

    def lines(self) -> Iterator[str]:
        """A table: class, values gone of all, share with its interval, the goal where there is one."""
        yield f"{'class':<20} {'right':>9}  share  95 % interval  goal"
        for label in sorted(self.by_class, key=lambda one: (one not in GOALS, one)):
            tally = self.by_class[label]
            low, high = tally.interval
            goal = f"{GOALS[label]:.2f}" if label in GOALS else "none"
            share = tally.right / tally.total
            yield f"{label:<20} {tally.right:>4}/{tally.total:<4}  {share:.3f}  {low:.3f}-{high:.3f}    {goal}"
        yield f"{self.unlabelled} places taken out that no label covers, in {self.lines_read} texts"


def _spans(spans: object, length: int) -> Iterator[tuple[str, int, int]]:
    if not isinstance(spans, list):
        raise LabelError('"spans" is no list: give a list of objects with class, start and end')
    for span in spans:
        keys = next((one for one in _SPAN_KEYS if isinstance(span, dict) and set(one) <= span.keys()), None)
        if keys is None:
            raise LabelError(f"span {span!r} has no class, start and end: name all three")
        label, start, end = (span[key] for key in keys)
        if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end <= length:
            raise LabelError(f"span {start!r} to {end!r} is not in the text: count code points from 0")
        yield str(label), start, end
