"""Moving one cell of the autonomy matrix up or down a rung. Pure: a policy in, a policy out.

A cell here is an intent, an action and, where the policy has segments, a segment. Its rung is the tier that the matrix
names for it, before amount, confidence or state of a run lower it. Up goes only as far as the policy's own tiers
reach: nothing here invents an amount.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from policies.canonical import content_hash
from policies.document import ALWAYS, Cell, Policy, Tier
from policies.locked import HUMAN_ONLY, MOVES_MONEY
from policies.tables import RANK, case_of, tables_of
from policies.vocabulary import ActionKind, Intent, Mode

ACTS_ALONE: Final = frozenset(mode for mode in Mode if RANK[mode] > RANK[Mode.APPROVE])
"""Modes under which something happens before a person has said yes."""

ASKS: Final = Tier("asks", Mode.APPROVE)
"""The rung below, where a policy has no tier there."""


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A place in the matrix. `segment` is empty where the policy has none."""

    intent: Intent
    segment: str
    action: ActionKind

    @property
    def name(self) -> str:
        """As people and the log read it."""
        return " x ".join(part for part in (self.intent.value, self.segment, self.action.value) if part)


def tier_at(policy: Policy, spot: Spot, day: date) -> Tier:
    """The tier that the matrix names there on the day."""
    tables = tables_of(policy)
    case = case_of(policy, tables, {"action.kind": spot.action.value, "request.intent": spot.intent.value})
    return case.ceiling(spot.segment or None, None, day) or tables.default


def rung_above(policy: Policy, spot: Spot, day: date) -> Tier | None:
    """The tier on the next rung up; None where there is none that fits.

    Where money moves only a tier with amounts fits. Of several on a rung the most cautious one does: the highest bar of
    confidence, the longest hold, the smaller amounts.
    """
    if spot.action in HUMAN_ONLY:
        return None
    here = RANK[tier_at(policy, spot, day).mode]
    fits = [tier for tier in policy.autonomy.tiers if RANK[tier.mode] > here and _is_bounded(tier, spot.action)]
    return min(fits, key=_caution, default=None)


def rung_below(policy: Policy, spot: Spot, day: date) -> Tier:
    """The tier on the next rung down on which a person is asked first; `ASKS` where the policy has none."""
    here = RANK[tier_at(policy, spot, day).mode]
    lower = [tier for tier in policy.autonomy.tiers if RANK[tier.mode] < here and tier.mode not in ACTS_ALONE]
    return max(lower, key=lambda tier: (RANK[tier.mode], tier.name), default=ASKS)


def with_tier(policy: Policy, moves: Iterable[tuple[Spot, Tier]]) -> Policy:
    """The policy with other tiers at some spots. Lines for single brands go down with their spot and never up."""
    tiers, cells = list(policy.autonomy.tiers), list(policy.autonomy.matrix)
    for spot, tier in moves:
        if tier.name not in {one.name for one in tiers}:
            tiers.append(tier)
        ranks = {one.name: RANK[one.mode] for one in tiers}
        cells = [
            replace(cell, tier=tier.name) if _is_line_of(cell, spot) and ranks[cell.tier] > RANK[tier.mode] else cell
            for cell in cells
        ]
        line = Cell(spot.intent, spot.segment or None, spot.action, None, tier.name)
        cells = [cell for cell in cells if _key(cell) != _key(line)]
        cells.insert(0, line)
    made = replace(policy, autonomy=replace(policy.autonomy, tiers=tuple(tiers), matrix=tuple(cells)), content_hash="")
    return replace(made, content_hash=content_hash(made))


def raises_money(spot: Spot, before: Tier, after: Tier) -> bool:
    """Whether money moves there without a person that did not before."""
    return spot.action in MOVES_MONEY and after.mode in ACTS_ALONE and RANK[after.mode] > RANK[before.mode]


def _is_bounded(tier: Tier, action: ActionKind) -> bool:
    return action not in MOVES_MONEY or tier.mode not in ACTS_ALONE or tier.at_most is not None


def _caution(tier: Tier) -> tuple[int, int, int, int, str]:
    amount = max((tier.at_most or {}).values(), default=0)
    return (RANK[tier.mode], -tier.min_confidence_percent, -tier.hold_s, amount, tier.name)


def _is_line_of(cell: Cell, spot: Spot) -> bool:
    """Whether the line is for some brand or some days of the spot, so that it would go before the spot's own."""
    return (cell.intent, cell.segment or "", cell.action) == (spot.intent, spot.segment, spot.action)


def _key(cell: Cell) -> tuple[object, ...]:
    return (cell.intent, cell.segment, cell.action, cell.brand, cell.window == ALWAYS)
