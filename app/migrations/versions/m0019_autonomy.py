"""Earned autonomy: how cells stand, and their moves.

Revision ID: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations.protection import CHANGE, KEEP, protect

revision = "0019"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _autonomy_move()
    _autonomy_cell()


def _autonomy_move() -> None:
    op.create_table(
        "autonomy_move",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("move_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("intent", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("from_tier", sa.String(), nullable=False),
        sa.Column("to_tier", sa.String(), nullable=False),
        sa.Column("raises_money", sa.Boolean(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("base_hash", sa.String(), nullable=False),
        sa.Column("policy_hash", sa.String(), nullable=True),
        sa.Column("accepted_by", postgresql.JSONB(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "move_id"),
        sa.CheckConstraint("state <> 'half' OR raises_money", name="half_only_where_money_rises"),
    )
    op.create_index(
        "autonomy_move_open",
        "autonomy_move",
        ["tenant_id", "intent", "segment", "action"],
        unique=True,
        postgresql_where=sa.text("state IN ('open', 'half', 'accepted')"),
    )
    op.create_index("autonomy_move_newest", "autonomy_move", ["tenant_id", "made_at"], unique=False)
    protect("autonomy_move", KEEP)


def _autonomy_cell() -> None:
    op.create_table(
        "autonomy_cell",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("intent", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("figures", postgresql.JSONB(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "intent", "segment", "action"),
    )
    protect("autonomy_cell", CHANGE)
