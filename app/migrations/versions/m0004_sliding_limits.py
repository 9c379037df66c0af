"""Limits over the time before each refund: no window that begins anew, summed and refused by the database itself.

What was drawn on the windows of 0002 is not carried over: they told no length. Limits begin empty.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.db import APPLICATION_ROLE
from app.migrations.protection import CHANGE, protect

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LOCK_LIMIT = """
    CREATE FUNCTION lock_limit(tenant text, limit_name text, scope text) RETURNS void LANGUAGE sql AS $$
      SELECT pg_advisory_xact_lock(hashtextextended(format('%s|%s|%s', tenant, limit_name, scope), 0))
    $$"""

SUM_LIMIT = """
    CREATE FUNCTION sum_limit() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      since timestamptz := NEW.reserved_at - make_interval(secs => NEW.window_s);
    BEGIN
      PERFORM lock_limit(NEW.tenant_id, NEW.limit_id, NEW.scope_key);
      SELECT NEW.amount_minor + coalesce(sum(amount_minor) FILTER (WHERE currency = NEW.currency), 0), 1 + count(*)
        INTO NEW.used_minor, NEW.used_count
        FROM (
          SELECT amount_minor, currency FROM reservation
           WHERE tenant_id = NEW.tenant_id AND limit_id = NEW.limit_id AND scope_key = NEW.scope_key
             AND (spent_at IS NULL OR spent_at > since)
          UNION ALL
          SELECT amount_minor, currency FROM foreign_refund
           WHERE tenant_id = NEW.tenant_id AND made_at > since AND status NOT IN ('failed', 'canceled')
             AND (NEW.scope_key = 'tenant' OR 'customer/' || customer_id = NEW.scope_key)
        ) AS used;
      RETURN NEW;
    END $$"""
"""Each statement of the function sees what was committed before it, so that what a lock waited for is in the sum."""


def upgrade() -> None:
    op.drop_table("limit_window")
    op.drop_table("reservation")
    op.add_column("foreign_refund", sa.Column("customer_id", sa.String(), nullable=True))
    op.create_index("foreign_refund_made", "foreign_refund", ["tenant_id", "made_at"], unique=False)
    op.create_table(
        "reservation",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("effect_id", sa.String(), nullable=False),
        sa.Column("limit_id", sa.String(), nullable=False),
        sa.Column("scope_key", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("window_s", sa.BigInteger(), nullable=False),
        sa.Column("cap_minor", sa.BigInteger(), nullable=True),
        sa.Column("cap_count", sa.Integer(), nullable=True),
        sa.Column("used_minor", sa.BigInteger(), nullable=False),
        sa.Column("used_count", sa.BigInteger(), nullable=False),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_minor > 0 AND window_s > 0", name="draws_something"),
        sa.CheckConstraint("cap_minor IS NULL OR used_minor <= cap_minor", name="within_cap"),
        sa.CheckConstraint("cap_count IS NULL OR used_count <= cap_count", name="within_count"),
        sa.PrimaryKeyConstraint("tenant_id", "effect_id", "limit_id"),
    )
    op.create_index(
        "reservation_of_limit", "reservation", ["tenant_id", "limit_id", "scope_key", "spent_at"], unique=False
    )
    protect("reservation", CHANGE)
    op.execute(LOCK_LIMIT)
    op.execute(SUM_LIMIT)
    op.execute(
        "CREATE TRIGGER sum_limit BEFORE INSERT ON reservation FOR EACH ROW EXECUTE FUNCTION sum_limit()",
    )
    op.execute(f"GRANT EXECUTE ON FUNCTION lock_limit(text, text, text), sum_limit() TO {APPLICATION_ROLE}")
