"""What runs of the suites have earned.

Revision ID: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from app.migrations.protection import APPEND, protect

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "promotion_evidence",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("evidence_id", sa.String(), nullable=False),
        sa.Column("report_sha256", sa.String(), nullable=False),
        sa.Column("commit", sa.String(), nullable=False),
        sa.Column("policies", JSONB(), nullable=False),
        sa.Column("cells", JSONB(), nullable=False),
        sa.Column("languages", JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "evidence_id"),
    )
    op.create_index("promotion_evidence_newest", "promotion_evidence", ["tenant_id", "at"])
    protect("promotion_evidence", APPEND)
