"""The sealed parts of one run, the newest of each kind, opened when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.runs.artifacts import artifact_purpose, value_of
from graph.runs.models import Artifact, Run
from graph.vault import SubjectErased, SubjectKey, Vault

Value = TypeVar("Value")


@dataclass(slots=True)
class Shelf:
    """What a run stored. `is_erased` turns true where a part was found whose person is gone."""

    session: AsyncSession
    vault: Vault
    run: Run
    stored: Mapping[str, Artifact]
    is_erased: bool = False
    _keys: dict[str, SubjectKey] = field(default_factory=dict)

    async def newest(self, kind: str, type_: type[Value]) -> Value | None:
        """The newest part of a kind; None where there is none, or it was erased or emptied.

        Raises:
            VaultError: it was altered, or sealed under a key that this installation was not given.
        """
        found = self.stored.get(kind)
        if found is None:
            return None
        try:
            key = await self._key(found.subject_id, found.created_at)
            opened = key.open(artifact_purpose(found.artifact_id), found.sealed)
        except SubjectErased:
            self.is_erased = True
            return None
        return value_of(self.vault, found, opened, type_)

    async def _key(self, subject_id: str, at: datetime) -> SubjectKey:
        """The key of a person, unwrapped once for all of their parts."""
        if subject_id not in self._keys:
            tenant_id = self.run.tenant_id
            self._keys[subject_id] = await self.vault.key(
                self.session, tenant_id=tenant_id, subject_id=subject_id, now=at
            )
        return self._keys[subject_id]

    async def current(self, kind: str, type_: type[Value]) -> Value | None:
        """Like `newest`, where it was made from the ticket as the run has read it last: a new message outdates it."""
        found, read = self.stored.get(kind), self.stored.get("snapshot")
        if found is None or (read is not None and found.created_at < read.created_at):
            return None
        return await self.newest(kind, type_)


async def shelf_of(session: AsyncSession, vault: Vault, run: Run) -> Shelf:
    """The shelf of a run, read in one question."""
    query = (
        select(Artifact)
        .where(col(Artifact.tenant_id) == run.tenant_id, col(Artifact.run_id) == run.run_id)
        .ext(distinct_on(col(Artifact.kind)))
        .order_by(col(Artifact.kind), col(Artifact.created_at).desc())
    )
    return Shelf(session, vault, run, {one.kind: one for one in (await session.execute(query)).scalars()})
