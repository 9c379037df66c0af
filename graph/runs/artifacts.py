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
from sqlalchemy import bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.runs.models import Artifact, Run
from graph.subjects import of_ticket
from graph.vault import SALT_BYTES, Vault, VaultError

Value = TypeVar("Value")

_INSERT = text(
    """
    INSERT INTO artifact (tenant_id, artifact_id, run_id, kind, subject_id, created_at, commitment, sealed)
    VALUES (:tenant_id, :artifact_id, :run_id, :kind, :subject_id, :created_at, :commitment, :sealed)
    """
)
_SELECT = select(Artifact).where(
    col(Artifact.tenant_id) == bindparam("tenant_id"), col(Artifact.artifact_id) == bindparam("artifact_id")
)


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
    values: Mapping[str, object],
    now: datetime,
    new_id: Callable[[str], str],
) -> dict[str, ArtifactRef]:
    """Seal values for the run's person, each under its kind, in the session's transaction.

    A value is anything that pydantic reads back: JSON, dataclasses, enums, times, sets of them.

    Raises:
        SubjectErased: the person was erased.
        PydanticSerializationError: a value cannot be written as JSON.
    """
    if not values:
        return {}
    subject_id = run.subject_id or of_ticket(run.ticket_id)
    key = await vault.key(session, tenant_id=run.tenant_id, subject_id=subject_id, now=now)
    references, rows = {}, []
    for kind, value in values.items():
        artifact_id, salt = new_id("art"), vault.new_salt()
        content = to_json(value, inf_nan_mode="strings", fallback=_plain)
        references[kind] = ArtifactRef(artifact_id, vault.commit(content, salt))
        rows.append(
            {
                "tenant_id": run.tenant_id,
                "artifact_id": artifact_id,
                "run_id": run.run_id,
                "kind": kind,
                "subject_id": subject_id,
                "created_at": now,
                "commitment": references[kind].commitment,
                "sealed": key.seal(artifact_purpose(artifact_id), salt + content),
            }
        )
    await session.execute(_INSERT, rows)
    return references


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
    found = await session.execute(_SELECT, {"tenant_id": tenant_id, "artifact_id": artifact_id})
    artifact = found.scalar_one_or_none()
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
