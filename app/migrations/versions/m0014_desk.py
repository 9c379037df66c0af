"""The desk: claims and checks, tokens of programs, how far notices went, and when a question was reminded of.

Revision ID: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations.protection import CHANGE, KEEP, protect

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("approval", sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True))
    _service_token()
    _review_claim()
    _review_check()
    _notice_cursor()


def _service_token() -> None:
    op.create_table(
        "service_token",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("token_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_digest", sa.String(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "token_id"),
        sa.ForeignKeyConstraint(["tenant_id", "account_id"], ["account.tenant_id", "account.account_id"]),
    )
    op.create_index("service_token_digest", "service_token", ["tenant_id", "token_digest"], unique=True)
    op.create_index("service_token_account", "service_token", ["tenant_id", "account_id"], unique=False)
    protect("service_token", KEEP)


def _review_claim() -> None:
    op.create_table(
        "review_claim",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("given_by", sa.String(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "item_id"),
    )
    protect("review_claim", CHANGE)


def _review_check() -> None:
    op.create_table(
        "review_check",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("check_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("ticket_id", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("reason_code", sa.String(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "check_id"),
        sa.CheckConstraint("(answer IS NULL) = (answered_by IS NULL)", name="answered_by_somebody"),
    )
    op.create_index(
        "review_check_open",
        "review_check",
        ["tenant_id", "expires_at"],
        unique=False,
        postgresql_where=sa.text("answer IS NULL"),
    )
    op.create_index("review_check_run", "review_check", ["tenant_id", "kind", "run_id"], unique=True)
    protect("review_check", KEEP)


def _notice_cursor() -> None:
    op.create_table(
        "notice_cursor",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("next_seq", sa.BigInteger(), nullable=False),
        sa.Column("try_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "place"),
    )
    protect("notice_cursor", KEEP)
