"""What the ops lead's pages need at size: an index for the runs of one outcome, and days of measures added up.

Beside it the runs of tickets that people have alone.

Revision ID: 0029
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations.protection import CHANGE, protect

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("run_outcome", "run", ["tenant_id", "outcome", "started_at"], unique=False)
    op.create_table(
        "measure_day",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("cut", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("over_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figures", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "day", "cut", "name"),
    )
    protect("measure_day", CHANGE)
    # The measures are a cache of another version now, which is folded anew.
    op.add_column("measure_run", sa.Column("is_held_out", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("measure_run", "is_held_out", server_default=None)
    op.add_column("measure_run", sa.Column("solved_after_s", sa.Integer(), nullable=True))
