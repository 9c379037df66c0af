"""Vectors stand in their rows.

By default PostgreSQL moves a section's vector out of its row, and its planner does not count what fetching it from
there costs: with some thousand sections it read every vector instead of the index, which took thirty times as long.
Rows that are there already keep theirs where it is, and are read as before; sections that change, or are ingested anew,
get theirs inline. https://github.com/pgvector/pgvector#performance

Revision ID: 0022
"""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE kb_section ALTER COLUMN embedding SET STORAGE PLAIN")
    # Else text and words would be moved out in the vector's place: the target is a fourth of a page.
    op.execute("ALTER TABLE kb_section SET (toast_tuple_target = 8160)")
