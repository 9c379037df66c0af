"""Tables of earned autonomy: how each cell stands, and what was proposed or taken back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from graph.tenancy import TenantRow, json_field, utc_field


class MoveState(StrEnum):
    """Where a move of a cell stands."""

    OPEN = "open"  # proposed; nobody has said yes
    HALF = "half"  # open -> half: one of two people has said yes, and is the author of the draft
    ACCEPTED = "accepted"  # open | half -> accepted: enough people have; a gate may still be missing
    APPLIED = "applied"  # accepted -> applied: the version decides; a demotion begins here
    DECLINED = "declined"  # open | half | accepted -> declined: a person said no
    STALE = "stale"  # open | half | accepted -> stale: another version decides, or the evidence is gone


class Direction(StrEnum):
    """Which way a cell moves."""

    UP = "up"
    DOWN = "down"


class AutonomyMove(TenantRow, table=True):
    """A cell that is to move to another tier, or was moved, with the figures that speak for it."""

    __tablename__ = "autonomy_move"
    __table_args__ = (
        Index(
            "autonomy_move_open",
            "tenant_id",
            "intent",
            "segment",
            "action",
            unique=True,
            postgresql_where=text("state IN ('open', 'half', 'accepted')"),
        ),
        Index("autonomy_move_newest", "tenant_id", "made_at"),
        CheckConstraint("state <> 'half' OR raises_money", name="half_only_where_money_rises"),
    )

    move_id: str = Field(primary_key=True)
    state: str = MoveState.OPEN.value
    direction: str
    intent: str
    segment: str  # empty where the policy has none
    action: str
    from_tier: str
    to_tier: str
    raises_money: bool
    evidence: dict[str, object] = json_field(default_factory=dict)
    reason: str
    base_hash: str  # the version that it is measured against
    policy_hash: str | None = None  # the version that it became
    accepted_by: list[str] = json_field(default_factory=list)
    made_at: datetime = utc_field()
    made_by: str
    ended_at: datetime | None = utc_field(default=None, nullable=True)  # applied, declined or stale
    note: str | None = None


class AutonomyCell(TenantRow, table=True):
    """How a cell stood when it was last looked at: a cache, which the next look writes anew."""

    __tablename__ = "autonomy_cell"

    intent: str = Field(primary_key=True)
    segment: str = Field(primary_key=True)
    action: str = Field(primary_key=True)
    tier: str
    mode: str
    figures: dict[str, object] = json_field(default_factory=dict)
    looked_at: datetime = utc_field()
