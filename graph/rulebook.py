"""Policy versions: stored by content hash, never changed, loaded and parsed once per process; and which one decides.

At most one version is published and at most one is tried out beside it on a share of the tickets. How a version comes
to decide is `graph.lifecycle`'s; this module only reads what holds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

from sqlalchemy import Index, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, col

from graph.errors import PolicyMissing
from graph.tenancy import TenantRow, utc_field
from policies.document import Policy
from policies.parse import parse_policy

TEN_THOUSAND: Final = 10_000


class VersionState(StrEnum):
    """Life of a version."""

    DRAFT = "draft"  # stored; decides nothing
    CHECKED = "checked"  # draft -> checked: a gate passed for exactly this text
    SCHEDULED = "scheduled"  # draft | checked | retired -> scheduled: will decide from a stated time on
    CANARY = "canary"  # -> canary: decides for a share of the tickets, beside the published one
    PUBLISHED = "published"  # -> published: decides from now on
    RETIRED = "retired"  # published -> retired: another one decides; running runs keep it
    EXPIRED = "expired"  # published -> expired: its time is over, and the one before decides again
    ROLLED_BACK = "rolled_back"  # canary | published -> rolled_back: taken back, by a person or by its figures


class Arm(StrEnum):
    """Which of two versions a ticket is decided by while a canary runs, or that people have it for comparison."""

    STABLE = "stable"
    CANARY = "canary"
    HELD_OUT = "held_out"


class PolicyVersion(TenantRow, table=True):
    """One version of a policy file, as it was written."""

    __tablename__ = "policy_version"
    __table_args__ = (
        Index("policy_one_published", "tenant_id", unique=True, postgresql_where=text("state = 'published'")),
        Index("policy_one_canary", "tenant_id", unique=True, postgresql_where=text("state = 'canary'")),
    )

    policy_hash: str = Field(primary_key=True)
    policy_id: str
    source_text: str
    state: str = VersionState.DRAFT.value
    author: str
    created_at: datetime = utc_field()
    published_at: datetime | None = utc_field(default=None, nullable=True)  # when it last came to decide every ticket
    published_by: str | None = None
    canary_percent: int | None = None  # share of the tickets, while it is a canary
    canary_since: datetime | None = utc_field(default=None, nullable=True)


@lru_cache(maxsize=64)
def _parsed(source_text: str, name: str = "the published policy") -> Policy:
    return parse_policy(source_text, name=name)


_sources: dict[tuple[str, str], str] = {}
"""Texts of versions by tenant and hash. They never change, so they are never evicted but with the process."""


async def load_policy(session: AsyncSession, tenant_id: str, policy_hash: str) -> Policy:
    """The version with that hash, parsed. A version never changes, so a process reads and parses it once.

    Raises:
        PolicyMissing: the tenant never had such a version.
    """
    held = held_policy(tenant_id, policy_hash)
    if held is not None:
        return held
    version = await session.get(PolicyVersion, (tenant_id, policy_hash))
    if version is None:
        raise PolicyMissing(f"tenant {tenant_id!r} has no policy version {policy_hash!r}: publish it again")
    _sources[tenant_id, policy_hash] = version.source_text
    return _parsed(version.source_text)


def held_policy(tenant_id: str, policy_hash: str) -> Policy | None:
    """The version, where this process has read it before."""
    source_text = _sources.get((tenant_id, policy_hash))
    return None if source_text is None else _parsed(source_text)


@dataclass(frozen=True, slots=True)
class Deciding:
    """Which versions decide: the published one, and the canary with its share where one is tried out."""

    published: str | None
    canary: str | None = None
    canary_percent: int = 0

    def for_ticket(self, tenant_id: str, ticket_id: str) -> tuple[str | None, Arm]:
        """The version that decides a ticket's next run, and its arm. A ticket keeps its arm from run to run."""
        if self.canary is not None and place_of(tenant_id, ticket_id) < self.canary_percent * 100:
            return self.canary, Arm.CANARY
        return self.published, Arm.STABLE


