"""The alerts: one row from the moment a figure passes its bound until it has been calm for a while."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field

from graph.tenancy import TenantRow, json_field, utc_field


class AlertState(StrEnum):
    """Where an alert stands."""

    OPEN = "open"  # the figure is beyond its bound, or was within the calm span
    RESOLVED = "resolved"  # open -> resolved: it has been calm; the next time is another alert


class Alert(TenantRow, table=True):
    """Something that somebody should look at. Of a rule and a subject at most one is open."""

    __tablename__ = "alert"
    __table_args__ = (
        Index("alert_open", "tenant_id", "rule", "subject", unique=True, postgresql_where=text("state = 'open'")),
        Index("alert_newest", "tenant_id", "raised_at"),
    )

    alert_id: str = Field(primary_key=True)
    rule: str
    subject: str  # the connector, the breaker, the version; empty where the rule has one figure
    state: str = AlertState.OPEN.value
    said: str  # the alert in one sentence, as it was raised
    value: int = Field(sa_type=BigInteger)  # in the unit of the rule, at the last look that was beyond the bound
    worst: int = Field(sa_type=BigInteger)
    bound: int = Field(sa_type=BigInteger)
    figures: dict[str, object] = json_field(default_factory=dict)
    raised_at: datetime = utc_field()
    held_at: datetime = utc_field()  # the last look that found it beyond the bound
    resolved_at: datetime | None = utc_field(default=None, nullable=True)
    seen_by: str | None = None  # who said that they look at it
    seen_at: datetime | None = utc_field(default=None, nullable=True)
