"""The role, the tenants, what comes in, the runs, their log and the policies they are decided by.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.db import APPLICATION_ROLE
from app.migrations.protection import APPEND, CHANGE, ERASE, KEEP, protect

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(f"GRANT USAGE ON SCHEMA public TO {APPLICATION_ROLE}")
    op.execute(f"GRANT SELECT ON alembic_version TO {APPLICATION_ROLE}")
    _artifact()
    _audit_event()
    _audit_head()
    _audit_private()
    _data_key()
    _inbox_event()
    _pace()
    _policy_version()
    _run()
    _security_event()
    _sweep_cursor()
    _tenant()
    _ticket_lease()


def _artifact() -> None:
    op.create_table(
        "artifact",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("artifact_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("commitment", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "artifact_id"),
    )
    op.create_index("artifact_run", "artifact", ["tenant_id", "run_id"], unique=False)
    protect("artifact", CHANGE)


def _audit_event() -> None:
    op.create_table(
        "audit_event",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("ticket_id", sa.String(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("commitments", sa.JSON(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "seq"),
    )
    op.create_index("audit_event_kind", "audit_event", ["tenant_id", "kind", "seq"], unique=False)
    op.create_index("audit_event_run", "audit_event", ["tenant_id", "run_id", "seq"], unique=False)
    op.create_index("audit_event_ticket", "audit_event", ["tenant_id", "ticket_id", "seq"], unique=False)
    protect("audit_event", APPEND)


def _audit_head() -> None:
    op.create_table(
        "audit_head",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    protect("audit_head", KEEP)


def _audit_private() -> None:
    op.create_table(
        "audit_private",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "seq", "field"),
    )
    protect("audit_private", ERASE)


def _data_key() -> None:
    op.create_table(
        "data_key",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "subject_id"),
    )
    protect("data_key", KEEP)


def _inbox_event() -> None:
    op.create_table(
        "inbox_event",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ticket_id", sa.String(), nullable=True),
        sa.Column("object_id", sa.String(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=True),
        sa.Column("disposition", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("look_again_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "source", "event_id"),
    )
    op.create_index(
        "inbox_event_pending",
        "inbox_event",
        ["tenant_id", "ticket_id"],
        unique=False,
        postgresql_where=sa.text("disposition = 'pending'"),
    )
    op.create_index("inbox_event_ticket", "inbox_event", ["tenant_id", "ticket_id", "received_at"], unique=False)
    protect("inbox_event", KEEP)


def _pace() -> None:
    op.create_table(
        "pace",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "task"),
    )
    protect("pace", KEEP)


def _policy_version() -> None:
    op.create_table(
        "policy_version",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("policy_hash", sa.String(), nullable=False),
        sa.Column("policy_id", sa.String(), nullable=False),
        sa.Column("source_text", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_by", sa.String(), nullable=True),
        sa.Column("canary_percent", sa.Integer(), nullable=True),
        sa.Column("canary_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "policy_hash"),
    )
    for state in ("published", "canary"):
        op.create_index(
            f"policy_one_{state}",
            "policy_version",
            ["tenant_id"],
            unique=True,
            postgresql_where=sa.text(f"state = '{state}'"),
        )
    protect("policy_version", KEEP)


def _run() -> None:
    op.create_table(
        "run",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("ticket_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("wait_for", sa.String(), nullable=True),
        sa.Column("wait_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waits_on", postgresql.JSONB(), nullable=False),
        sa.Column("interrupt_id", sa.String(), nullable=True),
        sa.Column("signal", postgresql.JSONB(), nullable=True),
        sa.Column("is_follow_up", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("intents", postgresql.JSONB(), nullable=False),
        sa.Column("actions", postgresql.JSONB(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=True),
        sa.Column("policy_hash", sa.String(), nullable=True),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("brand", sa.String(), nullable=True),
        sa.Column("is_shadow", sa.Boolean(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("last_comment_id", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("reply_sent", sa.Boolean(), nullable=False),
        sa.Column("questions_asked", sa.Integer(), nullable=False),
        sa.Column("tool_calls", sa.Integer(), nullable=False),
        sa.Column("tool_errors", sa.Integer(), nullable=False),
        sa.Column("model_calls", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd_micros", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("worked_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fork_of", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "run_id"),
    )
    op.create_index("run_due", "run", ["wait_until"], unique=False, postgresql_where=sa.text("state = 'waiting'"))
    op.create_index("run_newest", "run", ["tenant_id", "started_at"], unique=False)
    op.create_index(
        "run_one_active", "run", ["tenant_id", "ticket_id"], unique=True, postgresql_where=sa.text("state <> 'ended'")
    )
    protect("run", KEEP)


def _security_event() -> None:
    op.create_table(
        "security_event",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("source_address", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "minute", "kind", "source_address"),
    )
    protect("security_event", KEEP)


def _sweep_cursor() -> None:
    op.create_table(
        "sweep_cursor",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("cursor", sa.String(), nullable=True),
        sa.Column("swept_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "source"),
    )
    protect("sweep_cursor", KEEP)


def _tenant() -> None:
    op.create_table(
        "tenant",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("installation_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    protect("tenant", KEEP)


def _ticket_lease() -> None:
    op.create_table(
        "ticket_lease",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("ticket_id", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "ticket_id"),
    )
    protect("ticket_lease", CHANGE)
