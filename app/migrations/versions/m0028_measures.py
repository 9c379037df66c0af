"""The measures: what the log says about each run, counts by day, and how far the log is folded.

Revision ID: 0028
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations.protection import CHANGE, protect

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_TEXTS = ("intent", "segment", "channel", "language", "tier", "policy", "model")
_FLAGS = ("is_shadow", "is_covered", "is_taken_over", "is_recontacted", "is_thanked", "is_reopened")
_SMALL = ("judged", "judged_right", "asked", "approved", "rejected", "asked_back", "edited", "edit_permille")
_PEOPLE = ("claimed_s", "unclaimed")
_EFFECTS = ("effects", "effects_ended", "effects_settled", "held", "stopped", "undone", "reversed")
_CALLS = ("tool_calls", "tool_errors", "model_calls", "tokens", "retries")
_LARGE = ("model_usd_micros", "retry_usd_micros", "model_ms", "retrieval_ms", "tool_ms", "orchestration_ms", "retry_ms")


def upgrade() -> None:
    _measure_run()
    _measure_count()
    _measure_cursor()


def _some(names: tuple[str, ...], type_: type[sa.types.TypeEngine[Any]]) -> list[sa.Column[Any]]:
    return [sa.Column(name, type_(), nullable=False) for name in names]


def _measure_run() -> None:
    op.create_table(
        "measure_run",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("ticket_id", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("follows", sa.String(), nullable=True),
        sa.Column("has_start", sa.Boolean(), nullable=False),
        *_some(_TEXTS, sa.String),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        *_some(_FLAGS, sa.Boolean),
        sa.Column("rating", sa.String(), nullable=True),
        *_some(_SMALL, sa.Integer),
        sa.Column("interventions", sa.Integer(), nullable=False),
        sa.Column("intervened_after_s", sa.Integer(), nullable=True),
        *_some(_PEOPLE, sa.Integer),
        *_some(_EFFECTS, sa.Integer),
        *_some(_CALLS, sa.Integer),
        *_some(_LARGE, sa.BigInteger),
        *_some(("safety_events", "near_misses"), sa.Integer),
        sa.Column("memo", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "run_id"),
    )
    op.create_index("measure_run_started", "measure_run", ["tenant_id", "started_at"], unique=False)
    op.create_index("measure_run_ticket", "measure_run", ["tenant_id", "ticket_id", "started_at"], unique=False)
    op.create_index(
        "measure_run_uncounted",
        "measure_run",
        ["tenant_id", "started_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL OR is_shadow"),
    )
    protect("measure_run", CHANGE)


def _measure_count() -> None:
    op.create_table(
        "measure_count",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("bad", sa.Integer(), nullable=False),
        sa.Column("total_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "day", "what", "subject"),
    )
    protect("measure_count", CHANGE)


def _measure_cursor() -> None:
    moments = ("folded_until", "first_event_at", "connected_at", "first_run_at", "first_resolved_at")
    op.create_table(
        "measure_cursor",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("next_seq", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=True) for name in moments),
        sa.Column("memo", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    protect("measure_cursor", CHANGE)
