"""What abuse is recognised by: pictures that were sent before, and runs found by the charge that they were about.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.migrations.protection import ERASE, protect

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "seen_picture",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("ticket_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("look", sa.BigInteger(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "ticket_id", "sha256"),
    )
    op.create_index("seen_picture_subject", "seen_picture", ["tenant_id", "subject_id"], unique=False)
    protect("seen_picture", ERASE)
    op.create_index(
        "run_actions",
        "run",
        ["actions"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"actions": "jsonb_path_ops"},
    )
