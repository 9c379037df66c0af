"""Many recorded runs decided again, one after the other, in transactions that only read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.models.errand import AT_HOME, Errand
from graph.models.gateway import LOOK_EVERY_S, Gateway, Message
from graph.models.triage import Triage
from graph.replay.recorded import Cycle, RecordedRun, recorded_run
from graph.replay.redeciding import Flip, differences, flips, redecided
from graph.rulebook import load_policy
from graph.runs.artifacts import ArtifactMissing
from graph.runs.models import Run
from graph.tenancy import Sessions
from graph.vault import SubjectErased, Vault
from policies.document import Policy


@dataclass(frozen=True, slots=True)
class Identical:
    """The run came out byte for byte as it is recorded, in so many decided cycles; none where nothing was decided."""

    run_id: str
    cycles: int


@dataclass(frozen=True, slots=True)
class Different:
    """It did not."""

    run_id: str
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotReplayed:
    """It cannot be decided again, and why."""

    run_id: str
    why: str


Replayed = Identical | Different | NotReplayed


@dataclass(frozen=True, slots=True)
class Forked:
    """What a fork of a run decides differently."""

    run_id: str
    ticket_id: str
    flips: tuple[Flip, ...]


async def newest_runs(session: AsyncSession, tenant_id: str, *, since: datetime | None, limit: int) -> Sequence[Run]:
    """Runs of a tenant, the newest first."""
    query = select(Run).where(col(Run.tenant_id) == tenant_id).order_by(col(Run.started_at).desc()).limit(limit)
    if since is not None:
        query = query.where(col(Run.started_at) >= since)
    return (await session.execute(query)).scalars().all()


async def replays(sessions: Sessions, vault: Vault, runs: Sequence[Run]) -> AsyncIterator[Replayed]:
    """Each run decided again exactly as it was."""
    for run in runs:
        async with sessions(run.tenant_id) as session:
            found = await _recorded(session, vault, run)
            if isinstance(found, NotReplayed):
                yield found
                continue
            if not found.cycles:
                yield Identical(run.run_id, 0)
                continue
            policy = await load_policy(session, run.tenant_id, run.policy_hash or "")
        different = [one for cycle in found.cycles for one in differences(cycle, redecided(cycle, policy))]
        yield Different(run.run_id, tuple(different)) if different else Identical(run.run_id, len(found.cycles))


async def forks(
    sessions: Sessions,
    vault: Vault,
    runs: Sequence[Run],
    *,
    policy: Policy | None,
    gateway: Gateway | None,
    errand: Errand = AT_HOME,
    known: Mapping[str, Triage] | None = None,
) -> AsyncIterator[Forked | NotReplayed]:
    """Each run decided with something else.

    Args:
        sessions: open a transaction as a tenant.
        vault: opens what is sealed.
        runs: to be forked.
        policy: None keeps each run's own version.
        gateway: understands the recorded, redacted text anew; None keeps what was understood.
        errand: whether that text may leave this process, and for how many calls.
        known: what `understood_in_batch` found out; those texts are not asked about again.
    """
    for run in runs:
        async with sessions(run.tenant_id) as session:
            found = await _recorded(session, vault, run)
            if isinstance(found, NotReplayed):
                yield found
                continue
            own = policy
            if own is None and found.cycles:
                own = await load_policy(session, run.tenant_id, run.policy_hash or "")
        different: list[Flip] = []
        for cycle in found.cycles:
            assert own is not None
            triage = (known or {}).get(_name(run, cycle))
            if triage is None and gateway is not None:
                triage = (await gateway.triage(*_message(cycle), errand=errand)).triage
            decided = await asyncio.to_thread(redecided, cycle, own, triage)
            different += flips(run.run_id, run.ticket_id, cycle, decided)
        yield Forked(run.run_id, run.ticket_id, tuple(different))


async def understood_in_batch(
    sessions: Sessions, vault: Vault, runs: Sequence[Run], gateway: Gateway, *, look_every_s: float = LOOK_EVERY_S
) -> dict[str, Triage]:
    """The recorded, redacted texts of runs understood anew in one batch, for `forks`; texts leave this process.

    Raises:
        ConnectorError: the batch was not taken, or its answers cannot be fetched.
        UnknownPrompt: the role's prompt cannot be read.
        ValueError: no model outside is configured for understanding.
    """
    messages: dict[str, Message] = {}
    for run in runs:
        async with sessions(run.tenant_id) as session:
            found = await _recorded(session, vault, run)
        if not isinstance(found, NotReplayed):
            messages |= {_name(run, cycle): _message(cycle) for cycle in found.cycles}
    return await gateway.triage_in_batch(messages, look_every_s=look_every_s)


async def _recorded(session: AsyncSession, vault: Vault, run: Run) -> RecordedRun | NotReplayed:
    try:
        return await recorded_run(session, vault, run)
    except SubjectErased:
        return NotReplayed(run.run_id, "its person was erased, or the time to keep it was over")
    except ArtifactMissing as error:
        return NotReplayed(run.run_id, str(error))


def _name(run: Run, cycle: Cycle) -> str:
    return f"{run.run_id}-{cycle.number}"


def _message(cycle: Cycle) -> Message:
    snapshot = cycle.snapshot
    is_later = bool(snapshot.history) and cycle.number > 1
    return "" if is_later else snapshot.subject, snapshot.newest, tuple(snapshot.history)
