"""Tables of the decisions: one row for each decided action, with the facts as they were, and what people said later."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field

from graph.tenancy import TenantRow, json_field, utc_field


class RecordedDecision(TenantRow, table=True):
    """What was decided about one action of a run.

    Facts are typed amounts, days, flags and words of closed lists: nothing in the row names a person or quotes one, so
    erasing a person leaves it. What is acted on is a digest, with which the row meets its effect.
    """

    __tablename__ = "decision"
    __table_args__ = (Index("decision_newest", "tenant_id", "decided_at"),)

    run_id: str = Field(primary_key=True)
    cycle: int = Field(primary_key=True)
    place: int = Field(primary_key=True)  # among the actions of the cycle, in the order of the plan
    ticket_id: str
    decided_at: datetime = utc_field()
    policy_hash: str
    input_hash: str
    intent: str
    action: str
    target: str | None = None  # SHA-256 of the charge and the item; None where money of no charge is meant
    amount_minor: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = None
    verdict: str
    mode: str
    rule: str
    section: str | None = None
    approvers: list[str] = json_field(default_factory=list)
    risk_score: int = 0
    facts: dict[str, object] = json_field(default_factory=dict)


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
