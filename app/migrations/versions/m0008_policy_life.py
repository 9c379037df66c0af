"""The life of a policy: second persons, gates, the calendar; and the breakers, with what they count.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations.protection import APPEND, CHANGE, KEEP, protect

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _policy_approval()
    _gate_result()
    _policy_schedule()
    _breaker()
    _tally()


def _policy_approval() -> None:
    op.create_table(
        "policy_approval",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("policy_hash", sa.String(), nullable=False),
        sa.Column("base_hash", sa.String(), nullable=False),
        sa.Column("approver", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "policy_hash", "base_hash", "approver"),
    )
    protect("policy_approval", APPEND)


def _gate_result() -> None:
    op.create_table(
        "gate_result",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("result_id", sa.String(), nullable=False),
        sa.Column("policy_hash", sa.String(), nullable=False),
        sa.Column("gate", sa.String(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("figures", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "result_id"),
    )
    op.create_index("gate_result_version", "gate_result", ["tenant_id", "policy_hash", "gate", "at"], unique=False)
    protect("gate_result", APPEND)


def _policy_schedule() -> None:
    op.create_table(
        "policy_schedule",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("schedule_id", sa.String(), nullable=False),
        sa.Column("policy_hash", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reverts_to", sa.String(), nullable=True),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "schedule_id"),
    )
    op.create_index(
        "policy_schedule_open",
        "policy_schedule",
        ["tenant_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'active')"),
    )
    protect("policy_schedule", KEEP)


def _breaker() -> None:
    op.create_table(
        "breaker",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("breaker_id", sa.String(), nullable=False),
        sa.Column("is_tripped", sa.Boolean(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("tool", sa.String(), nullable=True),
        sa.Column("intent", sa.String(), nullable=True),
        sa.Column("brand", sa.String(), nullable=True),
        sa.Column("tier", sa.String(), nullable=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("figures", postgresql.JSONB(), nullable=False),
        sa.Column("tripped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resets_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reset_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "breaker_id"),
    )
    protect("breaker", KEEP)


def _tally() -> None:
    op.create_table(
        "tally",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("brand", sa.String(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("bad", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "measure", "subject", "brand", "minute"),
    )
    protect("tally", CHANGE)
