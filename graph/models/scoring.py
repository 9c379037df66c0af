"""How often the primary intent is right, by what it should have been, with the interval that so few tickets allow.

Saying "I am not sure" is an answer of its own, neither right nor wrong, and counted apart. Where a label allows it, it
is right. A confidence is worth what it claims where as many tickets of it are right, and that is measured too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from graph.models.triage import PersonReason, Triage
from policies.vocabulary import Intent

NO_MONEY_BACK: Final = "<no money-back intent>"
"""A label: anything but an intent that pays money back is right."""
NEEDS_PERSON: Final = "<needs_person>"
"""A label: that the ticket goes to a person is right."""
MONEY_BACK: Final = frozenset(
    {Intent.REFUND_REQUEST, Intent.DUPLICATE_CHARGE, Intent.UNAUTHORIZED_CHARGE, Intent.REFUND_STATUS},
)
_UNANSWERED: Final = frozenset({PersonReason.UNSURE, PersonReason.LANGUAGE})
_Z: Final = 1.959964
"""The normal quantile of a 95 % interval."""
_STEPS: Final = 10
"""Steps of confidence that the calibration is measured in, each of ten percent."""


def wilson(right: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of the share that is right. https://doi.org/10.1080/01621459.1927.10502953 ."""
    if not total:
        return 0.0, 1.0
    share, weight = right / total, _Z**2 / total
    middle = (share + weight / 2) / (1 + weight)
    half = _Z * math.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(slots=True)
class Tally:
    """Right and all tickets of one label, the same of those that were answered, and how many a person would get."""

    right: int = 0
    total: int = 0
    answered_right: int = 0
    answered: int = 0
    to_person: int = 0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share that is right."""
        return wilson(self.right, self.total)

    def add(self, triage: Triage, *, is_right: bool) -> None:
        """Count one ticket."""
        is_answered = _is_answered(triage)
        self.total += 1
        self.right += is_right
        self.answered += is_answered
        self.answered_right += is_answered and is_right
        self.to_person += triage.needs_person


@dataclass(slots=True)
class Spotted:
    """One money-back intent: `found` of `due` tickets that are of it, `false_alarms` of `others` that may not be."""

    found: int = 0
    due: int = 0
    false_alarms: int = 0
    others: int = 0


@dataclass(slots=True)
class PartScore:
    """One part of the tickets, such as one source.

    `confidences` sums the stated confidence, in whole percent, of the tickets in each step of ten percent; `opened`
    counts tickets without a money-back label that would have gone towards money and to no person.
    """

    tally: Tally = field(default_factory=Tally)
    spotted: dict[Intent, Spotted] = field(default_factory=lambda: {intent: Spotted() for intent in MONEY_BACK})
    steps: list[Tally] = field(default_factory=lambda: [Tally() for _ in range(_STEPS)])
    confidences: list[int] = field(default_factory=lambda: [0] * _STEPS)
    opened: int = 0
    without_money: int = 0

    def add(self, triage: Triage, accepted: Sequence[str], *, is_right: bool) -> None:
        """Count one ticket."""
        self.tally.add(triage, is_right=is_right)
        step = min(triage.confidence * _STEPS // 100, _STEPS - 1)
        self.steps[step].add(triage, is_right=is_right)
        self.confidences[step] += triage.confidence
        for intent, spotted in self.spotted.items():
            if accepted[0] == intent.value:
                spotted.due += 1
                spotted.found += triage.primary is intent
            elif intent.value not in accepted:
                spotted.others += 1
                spotted.false_alarms += triage.primary is intent
        if not any(label in MONEY_BACK for label in accepted):
            self.without_money += 1
            self.opened += triage.primary in MONEY_BACK and not triage.needs_person

    @property
    def calibration_error(self) -> float:
        """How far stated confidence and share of right answers lie apart, on average over tickets (0 is perfect)."""
        apart = sum(
            abs(stated / 100 - step.right)
            for stated, step in zip(self.confidences, self.steps, strict=True)
            if step.total
        )
        return apart / self.tally.total if self.tally.total else 0.0

    def lines(self, name: str) -> Iterator[str]:
        """What is said of the part: right of all, coverage, right of the answered, calibration, money."""
        tally = self.tally
        yield f"{name}"
        yield f"  right of all       {_share(tally.right, tally.total)}"
        yield f"  answered           {_share(tally.answered, tally.total)}"
        yield f"  right of answered  {_share(tally.answered_right, tally.answered)}"
        yield f"  calibration error  {self.calibration_error:.3f}"
        yield f"  opened money       {self.opened} of {self.without_money} that ask for none back"
        for intent, spotted in sorted(self.spotted.items()):
            if spotted.due:
                alarms = _share(spotted.false_alarms, spotted.others)
                yield f"  {intent.value}: found {_share(spotted.found, spotted.due)}, false alarms {alarms}"


@dataclass(slots=True)
class Score:
    """The tallies by label, and the parts the tickets come in."""

    by_label: dict[str, Tally] = field(default_factory=dict)
    by_part: dict[str, PartScore] = field(default_factory=dict)

    def add(self, triage: Triage, accepted: Sequence[str], part: str = "all tickets") -> None:
        """Count one ticket under the first of the answers that would have been right, and under its part."""
        is_right = any(_fits(triage, label) for label in accepted)
        self.by_label.setdefault(accepted[0], Tally()).add(triage, is_right=is_right)
        self.by_part.setdefault(part, PartScore()).add(triage, accepted, is_right=is_right)

    @property
    def whole(self) -> Tally:
        """All labels together."""
        tallies = self.by_label.values()
        return Tally(
            sum(one.right for one in tallies),
            sum(one.total for one in tallies),
            sum(one.answered_right for one in tallies),
            sum(one.answered for one in tallies),
            sum(one.to_person for one in tallies),
        )

    def lines(self) -> Iterator[str]:
        """A table by label: right of all, share with its interval, how many a person would get; then each part."""
        rows = [*sorted(self.by_label.items()), ("all", self.whole)]
        width = max(len(label) for label, _ in rows)
        for label, tally in rows:
            yield f"{label:<{width}}  {_share(tally.right, tally.total)}  to a person {tally.to_person:4d}"
        for name, part in sorted(self.by_part.items()):
            yield ""
            yield from part.lines(name)


def _share(count: int, total: int) -> str:
    low, high = wilson(count, total)
    return f"{count:5d} of {total:5d}  {count / total if total else 0.0:.3f} [{low:.3f}, {high:.3f}]"


def _is_answered(triage: Triage) -> bool:
    return not _UNANSWERED & set(triage.person_reasons)


def _fits(triage: Triage, label: str) -> bool:
    if label == NEEDS_PERSON:
        return triage.needs_person
    if label == NO_MONEY_BACK:
        return triage.primary not in MONEY_BACK
    return triage.primary.value == label
