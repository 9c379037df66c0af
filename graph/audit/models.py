"""Tables of the log: numbered events with their leaf hash, and the erasable values behind their commitments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from graph.tenancy import TenantRow, bytes_field, json_field, utc_field


class AuditHead(TenantRow, table=True):
    """How many events the tenant's log has. Locked for the moment of an append, so numbers have no gap."""

    __tablename__ = "audit_head"

    size: int = Field(default=0, sa_type=BigInteger)


class AuditEvent(TenantRow, table=True):
    """One event. `leaf_hash` covers everything but the erasable values, which enter through their commitments."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("audit_event_run", "tenant_id", "run_id", "seq"),
        Index("audit_event_ticket", "tenant_id", "ticket_id", "seq"),
        Index("audit_event_kind", "tenant_id", "kind", "seq"),
    )

    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    event_id: str
    at: datetime = utc_field()
    kind: str
    actor: str
    run_id: str | None = None
    ticket_id: str | None = None
    body: dict[str, object] = json_field(default_factory=dict)
    commitments: dict[str, str] = json_field(default_factory=dict)
    leaf_hash: bytes = bytes_field()


class AuditPrivate(TenantRow, table=True):
    """A value behind a commitment, sealed with its salt under the key of the person it concerns."""

    __tablename__ = "audit_private"

    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    field: str = Field(primary_key=True)
    subject_id: str
    sealed: bytes = bytes_field()
