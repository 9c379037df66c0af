"""What every row of ours has in common: it belongs to one tenant, and its times are aware and in UTC."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, NewType

from sqlalchemy import DateTime, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

TenantId = NewType("TenantId", str)

Sessions = Callable[[str], AbstractAsyncContextManager[AsyncSession]]
"""Opens one transaction as a tenant; it commits when the block ends and rolls back when it raises."""

EVERY_TENANT = "*"
"""Tenant of the rows that hold for all, such as the global kill switch. Readable by every tenant, writable by none."""


class TenantRow(SQLModel):
    """A row under row-level security; the tenant leads the primary key."""

    tenant_id: str = Field(primary_key=True)


def utc_field(**options: Any) -> Any:  # noqa: ANN401 - SQLModel types its fields this way
    """A column of aware times."""
    return Field(sa_type=DateTime(timezone=True), **options)


def json_field(**options: Any) -> Any:  # noqa: ANN401 - SQLModel types its fields this way
    """A JSONB column."""
    return Field(sa_type=JSONB, **options)


def bytes_field(**options: Any) -> Any:  # noqa: ANN401 - SQLModel types its fields this way
    """A column of raw bytes."""
    return Field(sa_type=LargeBinary, **options)
