"""Letting a version decide: for every ticket or for a share of them; and taking it back. One transaction each.

Whatever changes which version decides is serialised per tenant and leaves one event that names who, why, what decided
before and what changes. Runs that have begun keep the version they began with. INVARIANT: what loosens replaces nothing
without what `requirements` asks for, measured against exactly the version that decides at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.log import append
from graph.lifecycle.change import Change
from graph.lifecycle.models import PolicyApproval
from graph.lifecycle.requirements import SHOWN_HASH, Lacking, lacking, standing
from graph.rulebook import Deciding, PolicyVersion, VersionState, deciding, stored

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('policy/' || :tenant_id, 0))")


@dataclass(frozen=True, slots=True)
class Act:
    """Who does it, when and why. `actor` is an account of ours or of the machine, never an address."""

    actor: str
    now: datetime
    why: str
    new_id: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Done:
    """It holds now. `before` decided until then, and `share` is the percentage of tickets, None for all of them."""

    policy_hash: str
    before: str | None
    share: int | None = None
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was changed; `why` says what is in the way and what to do."""

    why: str
    lacking: tuple[Lacking, ...] = field(default=())


Answer = Done | Refused


async def drafted(session: AsyncSession, tenant_id: str, source_text: str, act: Act) -> PolicyVersion:
    """The version with this meaning, stored as a draft where it is new; who stores it first is its author.

    Raises:
        PolicyFileError: the file cannot be read.
    """
    version, is_new = await stored(session, tenant_id, source_text, author=act.actor, now=act.now)
    if is_new:
        await _tell(session, tenant_id, "policy.drafted", act, {"policy_hash": version.policy_hash})
    return version


async def approve(
    session: AsyncSession, tenant_id: str, version: PolicyVersion, base_hash: str | None, change: Change, act: Act
) -> Answer:
    """A second person's yes to letting the version replace exactly `base_hash`. Saying it twice changes nothing."""
    await _lock(session, tenant_id)
    now_decides = await deciding(session, tenant_id)
    if now_decides.published != base_hash:
        return _moved()
    if act.actor == version.author:
        return Refused(f"{act.actor} wrote {version.policy_hash[:SHOWN_HASH]}: somebody else must approve it")
    key = (tenant_id, version.policy_hash, base_hash or "", act.actor)
    if await session.get(PolicyApproval, key) is not None:
        return Done(version.policy_hash, base_hash, changed=False)
    session.add(
        PolicyApproval(
            tenant_id=tenant_id,
            policy_hash=version.policy_hash,
            base_hash=base_hash or "",
            approver=act.actor,
            why=act.why,
            approved_at=act.now,
        ),
    )
    body = {"policy_hash": version.policy_hash, "before": base_hash, **change.body()}
    await _tell(session, tenant_id, "policy.approved", act, body)
    return Done(version.policy_hash, base_hash)


async def bring_in(
    session: AsyncSession,
    tenant_id: str,
    policy_hash: str,
    base_hash: str | None,
    change: Change,
    act: Act,
    *,
    share: int | None = None,
) -> Answer:
    """Let a stored version decide: for `share` per cent of the tickets, or for all.

    `change` must compare it with `base_hash`; where something else decides by now, nothing happens.
    """
    await _lock(session, tenant_id)
    now_decides = await deciding(session, tenant_id)
    if now_decides.published == policy_hash and now_decides.canary is None:
        return Done(policy_hash, policy_hash, changed=False)
    refusal = _in_the_way(now_decides, policy_hash, base_hash, share)
    if refusal is not None:
        return refusal
    version = await _version(session, tenant_id, policy_hash)
    has = await standing(session, tenant_id, policy_hash, base_hash)
    missing = lacking(version, change, has)
    if missing:
        short = policy_hash[:SHOWN_HASH]
        needs = "; ".join(one.words for one in missing)
        return Refused(f"{short} loosens what {(base_hash or '')[:SHOWN_HASH]} allows, so it needs {needs}", missing)
    said = {"approved_by": list(has.approvers), "gates": dict(has.gates)}
    told = {"policy_hash": policy_hash, "before": base_hash, **said, **change.body()}
    if share is None:
        await _decides_all(session, tenant_id, version, now_decides, act)
        await _tell(session, tenant_id, "policy.published", act, told)
    else:
        version.state = VersionState.CANARY.value
        version.canary_percent, version.canary_since = share, act.now
        await _tell(session, tenant_id, "policy.canary_started", act, {**told, "share_percent": share})
    return Done(policy_hash, base_hash, share)


async def promote(session: AsyncSession, tenant_id: str, act: Act) -> Answer:
    """Let the canary decide every ticket. It met its requirements when it began, against what still decides."""
    await _lock(session, tenant_id)
    now_decides = await deciding(session, tenant_id)
    if now_decides.canary is None:
        return Refused("no canary runs; `countersign policy publish FILE --canary 10` starts one")
    version = await _version(session, tenant_id, now_decides.canary)
    await _decides_all(session, tenant_id, version, now_decides, act)
    body = {"policy_hash": version.policy_hash, "before": now_decides.published, "from_canary": True}
    await _tell(session, tenant_id, "policy.published", act, body)
    return Done(version.policy_hash, now_decides.published)


