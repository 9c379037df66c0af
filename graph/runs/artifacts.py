"""What nodes read and write, sealed: events and checkpoints name an artifact by id and commitment, never its content.

An artifact is sealed for the person whose run it is, so that erasing the person erases it. A run whose person is not
yet known seals for its ticket, under the subject `ticket/<id>`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.runs.models import Artifact, Run
from graph.subjects import of_ticket
from graph.vault import SALT_BYTES, Vault, VaultError

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ArtifactRef:
    """What may be said in public about an artifact."""

    artifact_id: str
    commitment: str


class ArtifactMissing(LookupError):
    """No such artifact in this tenant."""


async def store(
    session: AsyncSession,
    vault: Vault,
    *,
    run: Run,
    kind: str,
    value: object,
    now: datetime,
    new_id: Callable[[str], str],
) -> ArtifactRef:
    """Seal a value for the run's person, in the session's transaction.

    The value is anything that pydantic reads back: JSON, dataclasses, enums, times, sets of them.

    Raises:
        SubjectErased: the person was erased.
        PydanticSerializationError: the value cannot be written as JSON.
    """
    artifact_id = new_id("art")
    subject_id = run.subject_id or of_ticket(run.ticket_id)
    content = to_json(value, inf_nan_mode="strings", fallback=_plain)
    salt = vault.new_salt()
    commitment = vault.commit(content, salt)
    sealed = await vault.seal(
        session,
        tenant_id=run.tenant_id,
        subject_id=subject_id,
        purpose=artifact_purpose(artifact_id),
        plaintext=salt + content,
        now=now,
    )
    await session.execute(
        insert(Artifact).values(
            tenant_id=run.tenant_id,
            artifact_id=artifact_id,
            run_id=run.run_id,
            kind=kind,
            subject_id=subject_id,
            created_at=now,
            commitment=commitment,
            sealed=sealed,
        ),
    )
    return ArtifactRef(artifact_id, commitment)


async def load(
    session: AsyncSession,
    vault: Vault,
    tenant_id: str,
    artifact_id: str,
    type_: type[Value],
) -> Value:
    """The value that was stored, as the type it was.

    Raises:
        ArtifactMissing: no such artifact in this tenant.
        SubjectErased: its person was erased.
        VaultError: it does not match its commitment.
        ValidationError: it is not of that type.
    """
    query = select(Artifact).where(col(Artifact.tenant_id) == tenant_id, col(Artifact.artifact_id) == artifact_id)
    artifact = (await session.execute(query)).scalar_one_or_none()
    if artifact is None:
        raise ArtifactMissing(f"no artifact {artifact_id!r} in tenant {tenant_id!r}: check the id")
    opened = await vault.open(
        session,
        tenant_id=tenant_id,
        subject_id=artifact.subject_id,
        purpose=artifact_purpose(artifact_id),
        sealed=artifact.sealed,
    )
    return value_of(vault, artifact, opened, type_)


def value_of(vault: Vault, artifact: Artifact, opened: bytes, type_: type[Value]) -> Value:
    """The value of an artifact whose seal was opened.

    Raises:
        VaultError: it does not match its commitment.
        ValidationError: it is not of that type.
    """
    salt, content = opened[:SALT_BYTES], opened[SALT_BYTES:]
    if vault.commit(content, salt) != artifact.commitment:
        raise VaultError(f"artifact {artifact.artifact_id!r} does not match its commitment: its row was altered")
    loaded: Value = _adapter(type_).validate_json(content)
    return loaded


_adapters: dict[object, TypeAdapter[Any]] = {}


def _adapter(type_: object) -> TypeAdapter[Any]:
    """Made once per type: putting one together costs more than reading many values with it."""
    if type_ not in _adapters:
        _adapters[type_] = TypeAdapter(type_)  # type: ignore[arg-type]  # any type that pydantic reads
    return _adapters[type_]


def _plain(value: object) -> object:
    """What pydantic does not write by itself: a read-only mapping."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} cannot be stored: make it a dataclass")


def artifact_purpose(artifact_id: str) -> str:
    """What an artifact is sealed for."""
    return f"artifact/{artifact_id}"
