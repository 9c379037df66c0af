"""Accounts, their sessions, what can be used once, and how often somebody tried to sign in.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations.protection import CHANGE, KEEP, protect

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _account()
    _account_session()
    _one_time_token()
    _sign_in_pace()


def _account() -> None:
    op.create_table(
        "account",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("roles", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("zendesk_user_id", sa.String(), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("sso_issuer", sa.String(), nullable=True),
        sa.Column("sso_subject", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.CheckConstraint("email = lower(email)", name="email_in_one_spelling"),
        sa.PrimaryKeyConstraint("tenant_id", "account_id"),
    )
    op.create_index("account_email", "account", ["tenant_id", "email"], unique=True)
    op.create_index(
        "account_sso",
        "account",
        ["tenant_id", "sso_issuer", "sso_subject"],
        unique=True,
        postgresql_where=sa.text("sso_subject IS NOT NULL"),
    )
    op.create_index(
        "account_zendesk_user",
        "account",
        ["tenant_id", "zendesk_user_id"],
        unique=True,
        postgresql_where=sa.text("zendesk_user_id IS NOT NULL"),
    )
    protect("account", KEEP)


def _account_session() -> None:
    op.create_table(
        "account_session",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("token_digest", sa.String(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "account_id"], ["account.tenant_id", "account.account_id"]),
        sa.PrimaryKeyConstraint("tenant_id", "session_id"),
    )
    op.create_index("account_session_account", "account_session", ["tenant_id", "account_id"], unique=False)
    op.create_index("account_session_token", "account_session", ["tenant_id", "token_digest"], unique=True)
    protect("account_session", CHANGE)


def _one_time_token() -> None:
    op.create_table(
        "one_time_token",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("token_digest", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "token_digest"),
    )
    protect("one_time_token", CHANGE)


def _sign_in_pace() -> None:
    op.create_table(
        "sign_in_pace",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("key_digest", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key_digest"),
    )
    protect("sign_in_pace", CHANGE)