def place_of(tenant_id: str, ticket_id: str) -> int:
    """Where a ticket stands among ten thousand, for ever and on every machine: a share of them is the first so many."""
    digest = hashlib.sha256(f"{tenant_id}\x00{ticket_id}".encode()).digest()
    return int.from_bytes(digest[:8]) % TEN_THOUSAND


def is_held_out(tenant_id: str, ticket_id: str, percent: int) -> bool:
    """Whether a ticket is among the share that people have alone: the last so many, as a canary has the first ones."""
    return place_of(tenant_id, ticket_id) >= TEN_THOUSAND - 100 * percent


async def deciding(session: AsyncSession, tenant_id: str) -> Deciding:
    """Which versions decide now."""
    found = await session.execute(
        select(col(PolicyVersion.policy_hash), col(PolicyVersion.state), col(PolicyVersion.canary_percent)).where(
            col(PolicyVersion.tenant_id) == tenant_id,
            col(PolicyVersion.state).in_([VersionState.PUBLISHED.value, VersionState.CANARY.value]),
        ),
    )
    rows = {row.state: row for row in found}
    published, canary = rows.get(VersionState.PUBLISHED.value), rows.get(VersionState.CANARY.value)
    return Deciding(
        published.policy_hash if published is not None else None,
        canary.policy_hash if canary is not None else None,
        (canary.canary_percent or 0) if canary is not None else 0,
    )


async def published_hash(session: AsyncSession, tenant_id: str) -> str:
    """Hash of the version that decides new runs, but for those of a canary.

    Raises:
        PolicyMissing: nothing is published.
    """
    policy_hash = (await deciding(session, tenant_id)).published
    if policy_hash is None:
        raise _nothing_decides(tenant_id)
    return policy_hash


async def version_for(session: AsyncSession, tenant_id: str, ticket_id: str) -> tuple[str, Arm]:
    """The version under which a run of the ticket begins, and its arm.

    Raises:
        PolicyMissing: nothing is published.
    """
    policy_hash, arm = (await deciding(session, tenant_id)).for_ticket(tenant_id, ticket_id)
    if policy_hash is None:
        raise _nothing_decides(tenant_id)
    return policy_hash, arm


def _nothing_decides(tenant_id: str) -> PolicyMissing:
    return PolicyMissing(f"tenant {tenant_id!r} has no published policy: run `countersign policy publish FILE`")


async def publish(session: AsyncSession, tenant_id: str, source_text: str, *, author: str, now: datetime) -> str:
    """Store the file as a version and let it decide from now on, asking nobody; its hash.

    This is how a tenant gets its first version. What replaces one goes through `graph.lifecycle.publishing`.

    Raises:
        PolicyFileError: the file cannot be read.
    """
    version, _ = await stored(session, tenant_id, source_text, author=author, now=now)
    await session.execute(
        update(PolicyVersion)
        .where(
            col(PolicyVersion.tenant_id) == tenant_id,
            col(PolicyVersion.policy_hash) != version.policy_hash,
            col(PolicyVersion.state) == VersionState.PUBLISHED.value,
        )
        .values(state=VersionState.RETIRED.value),
    )
    version.state = VersionState.PUBLISHED.value
    version.published_at = now
    version.published_by = author
    await session.flush()
    return version.policy_hash


async def stored(
    session: AsyncSession, tenant_id: str, source_text: str, *, author: str, now: datetime
) -> tuple[PolicyVersion, bool]:
    """The version with this meaning, and whether it is new: then it is a draft, and whoever stores it is its author.

    Raises:
        PolicyFileError: the file cannot be read.
    """
    policy = _parsed(source_text, "the policy file")
    version = await session.get(PolicyVersion, (tenant_id, policy.content_hash), populate_existing=True)
    if version is not None:
        return version, False
    version = PolicyVersion(
        tenant_id=tenant_id,
        policy_hash=policy.content_hash,
        policy_id=policy.policy_id,
        source_text=source_text,
        author=author,
        created_at=now,
    )
    session.add(version)
    await session.flush()
    return version, True
