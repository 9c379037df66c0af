"""Erasing a person: their keys, and everything of theirs that was stored, whether sealed or only pointing at them.

The events of the log stay as they were hashed, so every proof and checkpoint still holds; without its salt a commitment
cannot be guessed back. Nothing is sealed for the person afterwards either. What stays are the books: which amount went
where, under which ids of the vendors, and by which rule. `graph.erasure.holdings` says of every table which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.log import NewEvent, append, append_all
from graph.erasure.emptying import OF_PEOPLE, artifacts, delete_checkpoints, messages, reviewers_words, take_out
from graph.erasure.holds import hold_on, lock
from graph.erasure.models import LegalHold
from graph.subjects import is_ticket
from graph.vault import Vault

_RUNS: Final = text(
    """
    SELECT run_id, ticket_id, state, wait_for FROM run
     WHERE tenant_id = :tenant
       AND (subject_id = :subject OR run_id IN (
             SELECT run_id FROM effect WHERE tenant_id = :tenant AND subject_id = :subject
             UNION SELECT run_id FROM approval WHERE tenant_id = :tenant AND subject_id = :subject
             UNION SELECT run_id FROM artifact WHERE tenant_id = :tenant AND subject_id = :subject))
     ORDER BY started_at, run_id
    """
)
_MOVING: Final = text(
    """
    SELECT effect_id, state FROM effect
     WHERE tenant_id = :tenant AND (subject_id = :subject OR run_id = ANY(:runs))
       AND state IN ('held', 'sending', 'unknown')
     ORDER BY effect_id
    """
)
# What was sealed before a run knew its person is sealed for its ticket.
_SUBJECTS: Final = text("SELECT DISTINCT subject_id FROM artifact WHERE tenant_id = :tenant AND run_id = ANY(:runs)")

_TAKE_OUT: Final[Mapping[str, str]] = {
    "log_values": "DELETE FROM audit_private WHERE tenant_id = :tenant AND subject_id = ANY(:subjects)",
    "artifacts": artifacts(OF_PEOPLE),
    "messages": messages(OF_PEOPLE),
    "reviewers_words": reviewers_words(OF_PEOPLE),
    "model_answers": "DELETE FROM model_answer WHERE tenant_id = :tenant AND subject_id = ANY(:subjects)",
    "preferences": "DELETE FROM preference WHERE tenant_id = :tenant AND subject_id = ANY(:subjects)",
    "candidates": """DELETE FROM candidate_scenario WHERE tenant_id = :tenant
        AND (subject_id = ANY(:subjects) OR run_id = ANY(:runs))""",
    "pictures": "DELETE FROM seen_picture WHERE tenant_id = :tenant AND subject_id = ANY(:subjects)",
}


@dataclass(frozen=True, slots=True)
class Gone:
    """How many of each are gone."""

    log_values: int = 0
    artifacts: int = 0
    messages: int = 0
    reviewers_words: int = 0
    model_answers: int = 0
    preferences: int = 0
    candidates: int = 0
    pictures: int = 0
    checkpoints: int = 0


@dataclass(frozen=True, slots=True)
class Erased:
    """The person is erased. `had_key` is false where nothing was ever sealed for them, or they were erased before."""

    had_key: bool
    keys: int
    gone: Gone
    tickets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OnHold:
    """Nothing was done, and the log says so: the person is under a legal hold."""

    hold: LegalHold


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Nothing was done, and the log says so: there is work for the person under way. Each line names one piece."""

    pieces: tuple[str, ...]


async def erase(
    session: AsyncSession,
    tenant_id: str,
    subject_id: str,
    *,
    vault: Vault,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> Erased | OnHold | Unfinished:
    """Erase one person, in the session's transaction, as an event of the log. May be repeated.

    Refused while a legal hold stands, and while a run or a change for the person is under way: money that may have
    moved is settled first. Copies that somebody exported, and backups of the database, are out of its reach.
    """
    await lock(session, tenant_id, subject_id)
    hold = await hold_on(session, tenant_id, subject_id)

    def refused(why: str, pieces: int) -> NewEvent:
        told = {"subject_id": subject_id, "why": why, "pieces": pieces}
        return NewEvent(new_id("evt"), now, "person.not_erased", actor, body=told)

    if hold is not None:
        await append_all(session, tenant_id, [refused("legal_hold", 1)])
        return OnHold(hold)
    values: dict[str, Any] = {"tenant": tenant_id, "subject": subject_id}
    runs = (await session.execute(_RUNS, values)).all()
    values["runs"] = [run.run_id for run in runs]
    moving = (await session.execute(_MOVING, values)).all()
    pieces = [f"run {run.run_id} of ticket {run.ticket_id} is {_state(run)}" for run in runs if run.state != "ended"]
    pieces += [f"change {effect.effect_id} is {effect.state}" for effect in moving]
    if pieces:
        await append_all(session, tenant_id, [refused("work_under_way", len(pieces))])
        return Unfinished(tuple(pieces))

    sealed_for = set((await session.execute(_SUBJECTS, values)).scalars())
    subjects = sorted({subject_id, *(one for one in sealed_for if is_ticket(one))})
    keys = {one: await vault.erase(session, tenant_id=tenant_id, subject_id=one, now=now) for one in subjects}
    values["subjects"] = subjects
    gone = Gone(
        checkpoints=await delete_checkpoints(session, [f"{tenant_id}:{run_id}" for run_id in values["runs"]]),
        **{what: await take_out(session, statement, values) for what, statement in _TAKE_OUT.items()},
    )
    await append(
        session,
        tenant_id=tenant_id,
        at=now,
        kind="person.erased",
        actor=actor,
        new_id=new_id,
        body={"subject_id": subject_id, "had_key": keys[subject_id], "keys": sum(keys.values()), **asdict(gone)},
    )
    return Erased(keys[subject_id], sum(keys.values()), gone, tuple(dict.fromkeys(run.ticket_id for run in runs)))


def _state(run: Any) -> str:  # noqa: ANN401 - a row of the query above
    return f"waiting for {run.wait_for}" if run.state == "waiting" else "running"
