"""The tables of the desk. What was decided is in `approval` and in the log; here is who has what, and the checks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, text
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


class CheckKind(StrEnum):
    """Why somebody is asked about what is decided already."""

    BLIND = "blind"  # an automatic run: would a person have done the same?
    PLANTED = "planted"  # a question that people have said no to: does whoever answers look?


class ReviewCheck(TenantRow, table=True):
    """A question that changes nothing. Its answer is evidence about the policy, or about the reviewing."""

    __tablename__ = "review_check"
    __table_args__ = (
        Index("review_check_open", "tenant_id", "expires_at", postgresql_where=text("answer IS NULL")),
        Index("review_check_run", "tenant_id", "kind", "run_id", unique=True),
        CheckConstraint("(answer IS NULL) = (answered_by IS NULL)", name="answered_by_somebody"),
    )

    check_id: str = Field(primary_key=True)
    kind: str
    run_id: str
    ticket_id: str
    made_at: datetime = utc_field()
    expires_at: datetime = utc_field()
    answer: str | None = None  # `approve` or `reject`, as a question is answered
    reason_code: str | None = None
    answered_at: datetime | None = utc_field(default=None, nullable=True)
    answered_by: str | None = None
