"""Tables of the runs: the run, what it read and wrote (sealed), the keys that seal it, and the lease on its ticket."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field

from graph.tenancy import TenantRow, bytes_field, json_field, utc_field


class RunState(StrEnum):
    """Where a run stands. Only a worker that holds the ticket's lease moves it."""

    RUNNING = "running"  # a node is, or ought to be, at work
    WAITING = "waiting"  # running -> waiting: for a person, the settlement or the customer
    ENDED = "ended"  # running | waiting -> ended: outcome and, where not resolved, reason are set


class WaitFor(StrEnum):
    """What a waiting run waits for."""

    REVIEW = "review"
    SETTLEMENT = "settlement"
    CUSTOMER = "customer"
    VENDOR = "vendor"  # an outage; tried again when `wait_until` has passed
    KEY = "key"  # the master key is withheld; asked for again when `wait_until` has passed, for as long as it takes


HELD_UP: Final = frozenset({WaitFor.VENDOR.value, WaitFor.KEY.value})
"""A step could not be done and is tried again; the run waits for nobody's answer."""


class Run(TenantRow, table=True):
    """One execution for one ticket."""

    __tablename__ = "run"
    __table_args__ = (
        Index("run_one_active", "tenant_id", "ticket_id", unique=True, postgresql_where=text("state <> 'ended'")),
        Index("run_due", "wait_until", postgresql_where=text("state = 'waiting'")),
        Index("run_newest", "tenant_id", "started_at"),
        Index("run_ticket", "tenant_id", "ticket_id", "started_at"),
        Index("run_outcome", "tenant_id", "outcome", "started_at"),
        Index("run_actions", "actions", postgresql_using="gin", postgresql_ops={"actions": "jsonb_path_ops"}),
        Index("run_subject", "tenant_id", "subject_id", "started_at"),
    )

    run_id: str = Field(primary_key=True)
    ticket_id: str
    state: str = RunState.RUNNING.value
    wait_for: str | None = None
    wait_until: datetime | None = utc_field(default=None, nullable=True)
    waits_on: list[str] = json_field(default_factory=list)  # the approval, or the effects
    interrupt_id: str | None = None  # LangGraph's id of the wait; a signal answers this one and no other
    signal: dict[str, object] | None = json_field(default=None, nullable=True)  # what it was woken with
    is_follow_up: bool = False  # an earlier run of the ticket has ended
    outcome: str | None = None
    reason: str | None = None
    intents: list[str] = json_field(default_factory=list)
    actions: list[dict[str, object]] = json_field(default_factory=list)
    subject_id: str | None = None  # whose data key seals its artifacts
    policy_hash: str | None = None
    arm: str = "stable"  # which of two versions decides it while a canary runs
    brand: str | None = None
    is_shadow: bool = False  # it was decided and drafted, and nothing of it may leave
    cycle: int = 0  # how often it read the ticket anew
    last_comment_id: int = Field(default=0, sa_type=BigInteger)  # newest message of the customer it has taken in
    failures: int = 0  # advances that ended in an outage since the last one that did not
    reply_sent: bool = False
    questions_asked: int = 0
    tool_calls: int = 0
    tool_errors: int = 0  # of those calls, the ones that failed
    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int = 0
    retries: int = 0  # steps that were tried again
    worked_ms: int = Field(default=0, sa_type=BigInteger)  # time in nodes, without what it waited
    started_at: datetime = utc_field()
    updated_at: datetime = utc_field()
    ended_at: datetime | None = utc_field(default=None, nullable=True)
    fork_of: str | None = None


class SeenPicture(TenantRow, table=True):
    """What a picture on a ticket is known by. The picture itself stays in Zendesk."""

    __tablename__ = "seen_picture"
    __table_args__ = (Index("seen_picture_subject", "tenant_id", "subject_id"),)

    ticket_id: str = Field(primary_key=True)
    sha256: str = Field(primary_key=True)  # of its bytes, in hexadecimal
    look: int = Field(sa_type=BigInteger)  # 64 bits of how it looks
    subject_id: str  # who sent it; erased with them
    seen_at: datetime = utc_field()


class Artifact(TenantRow, table=True):
    """What a node read or wrote, sealed under the key of the person it concerns. Events refer to it by commitment."""

    __tablename__ = "artifact"
    __table_args__ = (Index("artifact_run", "tenant_id", "run_id"),)

    artifact_id: str = Field(primary_key=True)
    run_id: str
    kind: str
    subject_id: str
    created_at: datetime = utc_field()
    commitment: str  # hex SHA-256 of salt and content; the salt is sealed with the content
    sealed: bytes = bytes_field()


class DataKey(TenantRow, table=True):
    """The key that seals one person's data, itself wrapped under the tenant's key. Deleting it erases the person."""

    __tablename__ = "data_key"

    subject_id: str = Field(primary_key=True)
    wrapped: bytes | None = bytes_field(default=None, nullable=True)
    created_at: datetime = utc_field()
    erased_at: datetime | None = utc_field(default=None, nullable=True)


class TicketLease(TenantRow, table=True):
    """Who may advance a ticket, until when (database time), under which fencing token."""

    __tablename__ = "ticket_lease"

    ticket_id: str = Field(primary_key=True)
    holder: str
    token: int = Field(sa_type=BigInteger)
    expires_at: datetime = utc_field()
