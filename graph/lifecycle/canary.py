"""Looking at a canary beside the version that decides the rest: worse figures take it back without a person.

Compared are ended runs of both arms: errors (a tool's, or an outcome that nobody knows), violations (a draft that said
what it may not, a limit that was hit), overrides (a person rejected, edited or took over) and model failures (a model
outside gave nothing that could be used: it was away, refused, was cut off, or answered in another form). A version that
names another model or prompt is a canary like any other, and the last measure is what tells it apart. The statistic is
Fisher's exact test, one-sided: how likely the canary's count is if both arms were alike. It is looked at after every
run, so its bound is one in a thousand, and small numbers never decide.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import comb
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.lifecycle.publishing import Act, Done, end_canary
from graph.rulebook import PolicyVersion, deciding
from graph.settlement.models import EffectState
from graph.settlement.stop import stop

MIN_RUNS: Final = 20
"""Ended runs of the canary below which nothing is compared."""
MIN_BAD: Final = 3
"""So many of them must be bad, whatever the share."""
ONE_IN: Final = 1_000
"""The canary is taken back where its count would be rarer than one in so many if both arms were alike."""
STABLE_SINCE: Final = timedelta(days=7)
"""How far back before the canary began the other arm is looked at."""
MOST_RUNS: Final = 2_000
"""The newest runs of an arm that are looked at."""
ACTOR: Final = "canary"
STOPPED: Final = "canary_rolled_back"
"""Code of a held effect that the canary's end stopped."""

_MEASURES: Final = ("errors", "violations", "overrides", "model_failures")
_FIGURES: Final = text(
    """
    SELECT count(*) AS runs,
           count(*) FILTER (WHERE reason IN ('tool_error', 'unknown_outcome')) AS errors,
           count(*) FILTER (WHERE reason IN ('verification_failed', 'budget_exhausted')) AS violations,
           count(*) FILTER (WHERE (reason = 'human_took_over' AND outcome <> 'ignored') OR overridden) AS overrides,
           count(*) FILTER (WHERE unanswered) AS model_failures
      FROM (
        SELECT run.reason, run.outcome, EXISTS (
            SELECT 1 FROM approval
             WHERE approval.tenant_id = run.tenant_id AND approval.run_id = run.run_id
               AND (approval.state = 'rejected' OR approval.sealed_reply IS NOT NULL)) AS overridden, EXISTS (
            SELECT 1 FROM audit_event
             WHERE audit_event.tenant_id = run.tenant_id AND audit_event.run_id = run.run_id
               AND kind = 'model.called' AND body ->> 'outcome' <> 'done') AS unanswered
          FROM run
         WHERE run.tenant_id = :tenant_id AND run.policy_hash = :policy_hash AND run.state = 'ended'
           AND run.arm <> 'held_out' AND run.started_at >= :since
         ORDER BY run.started_at DESC LIMIT :most) AS newest
    """,
)
_HELD: Final = text(
    """
    SELECT effect_id FROM effect
     WHERE tenant_id = :tenant_id AND policy_hash = :policy_hash AND state = 'held' AND approval_id IS NULL
       AND kind <> 'zendesk_update' ORDER BY effect_id
    """,
)

Sessions = Callable[[], AbstractAsyncContextManager[AsyncSession]]


@dataclass(frozen=True, slots=True)
class Arm:
    """Ended runs of one version, and how many of them were bad in which way."""

    runs: int
    errors: int
    violations: int
    overrides: int
    model_failures: int

    def form(self) -> dict[str, object]:
        """The figures as the log keeps them."""
        return {"runs": self.runs, **{name: getattr(self, name) for name in _MEASURES}}


@dataclass(frozen=True, slots=True)
class Figures:
    """Both arms of a running canary."""

    policy_hash: str
    share: int
    canary: Arm
    stable: Arm

    def worse(self) -> str | None:
        """The first measure by which the canary is worse beyond chance, or None."""
        return next((name for name in _MEASURES if self._is_worse(name)), None)

    def one_in(self, name: str) -> int:
        """The canary's count of bad runs is as rare as one in so many, if both arms were alike; rounded down."""
        bad, others = getattr(self.canary, name), getattr(self.stable, name)
        runs, beside = self.canary.runs, self.stable.runs
        total, all_bad = runs + beside, bad + others
        as_bad = sum(comb(all_bad, k) * comb(total - all_bad, runs - k) for k in range(bad, min(all_bad, runs) + 1))
        return comb(total, runs) // as_bad

    def _is_worse(self, name: str) -> bool:
        bad = getattr(self.canary, name)
        if self.canary.runs < MIN_RUNS or bad < MIN_BAD:
            return False
        if self.stable.runs < MIN_RUNS:
            return bool(2 * bad >= self.canary.runs)  # too few to compare with: half of them is too many anyway
        return self.one_in(name) >= ONE_IN


async def figures(session: AsyncSession, tenant_id: str) -> Figures | None:
    """How both arms stand; None where no canary runs."""
    decides = await deciding(session, tenant_id)
    if decides.canary is None or decides.published is None:
        return None
    version = await session.get_one(PolicyVersion, (tenant_id, decides.canary))
    assert version.canary_since is not None
    canary = await _arm(session, tenant_id, decides.canary, version.canary_since)
    stable = await _arm(session, tenant_id, decides.published, version.canary_since - STABLE_SINCE)
    return Figures(decides.canary, decides.canary_percent, canary, stable)


async def _arm(session: AsyncSession, tenant_id: str, policy_hash: str, since: datetime) -> Arm:
    values = {"tenant_id": tenant_id, "policy_hash": policy_hash, "since": since, "most": MOST_RUNS}
    row = (await session.execute(_FIGURES, values)).one()
    return Arm(int(row.runs), *(int(getattr(row, name)) for name in _MEASURES))


async def watch_canary(
    sessions: Sessions, tenant_id: str, *, now: datetime, new_id: Callable[[str], str]
) -> str | None:
    """Take the canary back where it is worse; by which measure. What it holds without a person's yes is stopped."""
    async with sessions() as session:
        seen = await figures(session, tenant_id)
    measure = seen.worse() if seen is not None else None
    if seen is None or measure is None:
        return None
    trigger = {
        "measure": measure,
        "canary": seen.canary.form(),
        "stable": seen.stable.form(),
        "one_in": min(seen.one_in(measure), 10**9),
    }
    act = Act(ACTOR, now, f"more {measure} than the other arm", new_id)
    async with sessions() as session:
        if (await deciding(session, tenant_id)).canary != seen.policy_hash:
            return None  # somebody ended or replaced it meanwhile
        answer = await end_canary(session, tenant_id, act, trigger=trigger)
    if not isinstance(answer, Done):
        return None
    await stop_held(sessions, tenant_id, seen.policy_hash, now=now, new_id=new_id)
    return measure


async def stop_held(
    sessions: Sessions, tenant_id: str, policy_hash: str, *, now: datetime, new_id: Callable[[str], str]
) -> list[str]:
    """Stop what a version that was taken back holds and nobody approved, one transaction each; their ids."""
    async with sessions() as session:
        held = list((await session.execute(_HELD, {"tenant_id": tenant_id, "policy_hash": policy_hash})).scalars())
    stopped = []
    for effect_id in held:
        async with sessions() as session:
            state = await stop(
                session,
                tenant_id,
                effect_id,
                reason=STOPPED,
                detail="the policy version that decided it was taken back",
                actor=ACTOR,
                now=now,
                new_id=new_id,
            )
        stopped += [effect_id] if state is EffectState.STOPPED else []
    return stopped
