"""Tables of the measures. All of it is a cache of the log: dropped and folded again it is the same.

`measure_run` has one row for each run, with what its events say as figures and short words. What belongs to no run, and
calls outside by connector, are counted by day in `measure_count`; days that are over are added up in `measure_day`.
Nothing here is about a person: tickets and runs have ids, everything else is a number, a code or a label of the shop's.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field

from graph.tenancy import TenantRow, json_field, utc_field

UNKNOWN: Final = "unknown"


class MeasureRun(TenantRow, table=True):
    """What the log says about one run. Counts are of this run's events; times are whole seconds or milliseconds."""

    __tablename__ = "measure_run"
    __table_args__ = (
        Index("measure_run_started", "tenant_id", "started_at"),
        Index("measure_run_ticket", "tenant_id", "ticket_id", "started_at"),
        Index(
            "measure_run_uncounted",
            "tenant_id",
            "started_at",
            postgresql_where=text("ended_at IS NULL OR is_shadow"),
        ),
    )

    run_id: str = Field(primary_key=True)
    ticket_id: str
    started_at: datetime = utc_field()
    ended_at: datetime | None = utc_field(default=None, nullable=True)
    follows: str | None = None  # the run of this ticket before it
    has_start: bool = False  # its first event is in the log

    intent: str = UNKNOWN
    segment: str = UNKNOWN
    channel: str = UNKNOWN
    language: str = UNKNOWN
    tier: str = UNKNOWN
    policy: str = UNKNOWN
    model: str = UNKNOWN
    outcome: str | None = None
    reason: str | None = None

    is_shadow: bool = False
    is_held_out: bool = False  # people have the ticket alone, so that the others can be compared with it
    solved_after_s: int | None = None  # of a held-out one: when people had solved its ticket
    is_covered: bool = False  # the policy let the agent do it, alone or after a yes
    is_taken_over: bool = False
    is_recontacted: bool = False  # the customer wrote again within seven days of its end
    is_thanked: bool = False  # and asked for nothing more
    is_reopened: bool = False  # or did, or a refund came back
    rating: str | None = None
    judged: int = 0
    judged_right: int = 0

    asked: int = 0  # questions to people
    approved: int = 0
    rejected: int = 0
    asked_back: int = 0
    edited: int = 0
    edit_permille: int = 0  # over all edits
    interventions: int = 0
    intervened_after_s: int | None = None  # from the question, or from the hold, to the first intervention
    claimed_s: int = 0  # people had questions of it before they answered
    unclaimed: int = 0  # answers of people who had not taken the question first

    effects: int = 0
    effects_ended: int = 0
    effects_settled: int = 0
    held: int = 0  # refunds that waited to be sent
    stopped: int = 0  # of those, stopped by a person
    undone: int = 0
    reversed: int = 0

    tool_calls: int = 0
    tool_errors: int = 0
    model_calls: int = 0
    tokens: int = 0
    retries: int = 0
    model_usd_micros: int = Field(default=0, sa_type=BigInteger)
    retry_usd_micros: int = Field(default=0, sa_type=BigInteger)
    model_ms: int = Field(default=0, sa_type=BigInteger)  # of models in this process
    retrieval_ms: int = Field(default=0, sa_type=BigInteger)
    tool_ms: int = Field(default=0, sa_type=BigInteger)
    orchestration_ms: int = Field(default=0, sa_type=BigInteger)
    retry_ms: int = Field(default=0, sa_type=BigInteger)

    safety_events: int = 0
    near_misses: int = 0
    memo: dict[str, object] = json_field(default_factory=dict)  # what the fold has yet to see the end of


class MeasureCount(TenantRow, table=True):
    """What happened on one day (UTC) that is counted and not looked at one by one."""

    __tablename__ = "measure_count"

    day: date = Field(primary_key=True)
    what: str = Field(primary_key=True)  # read | write | safety
    subject: str = Field(primary_key=True)  # the tool, or the kind of event
    count: int = 0
    bad: int = 0
    total_ms: int = Field(default=0, sa_type=BigInteger)


class MeasureDay(TenantRow, table=True):
    """The sums of the runs that began on a day which is over, whole (an empty `cut`) and by each dimension."""

    __tablename__ = "measure_day"

    day: date = Field(primary_key=True)
    cut: str = Field(primary_key=True)  # empty, or a dimension
    name: str = Field(primary_key=True)  # of the slice
    over_from: datetime = utc_field()  # whoever asks as of then or later gets these sums
    figures: dict[str, object] = json_field(default_factory=dict)


class MeasureCursor(TenantRow, table=True):
    """How far the log is folded, and the moments of which there is one in the life of a tenant."""

    __tablename__ = "measure_cursor"

    next_seq: int = Field(default=0, sa_type=BigInteger)
    version: int = 0
    folded_until: datetime | None = utc_field(default=None, nullable=True)  # business time of the newest event folded
    first_event_at: datetime | None = utc_field(default=None, nullable=True)
    connected_at: datetime | None = utc_field(default=None, nullable=True)  # both vendors had answered
    first_run_at: datetime | None = utc_field(default=None, nullable=True)
    first_resolved_at: datetime | None = utc_field(default=None, nullable=True)
    memo: dict[str, object] = json_field(default_factory=dict)  # open claims, and which vendors have answered
