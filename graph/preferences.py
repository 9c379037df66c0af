"""What a customer prefers, as people at the desk wrote it down: of a closed list, sealed for them, and for a time only.

A preference never decides about money. The reply language is used by drafts; the remedy is shown to whoever reviews.
It is erased with its person, and what has expired is as if it had never been there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, col

from graph.audit.log import append
from graph.replies.render import LOCALES
from graph.tenancy import TenantRow, bytes_field, utc_field
from graph.vault import SubjectErased, Vault

LONGEST: Final = timedelta(days=730)
"""Beyond it nobody knows any more whether it still holds."""


class Preference(StrEnum):
    """What can be remembered."""

    REPLY_LANGUAGE = "reply_language"  # the language that drafts are written in
    REMEDY = "remedy"  # what they would rather have, for the person who decides


CHOICES: Final[Mapping[Preference, tuple[str, ...]]] = {
    Preference.REPLY_LANGUAGE: tuple(LOCALES),
    Preference.REMEDY: ("refund", "replacement", "store_credit"),
}


class PreferenceRow(TenantRow, table=True):
    """One preference of one customer."""

    __tablename__ = "preference"

    subject_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    sealed: bytes = bytes_field()
    set_by: str
    set_at: datetime = utc_field()
    expires_at: datetime = utc_field()


@dataclass(frozen=True, slots=True)
class Remembered:
    """A preference that holds now, who wrote it down, and until when it holds."""

    name: Preference
    value: str
    set_by: str
    set_at: datetime
    expires_at: datetime


class UnknownPreference(ValueError):
    """No such preference or value, or a time that is over or too long."""


async def remember(  # noqa: PLR0913 - what is remembered, about whom, by whom, until when
    session: AsyncSession,
    vault: Vault,
    *,
    tenant_id: str,
    subject_id: str,
    name: str,
    value: str,
    actor: str,
    now: datetime,
    expires_at: datetime,
    new_id: Callable[[str], str],
) -> None:
    """Write a preference down, in the session's transaction; an earlier one of that name is replaced.

    Raises:
        UnknownPreference: see the class.
        SubjectErased: the person was erased.
    """
    if name not in set(Preference) or value not in CHOICES[Preference(name)]:
        raise UnknownPreference(f"{name[:40]!r} cannot be {value[:40]!r}: choose one of the list")
    if not now < expires_at <= now + LONGEST:
        raise UnknownPreference(f"a preference until {expires_at.date()}: give a day within {LONGEST.days} days")
    sealed = await vault.seal(
        session,
        tenant_id=tenant_id,
        subject_id=subject_id,
        purpose=_purpose(subject_id, name),
        plaintext=value.encode(),
        now=now,
    )
    changed = {"sealed": sealed, "set_by": actor, "set_at": now, "expires_at": expires_at}
    await session.execute(
        upsert(PreferenceRow)
        .values(tenant_id=tenant_id, subject_id=subject_id, name=name, **changed)
        .on_conflict_do_update(index_elements=["tenant_id", "subject_id", "name"], set_=changed)
    )
    body = {"subject_id": subject_id, "name": name, "expires_at": expires_at.isoformat()}
    await append(session, tenant_id=tenant_id, at=now, kind="preference.set", actor=actor, new_id=new_id, body=body)


async def forget(
    session: AsyncSession,
    *,
    tenant_id: str,
    subject_id: str,
    name: str,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> bool:
    """Take a preference away, in the session's transaction. False where there was none."""
    gone = await session.execute(
        delete(PreferenceRow)
        .where(
            col(PreferenceRow.tenant_id) == tenant_id,
            col(PreferenceRow.subject_id) == subject_id,
            col(PreferenceRow.name) == name,
        )
        .returning(col(PreferenceRow.name))
    )
    if gone.one_or_none() is None:
        return False
    body = {"subject_id": subject_id, "name": name}
    await append(session, tenant_id=tenant_id, at=now, kind="preference.removed", actor=actor, new_id=new_id, body=body)
    return True


async def preferences_of(
    session: AsyncSession, vault: Vault, tenant_id: str, subject_id: str, *, now: datetime
) -> tuple[Remembered, ...]:
    """What holds now for a customer, by name; nothing of a person who was erased."""
    query = (
        select(PreferenceRow)
        .where(
            col(PreferenceRow.tenant_id) == tenant_id,
            col(PreferenceRow.subject_id) == subject_id,
            col(PreferenceRow.expires_at) > now,
        )
        .order_by(col(PreferenceRow.name))
    )
    found = []
    for row in (await session.execute(query)).scalars():
        try:
            opened = await vault.open(
                session,
                tenant_id=tenant_id,
                subject_id=subject_id,
                purpose=_purpose(subject_id, row.name),
                sealed=row.sealed,
            )
        except SubjectErased:
            return ()
        found.append(Remembered(Preference(row.name), opened.decode(), row.set_by, row.set_at, row.expires_at))
    return tuple(found)


def _purpose(subject_id: str, name: str) -> str:
    return f"preference/{subject_id}/{name}"
