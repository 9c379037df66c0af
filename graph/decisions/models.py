"""Table of the decisions: one row for each decided action, with the facts as they were."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index
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
