"""What-if and tuning for people and programs: the JSON of the command line and its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from policies.money import Money
from policies.whatif.comparing import Agreement, Answer, Flip, Side, Tally, WhatIf
from policies.whatif.refunds import Point
from policies.whatif.tuning import Tuning

_PLACES = 6


def whatif_form(found: WhatIf, *, seconds: float, flips: Sequence[Flip]) -> dict[str, object]:
    """The comparison as JSON values."""
    return {
        "policy": found.candidate.policy_id,
        "policy_hash": found.candidate.content_hash,
        "rows": found.rows,
        "flipped": found.flipped,
        "flipped_tickets": found.flipped_tickets,
        "loosened": found.loosened,
        "tightened": found.tightened,
        "before": _side_form(found.before),
        "after": _side_form(found.after),
        "flips": [_flip_form(flip) for flip in flips],
        "seconds": round(seconds, _PLACES),
        "digest": found.digest,
    }


def _side_form(side: Side) -> dict[str, object]:
    return {
        "verdicts": {name: _tally_form(tally) for name, tally in side.verdicts.items()},
        "modes": {name: _tally_form(tally) for name, tally in side.modes.items()},
        "courses": {name: _tally_form(tally) for name, tally in side.courses.items()},
        "agreement": _agreement_form(side.agreement),
        "busiest_day_minor": dict(side.busiest_day),
        "worst_day_minor": None if side.worst_day is None else dict(side.worst_day),
    }


def _tally_form(tally: Tally) -> dict[str, object]:
    return {"decisions": tally.decisions, "money_minor": dict(tally.money_minor)}


def _agreement_form(agreement: Agreement) -> dict[str, object]:
    return {
        "reviewed": agreement.reviewed,
        "agrees": agreement.agrees,
        "disagrees": agreement.disagrees,
        "left_to_people": agreement.left_to_people,
        "stopped": agreement.stopped,
        "share": _share(agreement.share),
        "at_least": _share(agreement.at_least),
    }


def _share(share: float | None) -> float | None:
    return None if share is None else round(share, _PLACES)


def _flip_form(flip: Flip) -> dict[str, object]:
    return {
        "ticket": flip.ticket,
        "at": flip.at.isoformat(),
        "action": flip.action,
        "intent": flip.intent,
        "amount_minor": flip.amount_minor,
        "currency": flip.currency,
        "before": _answer_form(flip.before),
        "after": _answer_form(flip.after),
        "review": flip.review,
        "review_reason": flip.review_reason,
    }


def _answer_form(answer: Answer) -> dict[str, object]:
    return {
        "verdict": answer.verdict,
        "mode": answer.mode,
        "rule": answer.rule,
        "section": answer.section,
        "reason": answer.reason,
    }


def whatif_text(found: WhatIf, *, seconds: float, flips: Sequence[Flip]) -> str:
    """The comparison for a reader."""
    candidate = f"{found.candidate.policy_id} {found.candidate.content_hash[:12]}"
    lines = [
        f"{found.rows:,} recorded decisions under {candidate}",
        f"{found.flipped:,} are answered otherwise, on {found.flipped_tickets:,} tickets:",
        f"{found.loosened:,} need less of a person than before, {found.tightened:,} more",
        "",
        *_table(found),
        "",
        *_agreement_lines(found),
        *_day_lines(found),
    ]
    if flips:
        lines += ["", f"answered otherwise ({len(flips)} of {found.flipped:,}, new automatic ones first)"]
        lines += [line for flip in flips for line in _flip_lines(flip)]
    return "\n".join([*lines, "", f"{seconds:.2f} s, digest {found.digest[:16]}"])


def _table(found: WhatIf) -> Iterator[str]:
    yield f"{'':22}{'before':>10}{'after':>10}  {'money before':>24}  money after"
    for title, before, after, is_whole in (
        ("what happens", found.before.courses, found.after.courses, True),
        ("verdict, money where it differs", found.before.verdicts, found.after.verdicts, False),
        ("mode, money where it differs", found.before.modes, found.after.modes, False),
    ):
        yield title
        for name in dict.fromkeys([*before, *after]):
            yield from _rows(name, before.get(name, _NONE), after.get(name, _NONE), is_whole=is_whole)


def _rows(name: str, before: Tally, after: Tally, *, is_whole: bool) -> Iterator[str]:
    old, new = before.money_minor, after.money_minor
    currencies = [each for each in sorted({*old, *new}) if is_whole or old.get(each, 0) != new.get(each, 0)]
    head = f"  {name.replace('_', ' '):20}{before.decisions:>10,}{after.decisions:>10,}"
    if not currencies:
        yield head
    for currency in currencies:
        was, would_be = (_money(money.get(currency, 0), currency) for money in (old, new))
        yield f"{head}  {was:>24}  {would_be}"
        head = " " * len(head)


_NONE = Tally(0, {})


def _agreement_lines(found: WhatIf) -> Iterator[str]:
    for when, side in (("before", found.before), ("after", found.after)):
        agreement = side.agreement
        judged = agreement.agrees + agreement.disagrees
        sure = f" (at least {agreement.at_least:.1%} at 95 %)" if agreement.at_least is not None else ""
        left = f"{agreement.left_to_people:,} of {agreement.reviewed:,} that people decided are left to people"
        agree = f"of the other {judged:,} {agreement.agrees:,} agree{sure}"
        yield f"agreement {when}: {left}; {agree}; {agreement.stopped:,} that need nobody were stopped"


def _day_lines(found: WhatIf) -> Iterator[str]:
    for when, side in (("before", found.before), ("after", found.after)):
        if side.worst_day is not None:
            caps = ", ".join(
                f"{currency.upper()} without bound" if minor is None else _money(minor, currency)
                for currency, minor in side.worst_day.items()
            )
            yield f"worst day {when}, as the limits have it: {caps or 'no money'}"


def _flip_lines(flip: Flip) -> Iterator[str]:
    money = "" if flip.amount_minor is None or flip.currency is None else f" {_money(flip.amount_minor, flip.currency)}"
    reviewed = f"; a person: {flip.review}" if flip.review is not None else ""
    before, after = flip.before, flip.after
    yield (
        f"  {flip.ticket}  {flip.at:%Y-%m-%d}  {flip.action}{money}, {flip.intent}: "
        f"{before.verdict}/{before.mode} -> {after.verdict}/{after.mode}{reviewed}"
    )
    yield f"      {before.rule} -> {after.rule}: {after.reason}"


def _money(minor: int, currency: str) -> str:
    """An amount for a reader; a sum over a history may be larger than what one refund can be."""
    text = str(Money(abs(minor) % 10**12, currency))
    return text if abs(minor) < 10**12 else f"{minor:,} minor units {currency.upper()}"


# tuning


def tuning_form(tuning: Tuning, *, seconds: float) -> dict[str, object]:
    """The curve as JSON values."""
    return {
        "threshold": tuning.threshold.name,
        "intent": tuning.threshold.intent,
        "segment": tuning.threshold.segment,
        "quality": tuning.quality,
        "interval": "clopper-pearson, one-sided, 95 %",
        "refunds": tuning.refunds,
        "refunds_minor": tuning.refunds_minor,
        "current_minor": tuning.current_minor,
        "recommended_minor": tuning.recommended_minor,
        "reason": tuning.reason,
        "points": [_point_form(tuning, point) for point in tuning.points],
        "seconds": round(seconds, _PLACES),
    }


def _point_form(tuning: Tuning, point: Point) -> dict[str, object]:
    return {
        "at_most_minor": point.at_most_minor,
        "alone": point.alone,
        "automation": _share(point.alone / tuning.refunds) if tuning.refunds else None,
        "alone_minor": point.alone_minor,
        "reviewed": point.reviewed,
        "agreed": point.agreed,
        "agreement": _share(point.agreement),
        "at_least": _share(point.at_least),
        "upper_half_reviewed": point.near_reviewed,
        "upper_half_agreed": point.near_agreed,
        "upper_half_at_least": _share(point.near_at_least),
        "paid_alone": point.paid,
        "stopped": point.stopped,
    }


def tuning_text(tuning: Tuning) -> str:
    """The curve as a table, and the advice."""
    currency = tuning.threshold.currency
    about: Mapping[str, str | None] = {"intent": tuning.threshold.intent, "segment": tuning.threshold.segment}
    narrowed = "".join(f", {name} {value}" for name, value in about.items() if value is not None)
    heads = (("at most", 16), ("alone", 10), ("share", 8), ("money alone", 20), ("reviewed", 10), ("agreed", 9))
    all_of_it = f"{tuning.refunds:,} recorded refunds of {_money(tuning.refunds_minor, currency)}"
    lines = [
        f"{tuning.threshold.name} over {all_of_it}{narrowed}",
        "".join(f"{head:>{width}}" for head, width in (*heads, ("at least", 10), ("upper half", 12), ("stopped", 9))),
    ]
    for point in tuning.points:
        share = point.alone / tuning.refunds if tuning.refunds else 0.0
        agreed = "-" if point.agreement is None else f"{point.agreement:.1%}"
        sure, near = ("-" if share is None else f"{share:.1%}" for share in (point.at_least, point.near_at_least))
        marks = [
            mark
            for mark, value in (("now", tuning.current_minor), ("recommended", tuning.recommended_minor))
            if value == point.at_most_minor
        ]
        counted = f"{point.alone:>10,}{share:>8.1%}{_money(point.alone_minor, currency):>20}"
        judged = f"{point.reviewed:>10,}{agreed:>9}{sure:>10}{near:>12}{point.stopped:>9,}"
        mark = f"  {', '.join(marks)}" if marks else ""
        lines.append(f"{_money(point.at_most_minor, currency):>16}{counted}{judged}{mark}")
    advice = "nothing to recommend" if tuning.recommended_minor is None else _money(tuning.recommended_minor, currency)
    return "\n".join([*lines, f"recommended for a floor of {tuning.quality:.1%}: {advice}", f"  {tuning.reason}"])
