"""Tables that only the application needs: the tenants themselves."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field

from graph.tenancy import TenantRow, utc_field


class Tenant(TenantRow, table=True):
    """An installation's customer: its own connectors, policies, limits, keys and log."""

    __tablename__ = "tenant"

    title: str
    installation_id: str | None = None  # our mark on refunds: others may act for the same account
    created_at: datetime = utc_field()


class Pace(TenantRow, table=True):
    """When a task that one process at a time does every so often was done last."""

    __tablename__ = "pace"

    task: str = Field(primary_key=True)
    done_at: datetime = utc_field()
