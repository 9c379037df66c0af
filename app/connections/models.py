"""What the last check of each connector found."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field

from graph.tenancy import TenantRow, json_field, utc_field


class ConnectorCheck(TenantRow, table=True):
    """The last check of one connector."""

    __tablename__ = "connector_check"

    connector: str = Field(primary_key=True)
    checks: list[dict[str, str]] = json_field(default_factory=list)  # as `countersign doctor` says them
    may: dict[str, str] = json_field(default_factory=dict)  # what was asked of the credential, and what came of it
    rate_limit: int | None = None  # requests a minute, where the vendor says so
    rate_left: int | None = None
    checked_at: datetime = utc_field()
    checked_by: str
