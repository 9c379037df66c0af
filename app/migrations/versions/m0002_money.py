"""Effects, ledgers, limits, approvals, switches: the tables whose constraints guard the money.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations.protection import CHANGE, KEEP, protect, share_rows_of_everyone

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _approval()
    _charge_ledger()
    _connector_state()
    _effect()
    _foreign_refund()
    _limit_window()
    _reservation()
    _switch()


def _approval() -> None:
    op.create_table(
        "approval",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("approval_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("ticket_id", sa.String(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("action_digest", sa.String(), nullable=False),
        sa.Column("policy_hash", sa.String(), nullable=False),
        sa.Column("evidence_digest", sa.String(), nullable=False),
        sa.Column("approvers", postgresql.JSONB(), nullable=False),
        sa.Column("required", sa.Integer(), nullable=False),
        sa.Column("approved_by", postgresql.JSONB(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason_code", sa.String(), nullable=True),
        sa.Column("subject_id", sa.String(), nullable=True),
        sa.Column("sealed_comment", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_reply", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "approval_id"),
    )
    op.create_index(
        "approval_waiting",
        "approval",
        ["tenant_id", "requested_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("approval_decided", "approval", ["tenant_id", "decided_at"], unique=False)
    protect("approval", KEEP)


def _charge_ledger() -> None:
    op.create_table(
        "charge_ledger",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("charge_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("captured_minor", sa.BigInteger(), nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
        sa.Column("reserved_minor", sa.BigInteger(), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("refunded_minor + reserved_minor <= captured_minor", name="never_above_captured"),
        sa.CheckConstraint("refunded_minor >= 0 AND reserved_minor >= 0", name="no_negative_money"),
        sa.PrimaryKeyConstraint("tenant_id", "charge_id"),
    )
    protect("charge_ledger", KEEP)


def _connector_state() -> None:
    op.create_table(
        "connector_state",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("is_draft_only", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "connector"),
    )
    protect("connector_state", KEEP)


def _effect() -> None:
    op.create_table(
        "effect",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("effect_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("ticket_id", sa.String(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("business_key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("charge_id", sa.String(), nullable=True),
        sa.Column("item_key", sa.String(), nullable=True),
        sa.Column("customer_id", sa.String(), nullable=True),
        sa.Column("subscription_id", sa.String(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=True),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=True),
        sa.Column("subject_id", sa.String(), nullable=True),
        sa.Column("approval_id", sa.String(), nullable=True),
        sa.Column("policy_hash", sa.String(), nullable=True),
        sa.Column("decision_digest", sa.String(), nullable=True),
        sa.Column("ticket_stamp", sa.String(), nullable=True),
        sa.Column("charge_disputed", sa.Boolean(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("credential", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("put_off_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("absent_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reissues", sa.Integer(), nullable=False),
        sa.Column("resolve_only", sa.Boolean(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("vendor_object", sa.String(), nullable=True),
        sa.Column("vendor_status", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("watched", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(
            "kind <> 'refund' OR (amount_minor > 0 AND currency IS NOT NULL AND charge_id IS NOT NULL)",
            name="refund_has_money",
        ),
        sa.CheckConstraint(
            "state NOT IN ('sending', 'unknown', 'settled') OR first_sent_at IS NOT NULL", name="sent_time"
        ),
        sa.CheckConstraint("reissues BETWEEN 0 AND 1", name="reissued_once"),
        sa.PrimaryKeyConstraint("tenant_id", "effect_id"),
    )
    op.create_index(
        "effect_business_key",
        "effect",
        ["tenant_id", "business_key"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('released', 'stopped')"),
    )
    op.create_index(
        "effect_due",
        "effect",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('held', 'sending', 'unknown')"),
    )
    op.create_index(
        "effect_reversed",
        "effect",
        ["tenant_id", "run_id"],
        unique=False,
        postgresql_where=sa.text("state = 'reversed'"),
    )
    op.create_index("effect_run", "effect", ["tenant_id", "run_id"], unique=False)
    op.create_index("effect_vendor_object", "effect", ["tenant_id", "vendor_object"], unique=False)
    protect("effect", KEEP)


def _foreign_refund() -> None:
    op.create_table(
        "foreign_refund",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("refund_id", sa.String(), nullable=False),
        sa.Column("charge_id", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("claimed_intent", sa.String(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "refund_id"),
    )
    op.create_index("foreign_refund_charge", "foreign_refund", ["tenant_id", "charge_id"], unique=False)
    protect("foreign_refund", KEEP)


def _limit_window() -> None:
    op.create_table(
        "limit_window",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("limit_id", sa.String(), nullable=False),
        sa.Column("scope_key", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cap_minor", sa.BigInteger(), nullable=True),
        sa.Column("cap_count", sa.Integer(), nullable=True),
        sa.Column("spent_minor", sa.BigInteger(), nullable=False),
        sa.Column("reserved_minor", sa.BigInteger(), nullable=False),
        sa.Column("used_count", sa.Integer(), nullable=False),
        sa.CheckConstraint("cap_count IS NULL OR used_count <= cap_count", name="within_count"),
        sa.CheckConstraint("cap_minor IS NULL OR spent_minor + reserved_minor <= cap_minor", name="within_cap"),
        sa.CheckConstraint("spent_minor >= 0 AND reserved_minor >= 0 AND used_count >= 0", name="no_negative_use"),
        sa.PrimaryKeyConstraint("tenant_id", "limit_id", "scope_key", "currency", "window_start"),
    )
    protect("limit_window", KEEP)


def _reservation() -> None:
    op.create_table(
        "reservation",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("effect_id", sa.String(), nullable=False),
        sa.Column("limit_id", sa.String(), nullable=False),
        sa.Column("scope_key", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "effect_id", "limit_id"),
    )
    protect("reservation", CHANGE)


def _switch() -> None:
    op.create_table(
        "switch",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("is_off", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "tool"),
    )
    protect("switch", CHANGE)
    share_rows_of_everyone("switch")
