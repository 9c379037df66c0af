"""Tables of the breakers: which have tripped, and the counts that rates are made of."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field

from graph.tenancy import TenantRow, json_field, utc_field


class TrippedBreaker(TenantRow, table=True):
    """A breaker that has tripped at least once, and how it stands. What it covers is kept as it was when it tripped."""

    __tablename__ = "breaker"

    breaker_id: str = Field(primary_key=True)
    is_tripped: bool
    measure: str
    tool: str | None = None
    intent: str | None = None
    brand: str | None = None
    tier: str | None = None
    cause: str
    figures: dict[str, object] = json_field(default_factory=dict)
    tripped_at: datetime = utc_field()
    resets_at: datetime | None = utc_field(default=None, nullable=True)  # None: a person resets it
    reset_at: datetime | None = utc_field(default=None, nullable=True)  # what happened before does not count again
    changed_by: str
    reason: str | None = None  # why it was reset


class Tally(TenantRow, table=True):
    """How often something happened in one minute, and how often it went wrong."""

    __tablename__ = "tally"

    measure: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)  # the tool, or empty
    brand: str = Field(primary_key=True)  # empty where it does not matter or is not known
    minute: datetime = utc_field(primary_key=True)
    total: int
    bad: int
