"""Changes with a time: a version takes effect at one, reverts at one, or both, by itself. Business time is an argument.

What a change needs is asked for when it is put on the calendar and again when its time has come, because something else
may decide by then. A change that lacks something, or whose way is blocked, comes to nothing and says so in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import append
from graph.lifecycle.change import Change
from graph.lifecycle.models import PolicySchedule, ScheduleState
from graph.lifecycle.publishing import Act, Done, Refused, bring_in, return_to
from graph.lifecycle.requirements import SHOWN_HASH, lacking, standing
from graph.rulebook import PolicyVersion, VersionState, deciding

_OPEN = (ScheduleState.PENDING.value, ScheduleState.ACTIVE.value)
_BEFORE_ITS_TIME = frozenset({VersionState.DRAFT.value, VersionState.CHECKED.value, VersionState.RETIRED.value})


@dataclass(frozen=True, slots=True)
class Times:
    """From when, and until when; None is for good."""

    starts_at: datetime
    ends_at: datetime | None = None


async def schedule(
    session: AsyncSession,
    tenant_id: str,
    version: PolicyVersion,
    base_hash: str | None,
    change: Change,
    times: Times,
    act: Act,
) -> PolicySchedule | Refused:
    """Put a change on the calendar, in the session's transaction."""
    short = version.policy_hash[:SHOWN_HASH]
    has = await standing(session, tenant_id, version.policy_hash, base_hash)
    missing = lacking(version, change, has)
    if missing:
        needs = "; ".join(one.words for one in missing)
        return Refused(f"{short} loosens what {(base_hash or '')[:SHOWN_HASH]} allows, so it needs {needs}", missing)
    if version.state in _BEFORE_ITS_TIME:
        version.state = VersionState.SCHEDULED.value
    entry = _entry(version.policy_hash, tenant_id, times, act)
    session.add(entry)
    await _tell(session, entry, "policy.scheduled", act, change)
    return entry


async def mark_end(
    session: AsyncSession, tenant_id: str, policy_hash: str, base_hash: str, times: Times, act: Act
) -> PolicySchedule:
    """Note that what was just published reverts to `base_hash` by itself."""
    entry = _entry(policy_hash, tenant_id, times, act)
    entry.state, entry.reverts_to = ScheduleState.ACTIVE.value, base_hash
    session.add(entry)
    await _tell(session, entry, "policy.scheduled", act)
    return entry


async def cancel(session: AsyncSession, tenant_id: str, schedule_id: str, act: Act) -> PolicySchedule | Refused:
    """Take a change off the calendar. What decides at this moment goes on deciding."""
    entry = await _locked(session, tenant_id, schedule_id)
    if entry is None or entry.state not in _OPEN:
        state = "is not on the calendar" if entry is None else f"is {entry.state}"
        return Refused(f"change {schedule_id!r} {state}; `countersign policy schedule list` lists what is open")
    was_pending = entry.state == ScheduleState.PENDING.value
    entry.state = ScheduleState.CANCELLED.value
    if was_pending:
        await _back_to_draft(session, entry)
    await _tell(session, entry, "policy.unscheduled", act)
    return entry


async def due(session: AsyncSession, tenant_id: str, now: datetime) -> list[PolicySchedule]:
    """The changes whose time has come, the earliest first: ends before beginnings, so that one can follow another."""
    found = await session.execute(
        select(PolicySchedule)
        .where(col(PolicySchedule.tenant_id) == tenant_id, col(PolicySchedule.state).in_(_OPEN))
        .order_by(col(PolicySchedule.starts_at), col(PolicySchedule.schedule_id)),
    )
    entries = list(found.scalars())
    ends = [one for one in entries if one.state == ScheduleState.ACTIVE.value and one.ends_at and one.ends_at <= now]
    begins = [one for one in entries if one.state == ScheduleState.PENDING.value and one.starts_at <= now]
    return [*sorted(ends, key=lambda one: (one.ends_at or now, one.schedule_id)), *begins]


