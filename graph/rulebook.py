"""Published policy versions: stored by content hash, never changed, loaded and parsed once per process."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from sqlalchemy import Index, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, col

from graph.errors import PolicyMissing
from graph.tenancy import TenantRow, utc_field
from policies.document import Policy
from policies.parse import parse_policy


class VersionState(StrEnum):
    """Life of a version."""

    DRAFT = "draft"
    PUBLISHED = "published"  # draft -> published: decides from now on
    RETIRED = "retired"  # published -> retired: another one decides; running runs keep it


class PolicyVersion(TenantRow, table=True):
    """One version of a policy file, as it was written."""

    __tablename__ = "policy_version"
    __table_args__ = (
        Index(
            "policy_one_published", "tenant_id", "policy_id", unique=True, postgresql_where=text("state = 'published'")
        ),
    )

    policy_hash: str = Field(primary_key=True)
    policy_id: str
    source_text: str
    state: str = VersionState.DRAFT.value
    author: str
    created_at: datetime = utc_field()
    published_at: datetime | None = utc_field(default=None, nullable=True)
    published_by: str | None = None


@lru_cache(maxsize=64)
def _parsed(source_text: str) -> Policy:
    return parse_policy(source_text, name="the published policy")


_sources: dict[tuple[str, str], str] = {}
"""Texts of versions by tenant and hash. They never change, so they are never evicted but with the process."""


async def load_policy(session: AsyncSession, tenant_id: str, policy_hash: str) -> Policy:
    """The version with that hash, parsed. A version never changes, so a process reads and parses it once.

    Raises:
        PolicyMissing: the tenant never had such a version.
    """
    key = (tenant_id, policy_hash)
    if key not in _sources:
        version = await session.get(PolicyVersion, (tenant_id, policy_hash))
        if version is None:
            raise PolicyMissing(f"tenant {tenant_id!r} has no policy version {policy_hash!r}: publish it again")
        _sources[key] = version.source_text
    return _parsed(_sources[key])


async def published_hash(session: AsyncSession, tenant_id: str) -> str:
    """Hash of the version that decides new runs.

    Raises:
        PolicyMissing: nothing is published.
    """
    found = await session.execute(
        select(col(PolicyVersion.policy_hash)).where(
            col(PolicyVersion.tenant_id) == tenant_id,
            col(PolicyVersion.state) == VersionState.PUBLISHED.value,
        ),
    )
    policy_hash = found.scalar_one_or_none()
    if policy_hash is None:
        raise PolicyMissing(f"tenant {tenant_id!r} has no published policy: run `countersign policy publish FILE`")
    return policy_hash


async def publish(session: AsyncSession, tenant_id: str, source_text: str, *, author: str, now: datetime) -> str:
    """Store the file as a version and let it decide from now on; its hash. Publishing the same text again is no change.

    Raises:
        PolicyFileError: the file cannot be read.
    """
    policy = parse_policy(source_text, name="the policy file")
    await session.execute(
        update(PolicyVersion)
        .where(
            col(PolicyVersion.tenant_id) == tenant_id,
            col(PolicyVersion.policy_hash) != policy.content_hash,
            col(PolicyVersion.state) == VersionState.PUBLISHED.value,
        )
        .values(state=VersionState.RETIRED.value),
    )
    version = await session.get(PolicyVersion, (tenant_id, policy.content_hash))
    if version is None:
        version = PolicyVersion(
            tenant_id=tenant_id,
            policy_hash=policy.content_hash,
            policy_id=policy.policy_id,
            source_text=source_text,
            author=author,
            created_at=now,
        )
        session.add(version)
    version.state = VersionState.PUBLISHED.value
    version.published_at = now
    version.published_by = author
    await session.flush()
    return policy.content_hash
