"""How often the primary intent is right, by what it should have been, with the interval that so few tickets allow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from graph.models.triage import Triage
from policies.vocabulary import Intent

NO_MONEY_BACK: Final = "<no money-back intent>"
"""A label: anything but an intent that pays money back is right."""
NEEDS_PERSON: Final = "<needs_person>"
"""A label: that the ticket goes to a person is right."""
MONEY_BACK: Final = frozenset(
    {Intent.REFUND_REQUEST, Intent.DUPLICATE_CHARGE, Intent.UNAUTHORIZED_CHARGE, Intent.REFUND_STATUS},
)
_Z: Final = 1.959964
"""The normal quantile of a 95 % interval."""


@dataclass(slots=True)
class Tally:
    """Right and all tickets of one label; `unsure` are those that a person would get, right or not."""

    right: int = 0
    total: int = 0
    unsure: int = 0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share that is right. https://doi.org/10.1080/01621459.1927.10502953 ."""
        if not self.total:
            return 0.0, 1.0
        share, weight = self.right / self.total, _Z**2 / self.total
        middle = (share + weight / 2) / (1 + weight)
        half = _Z * math.sqrt(share * (1 - share) / self.total + weight / (4 * self.total)) / (1 + weight)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(slots=True)
class Score:
    """The tallies by label."""

    by_label: dict[str, Tally] = field(default_factory=dict)

    def add(self, triage: Triage, accepted: Sequence[str]) -> None:
        """Count one ticket under the first of the answers that would have been right."""
        tally = self.by_label.setdefault(accepted[0], Tally())
        tally.total += 1
        tally.right += any(_fits(triage, label) for label in accepted)
        tally.unsure += triage.needs_person

    @property
    def whole(self) -> Tally:
        """All labels together."""
        tallies = self.by_label.values()
        return Tally(
            sum(one.right for one in tallies),
            sum(one.total for one in tallies),
            sum(one.unsure for one in tallies),
        )

    def lines(self) -> Iterator[str]:
        """A table: label, right of all, share with its interval, how many a person would get."""
        rows = [*sorted(self.by_label.items()), ("all", self.whole)]
        width = max(len(label) for label, _ in rows)
        for label, tally in rows:
            low, high = tally.interval
            share = tally.right / tally.total if tally.total else 0.0
            counts = f"{tally.right:5d} of {tally.total:5d}"
            yield f"{label:<{width}}  {counts}  {share:.3f} [{low:.3f}, {high:.3f}]  to a person {tally.unsure:4d}"


def _fits(triage: Triage, label: str) -> bool:
    if label == NEEDS_PERSON:
        return triage.needs_person
    if label == NO_MONEY_BACK:
        return triage.primary not in MONEY_BACK
    return triage.primary.value == label
