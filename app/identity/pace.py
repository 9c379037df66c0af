"""How often somebody may try to sign in: counted in the database, for an address of the network and for an account.

A try is counted before the password is looked at, in a transaction of its own, so that a hundred tries at once are a
hundred. What is counted is the e-mail address as it was typed, whether or not it has an account.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.identity.models import SignInPace

WINDOW: Final = timedelta(minutes=15)
TRIES_OF_ACCOUNT: Final = 10
TRIES_OF_ADDRESS: Final = 60
"""More than for an account, because an office shares an address."""
TRIPS_OF_ADDRESS: Final = 600

_COUNT: Final = text(
    """
    INSERT INTO sign_in_pace (tenant_id, key_digest, since, tries) VALUES (:tenant_id, :key, :now, 1)
    ON CONFLICT (tenant_id, key_digest) DO UPDATE SET
      tries = CASE WHEN sign_in_pace.since <= :over THEN 1 ELSE sign_in_pace.tries + 1 END,
      since = CASE WHEN sign_in_pace.since <= :over THEN EXCLUDED.since ELSE sign_in_pace.since END
    RETURNING since, tries
    """,
)


@dataclass(frozen=True, slots=True)
class TooMany:
    """Too many tries; the next one is looked at after so many seconds."""

    wait_s: int


async def count_address(session: AsyncSession, tenant_id: str, address: str, *, now: datetime) -> TooMany | None:
    """Count a try from an address of the network."""
    return await _count(session, tenant_id, f"address|{address}", TRIES_OF_ADDRESS, now=now)


async def count_account(session: AsyncSession, tenant_id: str, email: str, *, now: datetime) -> TooMany | None:
    """Count a try for an e-mail address."""
    return await _count(session, tenant_id, f"account|{email}", TRIES_OF_ACCOUNT, now=now)


async def count_trip(session: AsyncSession, tenant_id: str, address: str, *, now: datetime) -> TooMany | None:
    """Count a trip to an identity provider, where no password is guessed."""
    return await _count(session, tenant_id, f"trip|{address}", TRIPS_OF_ADDRESS, now=now)


async def forget_account(session: AsyncSession, tenant_id: str, email: str, *, now: datetime) -> None:
    """Somebody signed in: their tries are forgotten, and whatever else is over."""
    row = col(SignInPace.key_digest) == _key(tenant_id, f"account|{email}")
    over = col(SignInPace.since) <= now - WINDOW
    await session.execute(delete(SignInPace).where(col(SignInPace.tenant_id) == tenant_id, row | over))


async def _count(session: AsyncSession, tenant_id: str, key: str, most: int, *, now: datetime) -> TooMany | None:
    values = {"tenant_id": tenant_id, "key": _key(tenant_id, key), "now": now, "over": now - WINDOW}
    since, tries = (await session.execute(_COUNT, values)).one()
    return TooMany(max(1, int((since + WINDOW - now).total_seconds()))) if tries > most else None


def _key(tenant_id: str, key: str) -> str:
    return hashlib.sha256(f"{tenant_id}|{key}".encode()).hexdigest()
