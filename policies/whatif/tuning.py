"""How far a threshold may go: automation, money and agreement with people for every value it could have.

A tier's amount decides only whether a refund up to it is paid alone, so two decisions about the whole history, with the
lowest and the highest amount, tell which refunds depend on it; the rest is counting. Refunds that a person decided are
the evidence. What was paid alone in the past nobody judged, except where somebody stopped it while it was held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

import polars as pl

from policies.canonical import content_hash
from policies.document import Policy, Tier
from policies.locked import MOVES_MONEY
from policies.money import CURRENCIES, MAX_MINOR, Money, exponent
from policies.vocabulary import Intent
from policies.whatif.bounds import fewest_trials, lower_bound, upper_bound
from policies.whatif.deciding import decide_all
from policies.whatif.history import AMOUNT, CURRENCY, INTENT, KIND, SEGMENT, Prepared, Review

_ROUND: Final = (10, 15, 20, 25, 30, 40, 50, 60, 80)
_YES: Final = (Review.APPROVED.value, Review.EDITED.value)
_NOTHING: Final = -1


class ThresholdError(ValueError):
    """A threshold that the policy does not have; the message names the value and the next step."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The amount of one tier in one currency, `TIER.CURRENCY`; `intent` and `segment` narrow which refunds count."""

    tier: str
    currency: str
    intent: str | None = None
    segment: str | None = None

    @property
    def name(self) -> str:
        """As it is written on the command line."""
        return f"{self.tier}.{self.currency}"


@dataclass(frozen=True, slots=True)
class Point:
    """What would be so with the threshold at one value.

    Args:
        at_most_minor: the value.
        alone: refunds paid without a person; `alone_minor` is their money.
        reviewed: those of them that a person decided in the past; `agreed` of them with a yes.
        near_reviewed: the same in the upper half of the amounts, from half the value on, so that many small refunds
            cannot speak for a few large ones; `near_agreed` with a yes.
        paid: those of them that were paid alone in the past; `stopped` of them by a person, while they were held.
    """

    at_most_minor: int
    alone: int
    alone_minor: int
    reviewed: int
    agreed: int
    near_reviewed: int
    near_agreed: int
    paid: int
    stopped: int

    @property
    def agreement(self) -> float | None:
        """The share of people's decisions that were a yes."""
        return self.agreed / self.reviewed if self.reviewed else None

    @property
    def at_least(self) -> float | None:
        """The agreement that is certain at 95 % (Clopper-Pearson)."""
        return lower_bound(self.agreed, self.reviewed) if self.reviewed else None

    @property
    def near_at_least(self) -> float | None:
        """The agreement that is certain in the upper half of the amounts."""
        return lower_bound(self.near_agreed, self.near_reviewed) if self.near_reviewed else None

    def keeps(self, quality: float) -> bool:
        """Whether the quality is certain, for all amounts and for the upper half of them."""
        return (self.at_least or 0.0) >= quality and (self.near_at_least or 0.0) >= quality


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


def threshold_of(policy: Policy, written: str, *, intent: str | None = None, segment: str | None = None) -> Threshold:
    """The threshold that `TIER.CURRENCY` names in a policy.

    Raises:
        ThresholdError: the policy has no such tier, the currency is none, or a word is unknown.
    """
    name, _, currency = written.rpartition(".")
    tier = policy.tiers.get(name)
    if tier is None:
        bounded = [f"{each.name}.{code}" for each in policy.autonomy.tiers for code in each.at_most or ()]
        close = get_close_matches(written, bounded, n=1)
        meant = f"did you mean {close[0]!r}?" if close else "write TIER.CURRENCY"
        known = ", ".join(bounded[:10]) or "none: no tier has an `at_most`"
        raise ThresholdError(f"no threshold {written!r} in policy {policy.policy_id!r}; {meant}; known are {known}")
    if currency not in CURRENCIES:
        raise ThresholdError(f"threshold {written!r} ends in no currency: write {name}.usd, say")
    if tier.at_most is None:
        raise ThresholdError(f"tier {name!r} covers every amount: give it an `at_most` to tune")
    if intent is not None and intent not in list(Intent):
        close = get_close_matches(intent, [each.value for each in Intent], n=1)
        meant = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(Intent)}"
        raise ThresholdError(f"unknown intent {intent!r}; {meant}")
    if segment is not None and policy.segments and segment not in policy.segments:
        raise ThresholdError(f"unknown segment {segment!r}: known are {', '.join(policy.segments)}")
    return Threshold(name, currency, intent, segment)


