"""Retention: what runs stored is emptied when the policy's days are over, and their checkpoints when they have ended.

`logging.retention_days` of the policy that decides counts from a run's end. Afterwards the run, its decisions, effects
and events are still there, because the books and the log need them; what was sealed for it is not. Refused is nothing:
a customer under a legal hold keeps everything but checkpoints, and a run that has not ended is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.log import append
from graph.erasure.emptying import OF_RUNS, artifacts, delete_checkpoints, messages, reviewers_words, take_out
from graph.rulebook import deciding, load_policy

CHECKPOINTS_FOR: Final = timedelta(hours=1)
"""How long checkpoints of an ended run stay: nothing resumes from them, and somebody may still look at a failure."""

BATCH: Final = 200
"""Runs of one transaction."""

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
ACTOR: Final = "retention"

_ENDED: Final = text(
    """
    SELECT DISTINCT thread_id FROM checkpoints
      JOIN run ON run.tenant_id = :tenant AND thread_id = :tenant || ':' || run.run_id
     WHERE run.state = 'ended' AND run.ended_at <= :before
     LIMIT :limit
    """
)
_OVER: Final = text(
    """
    SELECT run_id, started_at FROM run
     WHERE tenant_id = :tenant AND started_at >= :since AND started_at <= :before
       AND state = 'ended' AND ended_at <= :before
       AND NOT EXISTS (
         SELECT 1 FROM legal_hold WHERE legal_hold.tenant_id = :tenant AND legal_hold.subject_id = run.subject_id)
       AND NOT EXISTS (
         SELECT 1 FROM effect WHERE effect.tenant_id = :tenant AND effect.run_id = run.run_id
            AND effect.state IN ('held', 'sending', 'unknown', 'human'))
       AND (EXISTS (
             SELECT 1 FROM artifact
              WHERE artifact.tenant_id = :tenant AND artifact.run_id = run.run_id AND sealed <> '')
         OR EXISTS (
             SELECT 1 FROM effect
              WHERE effect.tenant_id = :tenant AND effect.run_id = run.run_id AND sealed_body <> ''))
     ORDER BY started_at
     LIMIT :limit
    """
)
_LOG_VALUES: Final = """DELETE FROM audit_private USING audit_event
     WHERE audit_private.tenant_id = :tenant AND audit_event.tenant_id = :tenant
       AND audit_private.seq = audit_event.seq AND audit_event.run_id = ANY(:runs)"""


@dataclass(frozen=True, slots=True)
class Emptied:
    """What one step of retention took out. `reached` is where the next one goes on; None where nothing was left."""

    reached: datetime | None = None
    runs: int = 0
    artifacts: int = 0
    messages: int = 0
    reviewers_words: int = 0
    log_values: int = 0


async def drop_checkpoints(session: AsyncSession, tenant_id: str, *, now: datetime) -> int:
    """Delete the checkpoints of some runs that ended a while ago, in the session's transaction; of how many runs."""
    values: dict[str, Any] = {"tenant": tenant_id, "before": now - CHECKPOINTS_FOR, "limit": BATCH}
    threads = list((await session.execute(_ENDED, values)).scalars())
    if threads:
        await delete_checkpoints(session, threads)
    return len(threads)


async def empty(
    session: AsyncSession,
    tenant_id: str,
    *,
    since: datetime = BEGINNING,
    now: datetime,
    new_id: Callable[[str], str],
) -> Emptied:
    """Empty some runs whose days are over, in the session's transaction, as one event.

    Repeat with `since=reached` until that is None, so that no run is looked at twice.
    """
    policy_hash = (await deciding(session, tenant_id)).published
    if policy_hash is None:
        return Emptied()
    days = (await load_policy(session, tenant_id, policy_hash)).logging.retention_days
    before = now - timedelta(days=days)
    values: dict[str, Any] = {"tenant": tenant_id, "since": since, "before": before, "limit": BATCH}
    over = (await session.execute(_OVER, values)).all()
    if not over:
        return Emptied()
    values["runs"] = [run.run_id for run in over]
    done = Emptied(
        reached=over[-1].started_at,
        runs=len(over),
        artifacts=await take_out(session, artifacts(OF_RUNS), values),
        messages=await take_out(session, messages(OF_RUNS), values),
        reviewers_words=await take_out(session, reviewers_words(OF_RUNS), values),
        log_values=await take_out(session, _LOG_VALUES, values),
    )
    body = {"days": days} | {name: count for name, count in asdict(done).items() if name != "reached"}
    await append(session, tenant_id=tenant_id, at=now, kind="runs.emptied", actor=ACTOR, new_id=new_id, body=body)
    return done
