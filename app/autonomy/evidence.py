"""What people said of each cell: of decisions that a higher rung would take from them, and of what was done alone.

Upwards, the whole history is decided twice, once by the policy as it is and once with every cell a rung higher: what
only the second decides alone is what a promotion would take from people, and what they said to exactly these decisions
is its evidence. Downwards, the evidence is what people said afterwards about what was done without them, blind, and
what they stopped while it was held. The bounds are those of `policies.whatif.bounds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import polars as pl

from app.autonomy.rules import AutonomyRules
from policies.document import Policy, Tier
from policies.locked import MOVES_MONEY
from policies.rungs import ACTS_ALONE, Spot, rung_above, tier_at, with_tier
from policies.vocabulary import ActionKind, Intent, Mode
from policies.whatif.bounds import fewest_trials, lower_bound, upper_bound
from policies.whatif.deciding import decide_all
from policies.whatif.history import AMOUNT, CURRENCY, INTENT, KIND, SEGMENT, Review, prepared

_SAID: Final = (Review.APPROVED.value, Review.EDITED.value, Review.REJECTED.value)


@dataclass(frozen=True, slots=True)
class Upward:
    """Decisions that the next rung would take from people.

    Args:
        decided: how many there were.
        asked: those that a person answered; `agreed` of them with a yes.
        upper_asked: the same in the upper half of the amounts, so that many small ones cannot speak for a few large.
        upper_agreed: those with a yes.
    """

    decided: int = 0
    asked: int = 0
    agreed: int = 0
    upper_asked: int = 0
    upper_agreed: int = 0

    @property
    def at_least(self) -> float:
        """The agreement that is certain at 95 %: of all, and where amounts count of the upper half, too."""
        return lower_bound(self.agreed, self.asked)

    @property
    def upper_at_least(self) -> float:
        """The agreement that is certain in the upper half of the amounts."""
        return lower_bound(self.upper_agreed, self.upper_asked)


@dataclass(frozen=True, slots=True)
class Downward:
    """What was done alone.

    Args:
        done: how often.
        judged: of it, what people judged afterwards without seeing what became of it; `agreed` with a yes.
        agreed: see `judged`.
        stopped: what people stopped while it was held.
    """

    done: int = 0
    judged: int = 0
    agreed: int = 0
    stopped: int = 0

    def breach(self, floor: float) -> str | None:
        """Why agreement is certain to lie below the floor; None where it is not certain."""
        if self.judged and upper_bound(self.agreed, self.judged) < floor:
            most = upper_bound(self.agreed, self.judged)
            return f"people agreed with {self.agreed} of {self.judged} judged afterwards: {_at_most(most, floor)}"
        if self.stopped and upper_bound(self.done - self.stopped, self.done) < floor:
            most = upper_bound(self.done - self.stopped, self.done)
            return f"people stopped {self.stopped} of {self.done} while they were held: {_at_most(most, floor)}"
        return None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell, the rung it stands on, the one above it, and what speaks for either."""

    spot: Spot
    tier: Tier
    above: Tier | None
    up: Upward = field(default_factory=Upward)
    down: Downward = field(default_factory=Downward)
    earned: Mode | None = None  # by a recorded report of the suites; None where none was recorded

    def lacks(self, rules: AutonomyRules) -> str | None:
        """What keeps the cell from being proposed; None where nothing does."""
        gate = rules.promote_at_least / 100
        if self.above is None:
            return "the policy has no tier above it that fits"
        if self.up.at_least < gate:
            needed = fewest_trials(gate)
            if self.up.asked < needed:
                return f"{needed} answers of people at the least, even if all agree; there are {self.up.asked}"
            return f"agreement of {gate:.0%} for certain; certain are {self.up.at_least:.1%}"
        if self.spot.action in MOVES_MONEY and self.up.upper_at_least < gate:
            return (
                f"agreement of {gate:.0%} for certain in the upper half of the amounts, too; certain are "
                f"{self.up.upper_at_least:.1%} of {self.up.upper_asked}"
            )
        if self.earned is not None and _rank(self.earned) < _rank(self.above.mode):
            return f"{self.above.mode.value} in the suites; the recorded report carries {self.earned.value}"
        return None

    def figures(self, rules: AutonomyRules) -> dict[str, object]:
        """The evidence in whole numbers, as rows and the log keep it: shares in ten-thousandths."""
        return {
            "decided": self.up.decided,
            "asked": self.up.asked,
            "agreed": self.up.agreed,
            "certain_bp": int(self.up.at_least * 10_000),
            "upper_asked": self.up.upper_asked,
            "upper_agreed": self.up.upper_agreed,
            "upper_certain_bp": int(self.up.upper_at_least * 10_000),
            "done_alone": self.down.done,
            "judged": self.down.judged,
            "judged_agreed": self.down.agreed,
            "stopped": self.down.stopped,
            "promote_at_least_percent": rules.promote_at_least,
            "demote_below_percent": rules.demote_below,
            "above": self.above.name if self.above is not None else None,
            "lacks": self.lacks(rules),
            "suites": self.earned.value if self.earned is not None else None,
        }


