"""The sealed parts of one run, the newest of each kind, opened when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.runs.artifacts import load
from graph.runs.models import Artifact, Run
from graph.vault import SubjectErased, Vault

Value = TypeVar("Value")


@dataclass(slots=True)
class Shelf:
    """What a run stored. `is_erased` turns true where a part was found whose person is gone."""

    session: AsyncSession
    vault: Vault
    run: Run
    stored: Mapping[str, tuple[str, datetime]]
    is_erased: bool = False

    async def newest(self, kind: str, type_: type[Value]) -> Value | None:
        """The newest part of a kind; None where there is none, or its person was erased.

        Raises:
            VaultError: it was altered, or sealed under a key that this installation was not given.
        """
        found = self.stored.get(kind)
        if found is None:
            return None
        try:
            return await load(self.session, self.vault, self.run.tenant_id, found[0], type_)
        except SubjectErased:
            self.is_erased = True
            return None

    async def current(self, kind: str, type_: type[Value]) -> Value | None:
        """Like `newest`, where it was made from the ticket as the run has read it last: a new message outdates it."""
        found, read = self.stored.get(kind), self.stored.get("snapshot")
        if found is None or (read is not None and found[1] < read[1]):
            return None
        return await self.newest(kind, type_)


async def shelf_of(session: AsyncSession, vault: Vault, run: Run) -> Shelf:
    """The shelf of a run."""
    query = (
        select(col(Artifact.kind), col(Artifact.artifact_id), col(Artifact.created_at))
        .where(col(Artifact.tenant_id) == run.tenant_id, col(Artifact.run_id) == run.run_id)
        .ext(distinct_on(col(Artifact.kind)))
        .order_by(col(Artifact.kind), col(Artifact.created_at).desc())
    )
    stored = {kind: (artifact_id, at) for kind, artifact_id, at in await session.execute(query)}
    return Shelf(session, vault, run, stored)
