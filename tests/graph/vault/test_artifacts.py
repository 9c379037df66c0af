from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import psycopg
import pytest
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from app.db import Database
from graph.runs.artifacts import ArtifactMissing, ArtifactRef, load, store
from graph.runs.models import Run
from graph.vault import SubjectErased, Vault, VaultError
from policies.money import Money
from policies.vocabulary import Intent

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Thing:
    amount: Money
    intents: tuple[Intent, ...]
    tags: frozenset[str]
    at: datetime
    score: float
    figures: Mapping[str, int]


THING = Thing(Money(2_490, "usd"), (Intent.COMPLAINT,), frozenset({"a"}), NOW, 0.25, MappingProxyType({"n": 1}))


@pytest.fixture
def vault() -> Vault:
    return Vault({"k1": b"m" * 32}, "k1")


def _run(subject_id: str | None = "s1") -> Run:
    return Run(tenant_id="demo", run_id="run_1", ticket_id="7", subject_id=subject_id, started_at=NOW, updated_at=NOW)


async def _store(database: Database, vault: Vault, value: object, run: Run | None = None) -> ArtifactRef:
    async with database.tenant("demo") as session:
        stored = await store(
            session, vault, run=run or _run(), values={"thing": value}, now=NOW, new_id=lambda prefix: f"{prefix}_1"
        )
    return stored["thing"]


async def test_an_artifact_comes_back_as_it_was(database: Database, vault: Vault) -> None:
    reference = await _store(database, vault, THING)
    assert reference.artifact_id == "art_1"
    async with database.tenant("demo") as session:
        assert await load(session, vault, "demo", "art_1", Thing) == THING
        with pytest.raises(ValidationError):
            await load(session, vault, "demo", "art_1", Money)


async def test_an_unknown_artifact_is_named(database: Database, vault: Vault) -> None:
    with pytest.raises(ArtifactMissing, match="art_9"):
        async with database.tenant("demo") as session:
            await load(session, vault, "demo", "art_9", Thing)


async def test_what_cannot_be_written_is_refused(database: Database, vault: Vault) -> None:
    with pytest.raises(PydanticSerializationError, match="make it a dataclass"):
        await _store(database, vault, object())


@pytest.mark.parametrize(("subject_id", "erased"), [("s1", "s1"), (None, "ticket/7")])
async def test_erasing_the_person_erases_the_artifact(
    database: Database, vault: Vault, subject_id: str | None, erased: str
) -> None:
    await _store(database, vault, THING, _run(subject_id))
    async with database.tenant("demo") as session:
        await vault.erase(session, tenant_id="demo", subject_id=erased, now=NOW)
    with pytest.raises(SubjectErased):
        async with database.tenant("demo") as session:
            await load(session, vault, "demo", "art_1", Thing)


async def test_an_altered_commitment_is_noticed(database: Database, vault: Vault, admin_url: str) -> None:
    await _store(database, vault, THING)
    with psycopg.connect(admin_url) as admin:
        admin.execute("UPDATE artifact SET commitment = repeat('0', 64)")
    with pytest.raises(VaultError, match="commitment"):
        async with database.tenant("demo") as session:
            await load(session, vault, "demo", "art_1", Thing)
