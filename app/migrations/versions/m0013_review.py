"""Review: what a ticket had before an update of ours, and what customers prefer.

Revision ID: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations.protection import CHANGE, protect

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("effect", sa.Column("before", postgresql.JSONB(), nullable=True))
    op.create_table(
        "preference",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "subject_id", "name"),
    )
    protect("preference", CHANGE)
    # The history of a customer, newest first.
    op.create_index("run_subject", "run", ["tenant_id", "subject_id", "started_at"], unique=False)
