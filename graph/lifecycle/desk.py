"""What a person, or the time, does to a policy version: compare first, then one transaction.

Comparing two policies may take seconds, so it happens outside of any transaction and in a thread; the transaction then
holds only if what was compared is what decides. Commands and pages come here, and so does the look-out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.lifecycle import publishing, timetable
from graph.lifecycle.canary import Figures, figures, stop_held
from graph.lifecycle.change import Change, change_between
from graph.lifecycle.models import PolicySchedule, ScheduleState
from graph.lifecycle.publishing import Act, Answer, Done, Refused
from graph.lifecycle.timetable import Times
from graph.rulebook import PolicyVersion, VersionState, deciding, load_policy
from policies.document import Policy

CLOCKWORK = "lookout"
"""The actor of what happens by itself."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A version, what decides now, and what would change if the one replaced the other."""

    version: PolicyVersion
    base_hash: str | None
    change: Change


@dataclass(frozen=True, slots=True)
class Wish:
    """How a version is to decide.

    `share` is a percentage of the tickets; None takes the share that the file states, for what loosens, and `is_full`
    none at all. `starts_at` None is now, `ends_at` None is for good.
    """

    share: int | None = None
    is_full: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """One tenant's versions. `sessions` opens a transaction that commits at the end of its block."""

    sessions: Callable[[], AbstractAsyncContextManager[AsyncSession]]
    tenant_id: str

    async def draft(self, source_text: str, act: Act) -> PolicyVersion:
        """Store a file as a version that decides nothing yet; storing it again changes nothing.

        Raises:
            PolicyFileError: the file cannot be read.
        """
        async with self.sessions() as session:
            return await publishing.drafted(session, self.tenant_id, source_text, act)

    async def versions(self) -> list[PolicyVersion]:
        """Every version, the one that came to decide last first, drafts last."""
        query = select(PolicyVersion).where(col(PolicyVersion.tenant_id) == self.tenant_id)
        newest = query.order_by(
            col(PolicyVersion.published_at).desc().nulls_last(), col(PolicyVersion.created_at).desc()
        )
        async with self.sessions() as session:
            return list((await session.execute(newest)).scalars())

    async def compared(self, version: PolicyVersion) -> Compared:
        """What would change if the version decided instead of the one that decides now."""
        base_hash, base, candidate = await self._pair(version.policy_hash)
        return Compared(version, base_hash, await asyncio.to_thread(change_between, base, candidate))

    async def approve(self, compared: Compared, act: Act) -> Answer:
        """A second person's yes to exactly this change."""
        async with self.sessions() as session:
            return await publishing.approve(
                session, self.tenant_id, compared.version, compared.base_hash, compared.change, act
            )

    async def publish(self, compared: Compared, wish: Wish, act: Act) -> Answer | PolicySchedule:
        """Let the version decide as wished, now or at its time."""
        if wish.starts_at is not None and wish.starts_at > act.now:
            times = Times(wish.starts_at, wish.ends_at)
            async with self.sessions() as session:
                version = await session.get_one(PolicyVersion, (self.tenant_id, compared.version.policy_hash))
                return await timetable.schedule(
                    session, self.tenant_id, version, compared.base_hash, compared.change, times, act
                )
        share = await self._share(compared, wish)
        async with self.sessions() as session:
            answer = await publishing.bring_in(
                session,
                self.tenant_id,
                compared.version.policy_hash,
                compared.base_hash,
                compared.change,
                act,
                share=share,
            )
            if isinstance(answer, Done) and answer.changed and wish.ends_at is not None and answer.before is not None:
                times = Times(act.now, wish.ends_at)
                await timetable.mark_end(session, self.tenant_id, answer.policy_hash, answer.before, times, act)
            return answer

    async def canary(self) -> Figures | None:
        """How both arms of the canary stand; None where none runs."""
        async with self.sessions() as session:
            return await figures(session, self.tenant_id)

    async def promote(self, act: Act) -> Answer:
        """Let the canary decide every ticket."""
        async with self.sessions() as session:
            return await publishing.promote(session, self.tenant_id, act)

    async def roll_back(self, policy_hash: str | None, act: Act) -> Answer:
        """Take back in one action: the canary where one runs and no version is named, else what decides now."""
        async with self.sessions() as session:
            now_decides = await deciding(session, self.tenant_id)
            if now_decides.canary is not None and policy_hash is None:
                ended = await publishing.end_canary(session, self.tenant_id, act)
        if now_decides.canary is not None and policy_hash is None:
            await stop_held(self.sessions, self.tenant_id, now_decides.canary, now=act.now, new_id=act.new_id)
            return ended
        target = policy_hash or await self._earlier()
        if target is None or now_decides.published is None:
            return Refused("no earlier version to go back to; `countersign policy versions` lists what there is")
        if target == now_decides.published:
            return Done(target, target, changed=False)
        change = await self._change(now_decides.published, target)
        async with self.sessions() as session:
            answer = await publishing.return_to(session, self.tenant_id, target, now_decides.published, change, act)
        if isinstance(answer, Done):
            taken_back = now_decides.published
            await stop_held(self.sessions, self.tenant_id, taken_back, now=act.now, new_id=act.new_id)
        return answer

    async def entries(self) -> list[PolicySchedule]:
        """What was ever put on the calendar, the earliest first."""
        query = select(PolicySchedule).where(col(PolicySchedule.tenant_id) == self.tenant_id)
        async with self.sessions() as session:
            ordered = query.order_by(col(PolicySchedule.starts_at), col(PolicySchedule.schedule_id))
            return list((await session.execute(ordered)).scalars())

    async def unschedule(self, schedule_id: str, act: Act) -> PolicySchedule | Refused:
        """Take a change off the calendar."""
        async with self.sessions() as session:
            return await timetable.cancel(session, self.tenant_id, schedule_id, act)

    async def keep_time(self, act: Act) -> list[PolicySchedule]:
        """Do what is due by the calendar; the entries that changed. Safe for several processes at once."""
        async with self.sessions() as session:
            waiting = await timetable.due(session, self.tenant_id, act.now)
        done: list[PolicySchedule | None] = []
        for entry in waiting:
            if entry.state == ScheduleState.PENDING.value:
                done.append(await self._begin(entry, act))
            elif entry.reverts_to is not None:
                done.append(await self._end(entry, entry.reverts_to, act))
        return [entry for entry in done if entry is not None]

    async def _begin(self, entry: PolicySchedule, act: Act) -> PolicySchedule | None:
        base_hash, base, candidate = await self._pair(entry.policy_hash)
        change = await asyncio.to_thread(change_between, base, candidate)
        async with self.sessions() as session:
            return await timetable.begin(session, self.tenant_id, entry.schedule_id, base_hash, change, act)

    async def _end(self, entry: PolicySchedule, reverts_to: str, act: Act) -> PolicySchedule | None:
        change = await self._change(entry.policy_hash, reverts_to)
        async with self.sessions() as session:
            return await timetable.end(session, self.tenant_id, entry.schedule_id, change, act)

    async def _pair(self, policy_hash: str) -> tuple[str | None, Policy | None, Policy]:
        async with self.sessions() as session:
            base_hash = (await deciding(session, self.tenant_id)).published
            base = await load_policy(session, self.tenant_id, base_hash) if base_hash is not None else None
            return base_hash, base, await load_policy(session, self.tenant_id, policy_hash)

    async def _change(self, from_hash: str, to_hash: str) -> Change:
        async with self.sessions() as session:
            base = await load_policy(session, self.tenant_id, from_hash)
            candidate = await load_policy(session, self.tenant_id, to_hash)
        return await asyncio.to_thread(change_between, base, candidate)

    async def _share(self, compared: Compared, wish: Wish) -> int | None:
        """What loosens begins with the share that its file states, unless the wish says otherwise."""
        if wish.is_full or wish.ends_at is not None or compared.base_hash is None:
            return None
        if wish.share is not None or not compared.change.loosens:
            return wish.share
        async with self.sessions() as session:
            policy = await load_policy(session, self.tenant_id, compared.version.policy_hash)
        return policy.canary_percent or None

    async def _earlier(self) -> str | None:
        retired = [one for one in await self.versions() if one.state == VersionState.RETIRED.value]
        return retired[0].policy_hash if retired else None
