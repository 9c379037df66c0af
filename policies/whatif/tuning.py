"""How far a threshold may go: automation, money and agreement with people for every value it could have.

Refunds that a person decided are the evidence. What was paid alone in the past nobody judged, except where somebody
stopped it while it was held.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.document import Policy
from policies.money import Money
from policies.whatif.bounds import fewest_trials, upper_bound
from policies.whatif.history import Prepared
from policies.whatif.refunds import Point, Refunds, refunds_of
from policies.whatif.thresholds import Threshold


@dataclass(frozen=True, slots=True)
class Tuning:
    """The curve, and the value that it speaks for. `recommended_minor` is None where it speaks for none."""

    threshold: Threshold
    quality: float
    refunds: int
    refunds_minor: int
    current_minor: int | None
    recommended_minor: int | None
    reason: str
    points: tuple[Point, ...]

    def point(self, at_most_minor: int) -> Point:
        """The point of a value of the curve."""
        return next(point for point in self.points if point.at_most_minor == at_most_minor)


def tune(policy: Policy, history: Prepared, threshold: Threshold, *, quality: float) -> Tuning:
    """The curve of a threshold over recorded refunds, and the largest value that keeps the quality.

    Args:
        policy: everything else in it stays as it is; amounts of special days are left out.
        history: the recorded decisions.
        threshold: which amount to move.
        quality: the agreement with people that must be certain, such as 0.97.
    """
    return tuned(refunds_of(policy, history, threshold), quality=quality)


def tuned(refunds: Refunds, *, quality: float) -> Tuning:
    """The same of refunds that are known already."""
    points, current = refunds.points(), refunds.current_minor
    recommended, reason = _advice(points, current, quality, refunds.threshold.currency)
    return Tuning(
        threshold=refunds.threshold,
        quality=quality,
        refunds=refunds.count,
        refunds_minor=refunds.money_minor,
        current_minor=current,
        recommended_minor=recommended,
        reason=reason,
        points=points,
    )


def _advice(points: tuple[Point, ...], current: int | None, quality: float, currency: str) -> tuple[int | None, str]:
    """The recommended value and why, in words."""
    floor = f"{quality:.1%}"
    if not points or points[-1].alone == 0:
        return None, "no recorded refund depends on this threshold: there is nothing to learn from"
    now = next((point for point in points if point.at_most_minor == current), None)
    if now is not None and now.paid and upper_bound(now.paid - now.stopped, now.paid) < quality:
        return _lowered(points, now, quality, currency)
    best, worse = _highest(points, now, quality)
    if best is not None:
        value = _text(best.at_most_minor, currency)
        above = f"; up to {_text(worse.at_most_minor, currency)} people reject more often" if worse is not None else ""
        return best.at_most_minor, (
            f"people agreed with {best.agreed} of {best.reviewed} refunds up to {value}, so at least "
            f"{best.at_least or 0:.1%} at 95 % confidence, and {best.near_at_least or 0:.1%} in the upper half of the "
            f"amounts; the floor is {floor}{above}"
        )
    reviewed, needed = points[-1].reviewed, fewest_trials(quality)
    if reviewed < needed:
        return None, (
            f"too few data: people decided {reviewed} of these refunds, and {floor} cannot be certain with less than "
            f"{needed}, even if all agree; wait, or lower the floor"
        )
    return current, (
        f"no larger value is certain to keep {floor}: people agreed with {points[-1].agreed} of {reviewed}; "
        "leave it as it is"
    )


def _highest(points: tuple[Point, ...], now: Point | None, quality: float) -> tuple[Point | None, Point | None]:
    """The largest value whose agreement is certain, and the first band above it that is clearly worse, if any."""
    best: Point | None = None
    before: Point | None = None
    for point in points:
        reviewed = point.reviewed - (before.reviewed if before else 0)
        agreed = point.agreed - (before.agreed if before else 0)
        before = point
        if now is not None and point.at_most_minor <= now.at_most_minor:
            continue
        if reviewed and upper_bound(agreed, reviewed) < quality:
            return best, point
        if reviewed and point.keeps(quality):
            best = point
    return best, None


def _lowered(points: tuple[Point, ...], now: Point, quality: float, currency: str) -> tuple[int, str]:
    kept = [
        point.at_most_minor
        for point in points
        if point.at_most_minor < now.at_most_minor
        and (not point.paid or upper_bound(point.paid - point.stopped, point.paid) >= quality)
    ]
    value = max(kept, default=0)
    return value, (
        f"people stopped {now.stopped} of {now.paid} refunds that were paid alone up to "
        f"{_text(now.at_most_minor, currency)}, more than {quality:.1%} allows; "
        f"up to {_text(value, currency)} they do not"
    )


def _text(minor: int, currency: str) -> str:
    return str(Money(minor, currency))
