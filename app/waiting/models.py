"""Who has what of the queue. What was decided is in `approval` and in the log."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field

from graph.tenancy import TenantRow, utc_field


class ReviewClaim(TenantRow, table=True):
    """Somebody has an item of the queue, until `ends_at`. Others may still read it, and answer it if they must."""

    __tablename__ = "review_claim"

    item_id: str = Field(primary_key=True)
    account_id: str
    given_by: str  # the account itself, or the lead who gave it to them
    claimed_at: datetime = utc_field()
    ends_at: datetime = utc_field()