def tune(policy: Policy, history: Prepared, threshold: Threshold, *, quality: float) -> Tuning:
    """The curve of a threshold over recorded refunds, and the largest value that keeps the quality.

    Args:
        policy: everything else in it stays as it is; amounts of special days are left out.
        history: the recorded decisions.
        threshold: which amount to move.
        quality: the agreement with people that must be certain, such as 0.97.
    """
    refunds = _refunds(policy, history, threshold)
    current = (policy.tiers[threshold.tier].at_most or {}).get(threshold.currency)
    points = tuple(_points(refunds, _values(refunds, threshold.currency, current)))
    recommended, reason = _advice(points, current, quality, threshold.currency)
    return Tuning(
        threshold=threshold,
        quality=quality,
        refunds=len(refunds),
        refunds_minor=int(refunds.get_column("amount").sum()),
        current_minor=current,
        recommended_minor=recommended,
        reason=reason,
        points=points,
    )


def with_threshold(policy: Policy, threshold: Threshold, at_most_minor: int) -> Policy:
    """The policy with another amount in that place, on every day."""

    def changed(tier: Tier) -> Tier:
        if tier.name != threshold.tier:
            return tier
        return replace(tier, at_most={**(tier.at_most or {}), threshold.currency: at_most_minor}, during=())

    tiers = tuple(changed(tier) for tier in policy.autonomy.tiers)
    made = replace(policy, autonomy=replace(policy.autonomy, tiers=tiers), content_hash="")
    return replace(made, content_hash=content_hash(made))


def _refunds(policy: Policy, history: Prepared, threshold: Threshold) -> pl.DataFrame:
    """The refunds in question by amount: whether they are paid alone at any value, and what became of them."""
    never = decide_all(with_threshold(policy, threshold, _NOTHING), history, is_brief=True)
    ever = decide_all(with_threshold(policy, threshold, MAX_MINOR), history, is_brief=True)
    recorded = history.history
    missing = [pl.lit(None, pl.String).alias(name) for name in _ASKED if name not in recorded.columns]
    amount = [] if AMOUNT in recorded.columns else [pl.lit(None, pl.Int64).alias(AMOUNT)]
    wanted = pl.col(KIND).is_in([kind.value for kind in MOVES_MONEY]) & (pl.col(CURRENCY) == threshold.currency)
    if threshold.intent is not None:
        wanted &= pl.col(INTENT) == threshold.intent
    if threshold.segment is not None:
        wanted &= pl.col(SEGMENT) == threshold.segment
    found = (
        recorded.lazy()
        .with_columns(*missing, *amount)
        .with_columns(always=never.alone, depends=ever.alone & ~never.alone)
        .filter(wanted & pl.col(AMOUNT).is_not_null())
        .select(
            "always",
            "depends",
            amount=pl.col(AMOUNT),
            agreed=pl.col("review").is_in(_YES),
            reviewed=pl.col("review").is_in([*_YES, Review.REJECTED.value]),
            stopped=pl.col("review") == Review.STOPPED.value,
            paid=(pl.col("review") == Review.STOPPED.value)
            | (pl.col("review").is_null() & pl.col("refunded_minor").is_not_null()),
        )
    )
    return found.sort("amount").collect()


_ASKED: Final = (KIND, CURRENCY, INTENT, SEGMENT)


def _values(refunds: pl.DataFrame, currency: str, current: int | None) -> list[int]:
    """Round amounts from the smallest to the largest refund that the threshold can decide, and the present one."""
    amounts = refunds.filter("depends").get_column("amount")
    values = set() if current is None else {current}
    if len(amounts):
        smallest, largest = int(amounts.min()), int(amounts.max())  # type: ignore[arg-type]  # whole numbers
        scale, beyond = 10 ** exponent(currency), False
        while not beyond:
            for step in _ROUND:
                value = step * scale // 10
                if value >= smallest and not beyond:
                    values.add(value)
                    beyond = value >= largest
            scale *= 10
    return sorted(values)


def _points(refunds: pl.DataFrame, values: list[int]) -> Iterator[Point]:
    """The point of each value: what lies below it is the difference of two running sums."""
    always = refunds.filter("always")
    decided = refunds.filter("depends").select("amount", *(pl.col(name).fill_null(value=False) for name in _COUNTED))
    sums = {name: [0, *decided.get_column(name).cast(pl.Int64).cum_sum().to_list()] for name in ("amount", *_COUNTED)}
    amounts = decided.get_column("amount")
    upto = [int(place) for place in amounts.search_sorted(pl.Series(values, dtype=pl.Int64), side="right")]
    halves = pl.Series([value // 2 for value in values], dtype=pl.Int64)
    half = [int(place) for place in amounts.search_sorted(halves, side="right")]
    for value, last, middle in zip(values, upto, half, strict=True):
        yield Point(
            at_most_minor=value,
            alone=last + len(always),
            alone_minor=sums["amount"][last] + int(always.get_column("amount").sum()),
            reviewed=sums["reviewed"][last],
            agreed=sums["agreed"][last],
            near_reviewed=sums["reviewed"][last] - sums["reviewed"][middle],
            near_agreed=sums["agreed"][last] - sums["agreed"][middle],
            paid=sums["paid"][last],
            stopped=sums["stopped"][last],
        )


_COUNTED: Final = ("reviewed", "agreed", "paid", "stopped")


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