async def begin(
    session: AsyncSession, tenant_id: str, schedule_id: str, base_hash: str | None, change: Change, act: Act
) -> PolicySchedule | None:
    """Let a change whose time has come take effect; None where another process was faster."""
    entry = await _locked(session, tenant_id, schedule_id)
    if entry is None or entry.state != ScheduleState.PENDING.value:
        return None
    if entry.ends_at is not None and entry.ends_at <= act.now:
        return await _refuse(session, entry, "its time was over before anybody looked", act)
    reverts = entry.ends_at is not None and base_hash not in {None, entry.policy_hash}
    entry.state = (ScheduleState.ACTIVE if reverts else ScheduleState.OVER).value
    entry.reverts_to = base_hash
    answer = await bring_in(session, tenant_id, entry.policy_hash, base_hash, change, act)
    if isinstance(answer, Refused):
        return await _refuse(session, entry, answer.why, act)
    return entry


async def end(
    session: AsyncSession, tenant_id: str, schedule_id: str, change: Change, act: Act
) -> PolicySchedule | None:
    """Revert a change whose time is over, unless something else decides by now; None where another was faster."""
    entry = await _locked(session, tenant_id, schedule_id)
    if entry is None or entry.state != ScheduleState.ACTIVE.value or entry.reverts_to is None:
        return None
    entry.state = ScheduleState.OVER.value
    if (await deciding(session, tenant_id)).published != entry.policy_hash:
        entry.note = "another version decided when its time was over, so nothing was reverted"
        await _tell(session, entry, "policy.schedule_over", act)
        return entry
    answer = await return_to(
        session, tenant_id, entry.reverts_to, entry.policy_hash, change, act, leaves=VersionState.EXPIRED
    )
    if not isinstance(answer, Done):
        return await _refuse(session, entry, answer.why, act)
    return entry


async def _refuse(session: AsyncSession, entry: PolicySchedule, note: str, act: Act) -> PolicySchedule:
    entry.state, entry.note = ScheduleState.REFUSED.value, note
    await _back_to_draft(session, entry)
    await _tell(session, entry, "policy.schedule_refused", act)
    return entry


async def _back_to_draft(session: AsyncSession, entry: PolicySchedule) -> None:
    version = await session.get_one(PolicyVersion, (entry.tenant_id, entry.policy_hash))
    if version.state == VersionState.SCHEDULED.value:
        version.state = VersionState.DRAFT.value


def _entry(policy_hash: str, tenant_id: str, times: Times, act: Act) -> PolicySchedule:
    return PolicySchedule(
        tenant_id=tenant_id,
        schedule_id=act.new_id("sch"),
        policy_hash=policy_hash,
        starts_at=times.starts_at,
        ends_at=times.ends_at,
        made_by=act.actor,
        made_at=act.now,
        why=act.why,
    )


async def _locked(session: AsyncSession, tenant_id: str, schedule_id: str) -> PolicySchedule | None:
    query = (
        select(PolicySchedule)
        .where(col(PolicySchedule.tenant_id) == tenant_id, col(PolicySchedule.schedule_id) == schedule_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def _tell(
    session: AsyncSession, entry: PolicySchedule, kind: str, act: Act, change: Change | None = None
) -> None:
    await session.flush()
    body = {
        "schedule_id": entry.schedule_id,
        "policy_hash": entry.policy_hash,
        "starts_at": entry.starts_at.isoformat(),
        "ends_at": entry.ends_at.isoformat() if entry.ends_at is not None else None,
        "reverts_to": entry.reverts_to,
        "note": entry.note,
        "why": act.why,
        **(change.body() if change is not None else {}),
    }
    told = {name: value for name, value in body.items() if value is not None}
    await append(
        session, tenant_id=entry.tenant_id, at=act.now, kind=kind, actor=act.actor, new_id=act.new_id, body=told
    )
