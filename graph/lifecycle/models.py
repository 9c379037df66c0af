"""Tables of a policy's life: who said yes to what, what gates and evidence found, what is to change when."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, text
from sqlmodel import Field

from graph.tenancy import TenantRow, json_field, utc_field


class PolicyApproval(TenantRow, table=True):
    """A second person's yes to one change: this version instead of that one. Another base needs another yes."""

    __tablename__ = "policy_approval"

    policy_hash: str = Field(primary_key=True)
    base_hash: str = Field(primary_key=True)
    approver: str = Field(primary_key=True)
    why: str
    approved_at: datetime = utc_field()


class GateResult(TenantRow, table=True):
    """What a gate found about one version. The newest result of a gate counts."""

    __tablename__ = "gate_result"
    __table_args__ = (Index("gate_result_version", "tenant_id", "policy_hash", "gate", "at"),)

    result_id: str = Field(primary_key=True)
    policy_hash: str
    gate: str
    passed: bool
    figures: dict[str, object] = json_field(default_factory=dict)
    at: datetime = utc_field()
    actor: str


class PromotionEvidence(TenantRow, table=True):
    """What a run of the suites has earned, as it was recorded. The newest row counts; none is ever changed."""

    __tablename__ = "promotion_evidence"
    __table_args__ = (Index("promotion_evidence_newest", "tenant_id", "at"),)

    evidence_id: str = Field(primary_key=True)
    report_sha256: str
    commit: str
    policies: list[str] = json_field(default_factory=list)
    cells: list[dict[str, object]] = json_field(default_factory=list)
    languages: list[dict[str, object]] = json_field(default_factory=list)
    at: datetime = utc_field()
    actor: str
    why: str


class ScheduleState(StrEnum):
    """Where a change that was put on the calendar stands."""

    PENDING = "pending"  # waits for `starts_at`
    ACTIVE = "active"  # pending -> active: it decides, until `ends_at`
    OVER = "over"  # pending | active -> over: it came into force for good, or its time is over
    REFUSED = "refused"  # pending -> refused: at its time something it needs was missing
    CANCELLED = "cancelled"  # pending | active -> cancelled: a person took it off; nothing else changes


class PolicySchedule(TenantRow, table=True):
    """A version that takes effect at a time, reverts at a time, or both, by itself."""

    __tablename__ = "policy_schedule"
    __table_args__ = (
        Index("policy_schedule_open", "tenant_id", postgresql_where=text("state IN ('pending', 'active')")),
    )

    schedule_id: str = Field(primary_key=True)
    policy_hash: str
    state: str = ScheduleState.PENDING.value
    starts_at: datetime = utc_field()
    ends_at: datetime | None = utc_field(default=None, nullable=True)
    reverts_to: str | None = None  # what decided before; it decides again afterwards
    made_by: str
    made_at: datetime = utc_field()
    why: str
    note: str | None = None  # why it was refused
