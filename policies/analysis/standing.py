"""The ladder in every cell: which tier the matrix names, which one covers the case, and what lowered it.

It is `policies.ladder` in another form.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from policies.analysis.diagram import Function
from policies.analysis.space import AMOUNT, BRAND, CURRENCY, DAY, INTENT, KIND, SEGMENT, Piece, Space, Span
from policies.analysis.truths import days, kinds
from policies.document import Amounts, Cell, Policy, Tier
from policies.locked import HUMAN_ONLY, MOVES_MONEY
from policies.tables import DRAFT, RANK, specificity, tables_of
from policies.vocabulary import Mode

UNLISTED: Final = ""
"""In the place of a tier's name where no line of the matrix speaks."""

CONFIDENCE: Final = "request.confidence_percent"
LANGUAGE: Final = "request.language"


@dataclass(frozen=True, slots=True)
class Rung:
    """The tier that applies, its mode after every cap, what it asks for and how long its money waits."""

    tier: str
    mode: Mode
    hold_s: int
    approvers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ladder:
    """By cell: the tier that the matrix names, the rung, and where something lowered it."""

    ceiling: Function
    rung: Function
    lowered: Function


def line(space: Space, cell: Cell) -> Function:
    """Where a line of the matrix speaks."""
    masks = {
        name: space.axis(name).words([word])
        for name, word in ((INTENT, cell.intent), (KIND, cell.action), (SEGMENT, cell.segment), (BRAND, cell.brand))
        if word is not None
    }
    return space.diagrams.both(space.box_of(masks), days(space, cell.window))


def line_text(cell: Cell) -> str:
    """The places that a line of the matrix names."""
    places = [str(part) for part in (cell.intent, cell.segment, cell.action, cell.brand) if part is not None]
    return " x ".join(places) or "*"


def line_rank(policy: Policy, cell: Cell) -> tuple[int, int, str]:
    """Smaller wins: the more specific line, then the more restrictive one."""
    return (-specificity(cell), RANK[policy.tiers[cell.tier].mode], cell.tier)


def ladder(policy: Policy, space: Space) -> Ladder:
    """The ladder of a policy over a space that was made for it."""
    diagrams, tables, tiers = space.diagrams, tables_of(policy), policy.tiers
    ceiling = _ceiling(policy, space)
    fits = {tier.name: _fits(space, tier) for tier in tables.ladder}
    rung, lowered = diagrams.constant(_rung_on(tables.default)), diagrams.never
    for name in sorted(str(value) for value in diagrams.values(ceiling) if value != UNLISTED):
        here = diagrams.equal(ceiling, name)
        rung = diagrams.choose(here, _below(policy, space, tiers[name], fits), rung)
        lowered = diagrams.either([lowered, diagrams.without(here, fits[name])])
    capped = _capped(policy, space)
    hands = diagrams.either([capped, space.unknown(KIND), kinds(space, *HUMAN_ONLY)])
    return Ladder(
        ceiling,
        diagrams.choose(hands, diagrams.each(rung, _at_most_draft), rung),
        diagrams.either([lowered, capped]),
    )


def _ceiling(policy: Policy, space: Space) -> Function:
    diagrams = space.diagrams
    lines: dict[tuple[int, int, str], list[Function]] = {}
    for cell in policy.autonomy.matrix:
        lines.setdefault(line_rank(policy, cell), []).append(line(space, cell))
    found = diagrams.constant(UNLISTED)
    for key in sorted(lines, reverse=True):
        found = diagrams.choose(diagrams.either(lines[key]), diagrams.constant(key[2]), found)
    return found


def _rung_on(tier: Tier) -> Rung:
    return Rung(tier.name, tier.mode, tier.hold_s, tier.approvers)


def _at_most_draft(value: Hashable) -> Rung:
    assert isinstance(value, Rung)
    return replace(value, mode=Mode.DRAFT) if RANK[value.mode] > RANK[Mode.DRAFT] else value


def _below(policy: Policy, space: Space, ceiling: Tier, fits: Mapping[str, Function]) -> Function:
    """The ceiling where it fits, else the least restrictive tier below it that does."""
    diagrams = space.diagrams
    last = DRAFT if RANK[ceiling.mode] > RANK[Mode.DRAFT] else Tier("default", ceiling.mode)
    found = diagrams.constant(_rung_on(last))
    for tier in reversed(tables_of(policy).ladder):
        if RANK[tier.mode] < RANK[ceiling.mode]:
            found = diagrams.choose(fits[tier.name], diagrams.constant(_rung_on(tier)), found)
    return diagrams.choose(fits[ceiling.name], diagrams.constant(_rung_on(ceiling)), found)


def _fits(space: Space, tier: Tier) -> Function:
    """Where the tier's bar of confidence is met and, if money moves, its amount covers the case."""
    diagrams, bar = space.diagrams, tier.min_confidence_percent
    confident = diagrams.always if bar == 0 else space.box_of({CONFIDENCE: space.axis(CONFIDENCE).numbers(bar, None)})
    money = space.axis(KIND).words(MOVES_MONEY) | space.axis(KIND).unknown
    still = space.box_of({KIND: space.axis(KIND).full & ~money})
    covered = diagrams.never
    for place, piece in enumerate(space.axis(DAY).pieces):
        there = diagrams.both(space.box_of({DAY: 1 << place}), within(space, tier.amounts_on(a_day_of(piece))))
        covered = diagrams.either([covered, there])
    return diagrams.both(confident, diagrams.either([still, covered]))


def within(space: Space, amounts: Amounts | None) -> Function:
    """Where the amount is known and at most what is listed for its currency; None covers every amount."""
    diagrams = space.diagrams
    if amounts is None:
        return diagrams.always
    money, amount = space.axis(CURRENCY), space.axis(AMOUNT)
    listed = [
        space.box_of({CURRENCY: money.words([currency]), AMOUNT: amount.numbers(None, minor)})
        for currency, minor in amounts.items()
    ]
    return diagrams.either(listed)


def a_day_of(piece: Piece) -> date:
    """A day of the piece."""
    assert isinstance(piece, Span)
    if piece.low is not None:
        return date.fromordinal(piece.low)
    return date(2026, 1, 1) if piece.high is None else date.fromordinal(piece.high)


def _capped(policy: Policy, space: Space) -> Function:
    """Where the state of the run allows a draft only."""
    parts = [space.true("run.draft_only")]
    if policy.languages:
        axis = space.axis(LANGUAGE)
        parts.append(space.box_of({LANGUAGE: axis.known & ~axis.words(["und", *policy.languages])}))
    return space.diagrams.either(parts)
