"""Which tier applies to each row: the columnar twin of `policies.ladder`.

Rungs and reasons that can occur among the rows are few; each gets a number, and the columns hold the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from policies.document import ALWAYS, Amounts, Cell, Policy, Tier, Window
from policies.locked import HUMAN_ONLY, MOVES_MONEY
from policies.tables import DRAFT, RANK, Tables
from policies.vocabulary import Mode, Reason, Verdict
from policies.whatif.expressions import Rows, Told, all_of, any_of, as_expression, certain, negated, unknown
from policies.whatif.grounds import Ground
from policies.whatif.history import AMOUNT, CURRENCY, INTENT, KIND, SEGMENT

_EPOCH: Final = date(1970, 1, 1)
_ASK: Final = Verdict.NEEDS_APPROVAL


def choice(options: Sequence[tuple[Told, int]], otherwise: int, dtype: type[pl.DataType] = pl.UInt16) -> pl.Expr:
    """The number of the first option that holds, else the other one."""
    chosen: pl.Expr = pl.lit(otherwise, dtype)
    for holds, number in reversed(options):
        if holds is True:
            chosen = pl.lit(number, dtype)
        elif isinstance(holds, pl.Expr):
            chosen = pl.when(holds).then(pl.lit(number, dtype)).otherwise(chosen)
    return chosen


def on_days(window: Window) -> Told:
    """Whether the day of the row lies in the window."""
    if window == ALWAYS:
        return True
    day = pl.col("day")
    return all_of(
        [
            True if window.first is None else day >= (window.first - _EPOCH).days,
            True if window.last is None else day <= (window.last - _EPOCH).days,
        ]
    )


@dataclass(frozen=True, slots=True)
class Rung:
    """What can apply to rows of one kind.

    Args:
        ceiling: for each row, the place in `ceilings` of the tier that its cell names.
        ceilings: the tiers that cells name here.
        tier: for each row, the place in `tiers` of the tier that applies.
        tiers: the tiers that can apply here.
        mode: for each row, the rank of the mode after every cap.
        fits: for each ceiling, whether it covers the row's amount and confidence; never null.
        covers: for each ceiling, whether it covers the row's amount; never null.
        draft_only: whether a connector has fallen back.
        foreign: whether the language is not released.
    """

    ceiling: pl.Expr
    ceilings: tuple[Tier, ...]
    tier: pl.Expr
    tiers: tuple[Tier, ...]
    mode: pl.Expr
    fits: tuple[Told, ...]
    covers: tuple[Told, ...]
    draft_only: Told
    foreign: Told


@dataclass(frozen=True, slots=True)
class Ladder:
    """Makes the rung of rows of one kind. `ceiling` and `tier` are names of columns that hold what `Rung` computes."""

    policy: Policy
    tables: Tables
    rows: Rows

    @property
    def moves_money(self) -> bool:
        """Whether amounts matter: money moves, or what would be done is unknown."""
        kind = self.rows.fixed.get(KIND)
        return kind is None or kind in MOVES_MONEY

    def rung(self) -> Rung:
        """The rung of autonomy for each row."""
        tiers_by_name = self.policy.tiers
        options = [(self._is_cell(cell), tiers_by_name[cell.tier]) for cell in self._cells()]
        ceilings = _distinct([*(tier for holds, tier in options if holds is not False), self.tables.default])
        ceiling = choice(
            [(holds, ceilings.index(tier)) for holds, tier in options if holds is not False],
            ceilings.index(self.tables.default),
        )
        below = [self._below(tier) for tier in ceilings]
        tiers = _distinct([*ceilings, *(tier for chain in below for _, tier in chain)])
        applies = choice(
            [
                (all_of([pl.col("ceiling") == place, fits]), tiers.index(tier))
                for place, chain in enumerate(below)
                for fits, tier in chain
            ],
            tiers.index(self.tables.default),
        )
        ranks = [(pl.col("tier") == place, RANK[tier.mode]) for place, tier in enumerate(tiers)]
        draft_only = certain(self.rows.flag("run.draft_only"))
        foreign = self._foreign()
        kind = self.rows.fixed.get(KIND)
        capped = any_of([draft_only, foreign, kind is None or kind in HUMAN_ONLY])
        mode = choice(ranks, RANK[self.tables.default.mode], pl.UInt8)
        draft = pl.lit(RANK[Mode.DRAFT], pl.UInt8)
        return Rung(
            ceiling=ceiling,
            ceilings=ceilings,
            tier=applies,
            tiers=tiers,
            mode=pl.when(as_expression(capped)).then(pl.min_horizontal(mode, draft)).otherwise(mode),
            fits=tuple(self._fits(tier) for tier in ceilings),
            covers=tuple(self._covers(tier) if self.moves_money else True for tier in ceilings),
            draft_only=draft_only,
            foreign=foreign,
        )

    def lowered(self, rung: Rung) -> list[tuple[Told, Ground]]:
        """The reasons that can lower a row's tier, each with whether it did."""
        found: list[tuple[Told, Ground]] = []
        for place, tier in enumerate(rung.ceilings):
            here = all_of([pl.col("ceiling") == place, negated(rung.fits[place])])
            above = all_of([here, negated(rung.covers[place])])
            comparable = self._comparable(tier)
            name = f"autonomy.{tier.name}"
            for is_certain, holds in ((True, comparable), (False, negated(comparable))):
                ground = Ground(name, tier.section, _ASK, Reason.NEEDS_APPROVAL, is_certain=is_certain)
                found.append((all_of([above, holds]), ground))
            unsure = all_of([here, rung.covers[place]])
            seen = negated(self.rows.is_unknown("request.confidence_percent"))
            for is_certain, holds in ((True, seen), (False, negated(seen))):
                ground = Ground(f"{name}.confidence", None, _ASK, Reason.LOW_CONFIDENCE, is_certain=is_certain)
                found.append((all_of([unsure, holds]), ground))
        found.append((rung.draft_only, Ground("run.draft-only", None, _ASK, Reason.TOOL_ERROR)))
        found.append((rung.foreign, Ground("run.language", None, _ASK, Reason.UNSUPPORTED_LANGUAGE)))
        return found

    def lowered_at_all(self, rung: Rung) -> list[tuple[Told, Ground]]:
        """Whether anything lowered the row's tier, where it does not matter what did."""
        # The ceilings stand first among the tiers, so a row has the same number for both unless its tier was lowered.
        below = pl.col("tier") != pl.col("ceiling")
        asks = Ground("autonomy", None, _ASK, None)
        return [(below, asks), (rung.draft_only, asks), (rung.foreign, asks)]

    def _cells(self) -> list[Cell]:
        """The cells in the order in which the first that fits wins: the more places it names, the earlier."""

        def order(cell: Cell) -> tuple[int, int, str]:
            named = sum(part is not None for part in (cell.intent, cell.segment, cell.action, cell.brand))
            return (-named, RANK[self.policy.tiers[cell.tier].mode], cell.tier)

        return sorted(self.policy.autonomy.matrix, key=order)

    def _is_cell(self, cell: Cell) -> Told:
        return all_of(
            [
                True if cell.intent is None else certain(self.rows.is_word(INTENT, {cell.intent})),
                True if cell.action is None else certain(self.rows.is_word(KIND, {cell.action})),
                True if cell.segment is None else certain(self.rows.is_word(SEGMENT, {cell.segment})),
                True if cell.brand is None else certain(self.rows.is_word("request.brand", {cell.brand})),
                on_days(cell.window),
            ]
        )

    def _below(self, ceiling: Tier) -> list[tuple[Told, Tier]]:
        """The ceiling, then what a row falls to that it does not cover, in order; the last one always holds."""
        rank = RANK[ceiling.mode]
        lower = [tier for tier in self.tables.ladder if RANK[tier.mode] < rank]
        last = DRAFT if rank > RANK[Mode.DRAFT] else Tier("default", ceiling.mode)
        return [*((self._fits(tier), tier) for tier in (ceiling, *lower)), (True, last)]

    def _fits(self, tier: Tier) -> Told:
        least = tier.min_confidence_percent
        confidence = self.rows.number("request.confidence_percent") if least else None
        confident = True if least == 0 else certain(None if confidence is None else confidence >= least)
        return all_of([confident, self._covers(tier) if self.moves_money else True])

    def _covers(self, tier: Tier) -> Told:
        """Whether the tier's amounts on the row's day cover the row's amount; never null."""
        if not tier.during:
            return self._within(tier.at_most)
        answers = [
            all_of([on_days(window), self._within(tier.amounts_on(window.first or _day_in(window)))])
            for window in _stretches(tier)
        ]
        return any_of(answers)

    def _within(self, amounts: Amounts | None) -> Told:
        if amounts is None:
            return True
        amount = self.rows.number(AMOUNT)
        bound = None if amount is None else self.rows.by_word(CURRENCY, amounts)
        return False if amount is None or bound is None else certain(amount <= bound)

    def _comparable(self, tier: Tier) -> Told:
        """Whether the amount is known and the tier states one in its currency on that day; never null."""
        if not self.moves_money:
            return False
        known = all_of([negated(self.rows.is_unknown(AMOUNT)), negated(self.rows.is_unknown(CURRENCY))])
        if not tier.during:
            return all_of([known, certain(self.rows.is_word(CURRENCY, set(tier.at_most or ())))])
        stated = [
            all_of(
                [
                    on_days(window),
                    certain(self.rows.is_word(CURRENCY, set(tier.amounts_on(window.first or _day_in(window)) or ()))),
                ]
            )
            for window in _stretches(tier)
        ]
        return all_of([known, any_of(stated)])

    def _foreign(self) -> Told:
        if not self.policy.languages:
            return False
        released = self.rows.is_word("request.language", {"und", *self.policy.languages})
        return all_of([negated(unknown(released)), negated(certain(released))])


def _distinct(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    """Each tier once. Tiers hold amounts, which have no hash."""
    kept: list[Tier] = []
    for tier in tiers:
        if tier not in kept:
            kept.append(tier)
    return tuple(kept)


def _stretches(tier: Tier) -> list[Window]:
    """The days, cut where one of the tier's bands begins or ends, so that its amounts are the same within a piece."""
    cuts = {band.window.first for band in tier.during if band.window.first is not None}
    cuts |= {band.window.last + timedelta(days=1) for band in tier.during if band.window.last is not None}
    days = sorted(cuts)
    firsts: list[date | None] = [None, *days]
    lasts: list[date | None] = [*(day - timedelta(days=1) for day in days), None]
    return [Window(first, last) for first, last in zip(firsts, lasts, strict=True)]


def _day_in(window: Window) -> date:
    """A day of a window that is open at its beginning."""
    return _EPOCH if window.last is None else window.last
