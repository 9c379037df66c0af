"""What can be used once, by whoever holds it: a link to set a password or to sign in, a trip to an identity provider.

The token is in the hands of its bearer, its digest in the database. Using it deletes the row, so that of two who use it
at once one does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.identity.models import OneTimeToken
from app.identity.tokens import digest


class Purpose(StrEnum):
    """What a token is good for, and for nothing else."""

    SET_PASSWORD = "set_password"  # noqa: S105 - a word of ours, no password
    SIGN_IN = "sign_in"
    SSO = "sso"
    ZENDESK = "zendesk"  # a token of the app in Zendesk, kept so that it is taken once


GOOD_FOR: Final = {
    Purpose.SET_PASSWORD: timedelta(hours=24),
    Purpose.SIGN_IN: timedelta(hours=12),
    Purpose.SSO: timedelta(minutes=10),
    Purpose.ZENDESK: timedelta(minutes=30),
}
"""How long each may be used."""


@dataclass(frozen=True, slots=True)
class Used:
    """What a token was made with."""

    account_id: str | None
    details: dict[str, Any]


async def keep(
    session: AsyncSession,
    tenant_id: str,
    token: str,
    purpose: Purpose,
    *,
    now: datetime,
    account_id: str | None = None,
    details: dict[str, Any] | None = None,
) -> datetime:
    """Store a fresh token; until when it is good. Tokens of the tenant that nobody used in time go."""
    await session.execute(
        delete(OneTimeToken).where(col(OneTimeToken.tenant_id) == tenant_id, col(OneTimeToken.ends_at) <= now)
    )
    ends_at = now + GOOD_FOR[purpose]
    session.add(
        OneTimeToken(
            tenant_id=tenant_id,
            token_digest=digest(token),
            purpose=purpose.value,
            account_id=account_id,
            details=details or {},
            ends_at=ends_at,
        )
    )
    await session.flush()
    return ends_at


async def look_at(session: AsyncSession, tenant_id: str, token: str, purpose: Purpose, *, now: datetime) -> Used | None:
    """What using the token would give, without using it."""
    row = await session.get(OneTimeToken, (tenant_id, digest(token)))
    if row is None or row.purpose != purpose.value or now >= row.ends_at:
        return None
    return Used(row.account_id, row.details)


async def use(session: AsyncSession, tenant_id: str, token: str, purpose: Purpose, *, now: datetime) -> Used | None:
    """Use the token up; None where it is not good, or was used."""
    gone = await session.execute(
        delete(OneTimeToken)
        .where(
            col(OneTimeToken.tenant_id) == tenant_id,
            col(OneTimeToken.token_digest) == digest(token),
            col(OneTimeToken.purpose) == purpose.value,
            col(OneTimeToken.ends_at) > now,
        )
        .returning(col(OneTimeToken.account_id), col(OneTimeToken.details))
    )
    row = gone.one_or_none()
    return Used(row[0], row[1]) if row is not None else None


async def spend(session: AsyncSession, tenant_id: str, token: str, purpose: Purpose, *, now: datetime) -> bool:
    """Remember a token that others made and that is good once; false where it was spent before."""
    await session.execute(
        delete(OneTimeToken).where(col(OneTimeToken.tenant_id) == tenant_id, col(OneTimeToken.ends_at) <= now)
    )
    kept = await session.execute(
        upsert(OneTimeToken)
        .values(
            tenant_id=tenant_id,
            token_digest=digest(token),
            purpose=purpose.value,
            details={},
            ends_at=now + GOOD_FOR[purpose],
        )
        .on_conflict_do_nothing()
        .returning(col(OneTimeToken.token_digest))
    )
    return kept.one_or_none() is not None
