"""Tables of the correction loop: candidate scenarios, proposals, incidents."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, text
from sqlmodel import Field

from graph.tenancy import TenantRow, json_field, utc_field


class CandidateScenario(TenantRow, table=True):
    """A run that people corrected, as a scenario file without a person in it. Of a run there is one at most.

    It was made from somebody's ticket, so it goes when they are erased, although it names nobody.
    """

    __tablename__ = "candidate_scenario"
    __table_args__ = (
        Index("candidate_scenario_run", "tenant_id", "run_id", unique=True),
        Index("candidate_scenario_subject", "tenant_id", "subject_id"),
    )

    candidate_id: str = Field(primary_key=True)
    run_id: str
    ticket_id: str
    subject_id: str  # whose ticket it was made from
    cause: str
    reason_code: str  # empty where none was given
    intent: str
    text: str  # one scenario in YAML
    made_at: datetime = utc_field()
    made_by: str


class ProposalKind(StrEnum):
    """What would change."""

    POLICY = "policy"  # a draft of the policy, stored and deciding nothing
    ARTICLE = "article"  # an outline for whoever keeps the articles and macros


class ProposalState(StrEnum):
    """Where a proposal stands."""

    OPEN = "open"
    DONE = "done"  # open -> done: a person made the change
    DROPPED = "dropped"  # open -> dropped: a person does not want it


class CorrectionProposal(TenantRow, table=True):
    """A change that a group of corrections speaks for, with the tickets that it would affect."""

    __tablename__ = "correction_proposal"
    __table_args__ = (
        Index(
            "correction_proposal_open",
            "tenant_id",
            "kind",
            "cause",
            "reason_code",
            "intent",
            "action",
            "rule",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
    )

    proposal_id: str = Field(primary_key=True)
    state: str = ProposalState.OPEN.value
    kind: str
    cause: str
    reason_code: str
    intent: str
    action: str
    rule: str
    text: str
    tickets: list[str] = json_field(default_factory=list)
    policy_hash: str | None = None
    made_at: datetime = utc_field()
    made_by: str
    ended_at: datetime | None = utc_field(default=None, nullable=True)
    ended_by: str | None = None


class Incident(TenantRow, table=True):
    """Something that went wrong, what was learned, and the scenario that guards it now. Words are redacted."""

    __tablename__ = "incident"

    incident_id: str = Field(primary_key=True)
    title: str
    run_id: str | None = None
    alert_id: str | None = None
    happened: str = ""
    cause: str = ""
    measures: str = ""
    candidate_id: str | None = None  # the scenario that guards it
    opened_at: datetime = utc_field()
    opened_by: str
    closed_at: datetime | None = utc_field(default=None, nullable=True)
    closed_by: str | None = None