async def end_canary(
    session: AsyncSession, tenant_id: str, act: Act, *, trigger: Mapping[str, object] | None = None
) -> Answer:
    """Take the canary back; the published version decides every ticket again. `trigger` says what made it so."""
    await _lock(session, tenant_id)
    now_decides = await deciding(session, tenant_id)
    if now_decides.canary is None:
        return Refused("no canary runs, so there is nothing to take back")
    version = await _version(session, tenant_id, now_decides.canary)
    version.state = VersionState.ROLLED_BACK.value
    body: dict[str, object] = {"policy_hash": now_decides.published, "taken_back": version.policy_hash, "canary": True}
    if trigger is not None:
        body["trigger"] = dict(trigger)
    await _tell(session, tenant_id, "policy.rolled_back", act, body)
    return Done(now_decides.published or "", version.policy_hash)


async def return_to(
    session: AsyncSession,
    tenant_id: str,
    policy_hash: str,
    base_hash: str,
    change: Change,
    act: Act,
    *,
    leaves: VersionState = VersionState.ROLLED_BACK,
) -> Answer:
    """Let a version that decided before decide again, in one action and by one person; the one that decides ends.

    An emergency must not wait for a second person, so nothing is asked for where it loosens; the event says so. Only a
    version that another one replaced can come back this way: one that was itself taken back must be published anew.
    """
    await _lock(session, tenant_id)
    now_decides = await deciding(session, tenant_id)
    if now_decides.published != base_hash:
        return _moved()
    version = await _version(session, tenant_id, policy_hash)
    if version.state != VersionState.RETIRED.value:
        short = policy_hash[:SHOWN_HASH]
        return Refused(f"{short} is {version.state}, not retired: publish it with `countersign policy publish {short}`")
    left = await _version(session, tenant_id, base_hash)
    left.state = leaves.value
    await _end_canary_beside(session, tenant_id, now_decides)
    await session.flush()
    version.state = VersionState.PUBLISHED.value
    version.published_at, version.published_by = act.now, act.actor
    kind = "policy.expired" if leaves is VersionState.EXPIRED else "policy.rolled_back"
    body = {"policy_hash": policy_hash, "taken_back": base_hash, **change.body()}
    await _tell(session, tenant_id, kind, act, body)
    return Done(policy_hash, base_hash)


def _in_the_way(now_decides: Deciding, policy_hash: str, base_hash: str | None, share: int | None) -> Refused | None:
    if now_decides.published != base_hash:
        return _moved()
    if now_decides.canary is not None and now_decides.canary != policy_hash:
        short = now_decides.canary[:SHOWN_HASH]
        return Refused(f"the canary {short} runs: `countersign policy promote` or `countersign policy rollback` first")
    if share is not None and base_hash is None:
        return Refused("a canary needs a published version beside it: publish it without --canary")
    return None


def _moved() -> Refused:
    return Refused("another version decides by now, so what was compared no longer holds: look at it and try again")


async def _decides_all(
    session: AsyncSession, tenant_id: str, version: PolicyVersion, now_decides: Deciding, act: Act
) -> None:
    if now_decides.published is not None and now_decides.published != version.policy_hash:
        earlier = await _version(session, tenant_id, now_decides.published)
        earlier.state = VersionState.RETIRED.value
        await session.flush()  # the index that allows one published version looks at every statement
    version.state = VersionState.PUBLISHED.value
    version.published_at, version.published_by = act.now, act.actor
    version.canary_percent = None
    await session.flush()


async def _end_canary_beside(session: AsyncSession, tenant_id: str, now_decides: Deciding) -> None:
    """A canary was compared with what decided beside it, so it ends with it."""
    if now_decides.canary is not None:
        canary = await _version(session, tenant_id, now_decides.canary)
        canary.state = VersionState.ROLLED_BACK.value


async def _version(session: AsyncSession, tenant_id: str, policy_hash: str) -> PolicyVersion:
    return await session.get_one(PolicyVersion, (tenant_id, policy_hash), populate_existing=True)


async def _lock(session: AsyncSession, tenant_id: str) -> None:
    """One change of what decides at a time, whatever rows it touches; held to the end of the transaction."""
    await session.execute(_LOCK, {"tenant_id": tenant_id})


async def _tell(session: AsyncSession, tenant_id: str, kind: str, act: Act, body: Mapping[str, object]) -> None:
    await session.flush()
    told = {**body, "why": act.why}
    await append(session, tenant_id=tenant_id, at=act.now, kind=kind, actor=act.actor, new_id=act.new_id, body=told)
