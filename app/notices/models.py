"""How far each place elsewhere has been told the log: those that get notices, and the sinks of exports."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, func
from sqlmodel import Field

from graph.tenancy import TenantRow, utc_field


class NoticeCursor(TenantRow, table=True):
    """One place that is told: the number of the next event it has not heard of, and how the last attempt went."""

    __tablename__ = "notice_cursor"

    place: str = Field(primary_key=True)
    next_seq: int = Field(sa_type=BigInteger)
    try_at: datetime = utc_field(sa_column_kwargs={"server_default": func.clock_timestamp()})
    attempts: int = 0
    told_at: datetime | None = utc_field(default=None, nullable=True)
    problem: str | None = None
    skipped: int = 0  # events that the place refused, or did not take for a day
