"""Tables of the log: numbered events, the erasable values behind their commitments, and the tree over their hashes.

`body` and `commitments` are JSON and not JSONB: the canonical text is stored as it was hashed, so checking compares the
bytes that queries read and spells nothing anew. Only the log's own `append` writes them.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Index, func
from sqlmodel import Field

from graph.tenancy import TenantRow, bytes_field, utc_field


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
    body: dict[str, object] = Field(default_factory=dict, sa_type=JSON)
    commitments: dict[str, str] = Field(default_factory=dict, sa_type=JSON)
    leaf_hash: bytes = bytes_field()


class AuditPrivate(TenantRow, table=True):
    """A value behind a commitment, sealed with its salt under the key of the person it concerns."""

    __tablename__ = "audit_private"

    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    field: str = Field(primary_key=True)
    subject_id: str
    sealed: bytes = bytes_field()


class AuditTree(TenantRow, table=True):
    """How far the sequencer is: the complete blocks below `size` as a frontier, and what stops it, if anything does."""

    __tablename__ = "audit_tree"

    size: int = Field(default=0, sa_type=BigInteger)
    frontier: bytes = bytes_field(default=b"")
    looked_at: datetime = utc_field(sa_column_kwargs={"server_default": func.clock_timestamp()})
    problem: str | None = None


class AuditBlock(TenantRow, table=True):
    """The root over one complete block of 256 leaf hashes, so that a proof reads some thousand hashes and not all."""

    __tablename__ = "audit_block"

    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    root: bytes = bytes_field()


class AuditCheckpoint(TenantRow, table=True):
    """What was signed at a size of the log, as a note (https://c2sp.org/tlog-checkpoint)."""

    __tablename__ = "audit_checkpoint"

    size: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    note: str


class AuditPublication(TenantRow, table=True):
    """How far one sink outside of the database has been given the checkpoints, and what it said last."""

    __tablename__ = "audit_publication"

    sink: str = Field(primary_key=True)
    size: int = Field(default=0, sa_type=BigInteger)
    published_at: datetime | None = utc_field(default=None, nullable=True)
    try_at: datetime = utc_field(sa_column_kwargs={"server_default": func.clock_timestamp()})
    attempts: int = 0
    problem: str | None = None
