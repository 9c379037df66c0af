"""What a million runs need: the runs of a ticket and what waits in the queue are found without reading all there are.

Revision ID: 0032
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("run_ticket", "run", ["tenant_id", "ticket_id", "started_at"], unique=False)
    op.create_index(
        "effect_queued",
        "effect",
        ["tenant_id", "created_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('held', 'human')"),
    )
