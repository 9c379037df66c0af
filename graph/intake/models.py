"""Tables of the intake: every event that ever reached us, the sweeper's place, and refused knocks at the door."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, text
from sqlmodel import Field

from graph.tenancy import TenantRow, bytes_field, json_field, utc_field


class Disposition(StrEnum):
    """What became of an event."""

    PENDING = "pending"  # stored, not looked at yet
    ACCEPTED = "accepted"  # pending -> accepted: it started or moved a run
    IGNORED = "ignored"  # pending -> ignored: recognised and recorded with a reason
    PARKED = "parked"  # pending -> parked: it kept failing; shown to a person


class InboxEvent(TenantRow, table=True):
    """One event, stored before it is acknowledged. Its key makes a repeated delivery the same row."""

    __tablename__ = "inbox_event"
    __table_args__ = (
        Index("inbox_event_pending", "tenant_id", "ticket_id", postgresql_where=text("disposition = 'pending'")),
        Index("inbox_event_ticket", "tenant_id", "ticket_id", "received_at"),
    )

    source: str = Field(primary_key=True)  # zendesk | stripe | sweeper | review
    event_id: str = Field(primary_key=True)
    kind: str
    ticket_id: str | None = None
    object_id: str | None = None
    received_at: datetime = utc_field()
    occurred_at: datetime | None = utc_field(default=None, nullable=True)
    details: dict[str, object] = json_field(default_factory=dict)
    sealed_body: bytes | None = bytes_field(default=None, nullable=True)
    disposition: str = Disposition.PENDING.value
    reason: str | None = None
    deliveries: int = 1
    attempts: int = 0
    look_again_at: datetime | None = utc_field(default=None, nullable=True)  # not before, after a failed attempt
    run_id: str | None = None


class SweepCursor(TenantRow, table=True):
    """Where the sweeper stands in a vendor's export."""

    __tablename__ = "sweep_cursor"

    source: str = Field(primary_key=True)
    cursor: str | None = None
    swept_at: datetime = utc_field()


class SecurityEvent(TenantRow, table=True):
    """Refused knocks, counted per minute so that a flood stays one row."""

    __tablename__ = "security_event"

    minute: datetime = utc_field(primary_key=True)
    kind: str = Field(primary_key=True)
    source_address: str = Field(primary_key=True)
    count: int = 1
