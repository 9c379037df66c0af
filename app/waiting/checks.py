"""Questions that change nothing: automatic runs judged afterwards, and rejected questions asked once more.

Which runs are drawn follows from a digest of the run's id, so that nobody chooses, every process draws the same, and
the share can be recomputed. A blind judgement is evidence about the policy: without it a cell that acts alone would
never again be compared with a person. A planted check is evidence about the reviewing: its right answer is no.
INVARIANT: answering a check writes a row and an event and nothing else (tests/app/waiting/test_checks.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.identity.accounts import Act
from app.waiting.rules import QueueRules
from graph.audit.log import append
from graph.decisions.models import CheckKind, ReviewCheck
from graph.settlement.questions import Answer

LOOK_BACK: Final = timedelta(days=2)
"""How far back runs are drawn from: what is older is no evidence about today's policy."""

_AUTOMATIC: Final = text(
    """
    SELECT run_id, ticket_id FROM run
     WHERE tenant_id = :tenant AND state = 'ended' AND outcome = 'resolved' AND ended_at > :since AND NOT is_shadow
       AND jsonb_array_length(actions) > 0
       AND NOT EXISTS (SELECT 1 FROM approval WHERE approval.tenant_id = run.tenant_id AND approval.run_id = run.run_id)
       AND NOT EXISTS (SELECT 1 FROM review_check WHERE review_check.tenant_id = run.tenant_id
                          AND review_check.run_id = run.run_id AND kind = 'blind')
     ORDER BY ended_at, run_id
    """
)
_REJECTED: Final = text(
    """
    SELECT run.run_id, run.ticket_id FROM approval JOIN run USING (tenant_id, run_id)
     WHERE approval.tenant_id = :tenant AND approval.state = 'rejected' AND approval.decided_at > :since
       AND run.state = 'ended' AND jsonb_array_length(run.actions) > 0
       AND NOT EXISTS (SELECT 1 FROM review_check WHERE review_check.tenant_id = run.tenant_id
                          AND review_check.run_id = run.run_id AND kind = 'planted')
     ORDER BY approval.decided_at, run.run_id
    """
)
_AGREEMENT: Final = text(
    """
    SELECT action ->> 'intent' AS intent, action ->> 'kind' AS action, action ->> 'tier' AS tier,
           count(*) AS judged, count(*) FILTER (WHERE review_check.answer = 'approve') AS agreed
      FROM review_check JOIN run USING (tenant_id, run_id), jsonb_array_elements(run.actions) AS action
     WHERE review_check.tenant_id = :tenant AND review_check.kind = 'blind' AND review_check.answer IS NOT NULL
       AND review_check.answered_at >= :since
     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
)
_ATTENTION: Final = text(
    """
    SELECT answered_by, count(*) AS asked, count(*) FILTER (WHERE answer = 'reject') AS caught
      FROM review_check
     WHERE tenant_id = :tenant AND kind = 'planted' AND answer IS NOT NULL AND answered_at >= :since
     GROUP BY 1 ORDER BY 1
    """
)


@dataclass(frozen=True, slots=True)
class Judged:
    """How often people would have done what was done without them, for one cell of the matrix."""

    intent: str | None
    action: str | None
    tier: str | None
    judged: int
    agreed: int


@dataclass(frozen=True, slots=True)
class Attention:
    """How often somebody noticed a planted check."""

    actor: str
    asked: int
    caught: int


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer is kept. `told` says what it was about, now that it can be said."""

    kind: CheckKind
    told: str


def is_drawn(kind: CheckKind, run_id: str, percent: int) -> bool:
    """Whether a run is in the share, by the digest of its id.

    >>> sum(is_drawn(CheckKind.BLIND, f"run_{n}", 10) for n in range(10_000))
    995
    """
    digest = hashlib.sha256(f"{kind.value}|{run_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < percent


async def draw(session: AsyncSession, tenant_id: str, rules: QueueRules, act: Act) -> list[str]:
    """Make the checks that are due, in the session's transaction; their ids. Drawing again makes none twice."""
    made = [
        *await _make(session, tenant_id, CheckKind.BLIND, rules.blind_percent, rules, act),
        *await _make(session, tenant_id, CheckKind.PLANTED, rules.planted_percent, rules, act),
    ]
    await session.flush()
    return made


async def answer(
    session: AsyncSession, check: ReviewCheck, said: Answer, reason_code: str | None, act: Act
) -> Checked | None:
    """Keep what a person would have done, with its event; None where somebody has said so already."""
    await session.refresh(check, with_for_update=True)
    if check.answer is not None or act.now >= check.expires_at:
        return None
    kind = CheckKind(check.kind)
    check.answer, check.reason_code, check.answered_at, check.answered_by = said.value, reason_code, act.now, act.actor
    await session.flush()
    body = {"check_id": check.check_id, "kind": kind.value, "answer": said.value, "reason_code": reason_code}
    await append(
        session,
        tenant_id=check.tenant_id,
        at=act.now,
        kind="review.checked",
        actor=act.actor,
        new_id=act.new_id,
        run_id=check.run_id,
        ticket_id=check.ticket_id,
        body={name: value for name, value in body.items() if value is not None},
    )
    return Checked(kind, _told(kind, said))


async def agreement(session: AsyncSession, tenant_id: str, *, since: datetime) -> list[Judged]:
    """Agreement of blind judgements with what was done, for each cell of intent, action and tier."""
    rows = await session.execute(_AGREEMENT, {"tenant": tenant_id, "since": since})
    return [Judged(row.intent, row.action, row.tier, row.judged, row.agreed) for row in rows]


async def attention(session: AsyncSession, tenant_id: str, *, since: datetime) -> list[Attention]:
    """Planted checks, by who answered them."""
    rows = await session.execute(_ATTENTION, {"tenant": tenant_id, "since": since})
    return [Attention(row.answered_by, row.asked, row.caught) for row in rows]


async def _make(
    session: AsyncSession, tenant_id: str, kind: CheckKind, percent: int, rules: QueueRules, act: Act
) -> Sequence[str]:
    if percent <= 0:
        return ()
    query = _AUTOMATIC if kind is CheckKind.BLIND else _REJECTED
    found = (await session.execute(query, {"tenant": tenant_id, "since": act.now - LOOK_BACK})).all()
    rows = [
        {
            "tenant_id": tenant_id,
            # The ids of questions begin so, too: nothing tells a planted one before it is answered.
            "check_id": act.new_id("apr"),
            "kind": kind.value,
            "run_id": row.run_id,
            "ticket_id": row.ticket_id,
            "made_at": act.now,
            "expires_at": act.now + rules.check_for,
        }
        for row in found
        if is_drawn(kind, row.run_id, percent)
    ]
    if not rows:
        return ()
    made = await session.execute(
        insert(ReviewCheck).values(rows).on_conflict_do_nothing().returning(col(ReviewCheck.check_id))
    )
    return list(made.scalars())


def _told(kind: CheckKind, said: Answer) -> str:
    if kind is CheckKind.BLIND:
        agreed = "That is what was done" if said is Answer.APPROVE else "It was done without a person"
        return f"{agreed}. Your judgement counts for how much the agent may do alone."
    if said is Answer.APPROVE:
        return "This was a check: colleagues had rejected exactly this. Nothing was sent. Look at the facts once more."
    return "This was a check, and you noticed: colleagues had rejected exactly this, too."
