"""The table of legal holds: whose data must stay, and why."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field

from graph.tenancy import TenantRow, utc_field


class LegalHold(TenantRow, table=True):
    """While the row is there the person is not erased, and retention leaves what is theirs. The log has the history."""

    __tablename__ = "legal_hold"

    subject_id: str = Field(primary_key=True)
    reason: str  # the reference of the case, never personal data: the log keeps it
    placed_by: str
    placed_at: datetime = utc_field()
