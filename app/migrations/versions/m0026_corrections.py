"""The correction loop: candidate scenarios, proposals, incidents.

Revision ID: 0026
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations.protection import ERASE, KEEP, protect

revision = "0026"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _candidate_scenario()
    _correction_proposal()
    _incident()


def _candidate_scenario() -> None:
    op.create_table(
        "candidate_scenario",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("candidate_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("ticket_id", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("reason_code", sa.String(), nullable=False),
        sa.Column("intent", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "candidate_id"),
    )
    op.create_index("candidate_scenario_run", "candidate_scenario", ["tenant_id", "run_id"], unique=True)
    op.create_index("candidate_scenario_subject", "candidate_scenario", ["tenant_id", "subject_id"], unique=False)
    protect("candidate_scenario", ERASE)


def _correction_proposal() -> None:
    op.create_table(
        "correction_proposal",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("proposal_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("reason_code", sa.String(), nullable=False),
        sa.Column("intent", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("tickets", postgresql.JSONB(), nullable=False),
        sa.Column("policy_hash", sa.String(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "proposal_id"),
    )
    op.create_index(
        "correction_proposal_open",
        "correction_proposal",
        ["tenant_id", "kind", "cause", "reason_code", "intent", "action", "rule"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    protect("correction_proposal", KEEP)


def _incident() -> None:
    op.create_table(
        "incident",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("incident_id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("alert_id", sa.String(), nullable=True),
        sa.Column("happened", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("measures", sa.String(), nullable=False),
        sa.Column("candidate_id", sa.String(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "incident_id"),
    )
    protect("incident", KEEP)