def cells_of(
    policy: Policy,
    past: pl.DataFrame,
    *,
    now: datetime,
    counted_from: Mapping[Spot, datetime],
    earned: Mapping[tuple[str, str], Mode],
) -> list[Cell]:
    """Every cell in which something was decided, by name. Takes about a second for 100,000 decisions.

    Args:
        policy: that decides now.
        past: the history within the window.
        now: the day whose matrix holds.
        counted_from: cells that moved: what was before does not count again.
        earned: modes that recorded reports carry, by intent and segment (empty: all segments).
    """
    if past.is_empty() or INTENT not in past.columns or KIND not in past.columns:
        return []
    rows = _by_cell(past, policy)
    spots = _spots(rows)
    day = now.date()
    above = {spot: rung_above(policy, spot, day) for spot in spots}
    raised = with_tier(policy, [(spot, tier) for spot, tier in above.items() if tier is not None])
    history = prepared(past)
    alone = decide_all(policy, history, is_brief=True).alone
    alone_above = decide_all(raised, history, is_brief=True).alone
    rows = rows.with_columns(takes=alone_above & ~alone)
    found = []
    for spot in spots:
        mine = rows.filter(
            (pl.col(INTENT) == spot.intent.value)
            & (pl.col(KIND) == spot.action.value)
            & (pl.col("cell") == spot.segment)
        )
        since = counted_from.get(spot)
        if since is not None:
            mine = mine.filter(pl.col("at") > since)
        tier = tier_at(policy, spot, day)
        said = earned.get((spot.intent.value, spot.segment)) or earned.get((spot.intent.value, ""))
        found.append(Cell(spot, tier, above[spot], _upward(mine, spot), _downward(mine), said))
    return found


def _by_cell(past: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The rows with the segment as the matrix has it; those whose segment the policy does not know are nobody's."""
    if not policy.segments:
        return past.with_columns(cell=pl.lit(""))
    if SEGMENT not in past.columns:
        return past.with_columns(cell=pl.lit(None, pl.String))
    known = pl.col(SEGMENT).is_in(list(policy.segments))
    return past.with_columns(cell=pl.when(known).then(pl.col(SEGMENT)))


def _spots(rows: pl.DataFrame) -> list[Spot]:
    named = rows.select(pl.col(INTENT).cast(pl.String), pl.col("cell"), pl.col(KIND).cast(pl.String))
    return sorted(
        Spot(Intent(intent), segment, ActionKind(action))
        for intent, segment, action in named.drop_nulls().unique().iter_rows()
    )


def _upward(rows: pl.DataFrame, spot: Spot) -> Upward:
    """Words that somebody edited are no yes where the words are all there is."""
    yes = [Review.APPROVED.value] if spot.action is ActionKind.REPLY else [Review.APPROVED.value, Review.EDITED.value]
    taken = rows.filter(pl.col("takes"))
    asked = taken.filter(pl.col("review").cast(pl.String).is_in(_SAID))
    agreed = asked.filter(pl.col("review").cast(pl.String).is_in(yes))
    upper_asked, upper_agreed = (_upper_half(part, asked) for part in (asked, agreed))
    return Upward(len(taken), len(asked), len(agreed), upper_asked, upper_agreed)


def _upper_half(part: pl.DataFrame, asked: pl.DataFrame) -> int:
    """Those whose amount is more than half of the largest one in their currency."""
    if AMOUNT not in asked.columns or CURRENCY not in asked.columns:
        return 0
    most = asked.group_by(CURRENCY).agg(pl.col(AMOUNT).max().alias("most"))
    return len(part.join(most, on=CURRENCY).filter(pl.col(AMOUNT) * 2 > pl.col("most")))


def _downward(rows: pl.DataFrame) -> Downward:
    acted = pl.col("mode").cast(pl.String).is_in([mode.value for mode in ACTS_ALONE])
    done = rows.filter(acted & (pl.col("verdict").cast(pl.String) == "allow"))
    review = done.get_column("review").cast(pl.String)
    return Downward(
        done=len(done),
        judged=int(review.is_in([Review.APPROVED.value, Review.REJECTED.value]).sum()),
        agreed=int((review == Review.APPROVED.value).sum()),
        stopped=int((review == Review.STOPPED.value).sum()),
    )


def _rank(mode: Mode) -> int:
    return list(Mode).index(mode)


def _at_most(most: float, floor: float) -> str:
    return f"at most {most:.1%} at 95 % confidence, and the floor is {floor:.0%}"
