"""Erasing a person: their key, the sealed values and salts that the log only commits to, and answers on file.

What their pictures are known by goes with them.

The events stay as they were hashed, so every proof and checkpoint still holds; without its salt a commitment cannot be
guessed back. Nothing is sealed for the person afterwards either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.log import append
from graph.vault import Vault

_PICTURES: Final = text("DELETE FROM seen_picture WHERE tenant_id = :tenant AND subject_id = :subject")
_DELETE: Final = text(
    """
    WITH gone AS (
      DELETE FROM audit_private WHERE tenant_id = :tenant AND subject_id = :subject RETURNING 1
    ), answers AS (
      DELETE FROM model_answer WHERE tenant_id = :tenant AND subject_id = :subject RETURNING 1
    )
    SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM answers)
    """
)


@dataclass(frozen=True, slots=True)
class Erased:
    """What is gone: whether there was a key, and how many values of the log and of the file of answers."""

    had_key: bool
    values: int


async def erase(
    session: AsyncSession,
    tenant_id: str,
    subject_id: str,
    *,
    vault: Vault,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> Erased:
    """Erase one person from the log, in the session's transaction, as an event of the log. May be repeated."""
    had_key = await vault.erase(session, tenant_id=tenant_id, subject_id=subject_id, now=now)
    values = (await session.execute(_DELETE, {"tenant": tenant_id, "subject": subject_id})).scalar_one()
    await session.execute(_PICTURES, {"tenant": tenant_id, "subject": subject_id})
    await append(
        session,
        tenant_id=tenant_id,
        at=now,
        kind="person.erased",
        actor=actor,
        new_id=new_id,
        body={"subject_id": subject_id, "had_key": had_key, "values": values},
    )
    return Erased(had_key, values)
