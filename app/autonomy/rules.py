"""What a cell must show to move up, and below what it moves down. Values only; the settings hold them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class AutonomyRules:
    """The gate of promotion and the floor of demotion, in whole percent of agreement.

    Args:
        promote_at_least: agreement with people that must be certain at 95 % before a cell is proposed.
        demote_below: where it is certain at 95 % that agreement is less, the cell moves down by itself.
        window: how far back evidence counts.
        proposes: whether promotions are proposed without being asked for.
        demotes: whether cells move down by themselves.
    """

    promote_at_least: int = 95
    demote_below: int = 90
    window: timedelta = timedelta(days=90)
    proposes: bool = True
    demotes: bool = True
