"""Questions to people, bound to the digest of the exact actions, the policy version and the evidence.

An answer counts once, for exactly what was asked, until it expires. Every change of state is a compare-and-set on the
locked row, so two answers at the same moment cannot both count. It refuses to let one person count as two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.canonical import canonical_json
from graph.audit.log import NewEvent, append_all
from graph.settlement.errors import MissingRow, WrongRequest
from graph.settlement.models import Approval, ApprovalState
from graph.settlement.questions import (
    Answer,
    AwaitsAnother,
    Binding,
    ConsumeAnswer,
    DecideAnswer,
    Decided,
    Forbidden,
    NotPending,
    Question,
    Reply,
    Reviewer,
    Stale,
    Used,
)
from graph.vault import Vault

ADMIN: Final = "admin"
"""The role that may answer any question."""


def action_digest(tenant_id: str, actions: Sequence[Mapping[str, object]]) -> str:
    """Digest of the exact actions, in their order: kind, charge, item, amount in minor units, currency, and the like.

    >>> one = action_digest("demo", [{"kind": "refund", "charge": "ch_1", "amount_minor": 2490, "currency": "usd"}])
    >>> one == action_digest("demo", [{"kind": "refund", "charge": "ch_1", "amount_minor": 2491, "currency": "usd"}])
    False

    Raises:
        NotCanonicalError: a value such as a float, whose spelling is not unique.
    """
    return _digest("action", tenant_id, list(actions))


def evidence_digest(tenant_id: str, evidence: Mapping[str, object]) -> str:
    """Digest of what the decision rests on: the ticket's version, the charge's figures, disputes, facts."""
    return _digest("evidence", tenant_id, evidence)


def _digest(of: str, tenant_id: str, value: object) -> str:
    return hashlib.sha256(canonical_json({"of": of, "tenant_id": tenant_id, "value": value})).hexdigest()


async def request(
    session: AsyncSession,
    question: Question,
    *,
    tenant_id: str,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> ApprovalState:
    """Ask, in the session's transaction; asking again with the same id changes nothing. How the question stands."""
    asked = await session.execute(
        upsert(Approval)
        .values(
            tenant_id=tenant_id,
            approval_id=question.approval_id,
            run_id=question.run_id,
            ticket_id=question.ticket_id,
            cycle=question.cycle,
            state=ApprovalState.PENDING.value,
            action_digest=question.bound_to.action,
            policy_hash=question.bound_to.policy,
            evidence_digest=question.bound_to.evidence,
            approvers=list(question.approvers),
            required=question.required,
            approved_by=[],
            requested_at=now,
            expires_at=question.expires_at,
        )
        .on_conflict_do_nothing()
        .returning(col(Approval.approval_id)),
    )
    is_new = asked.scalar_one_or_none() is not None
    approval = await _locked(session, tenant_id, question.approval_id)
    if is_new:
        body = {
            "action_digest": question.bound_to.action,
            "policy_hash": question.bound_to.policy,
            "evidence_digest": question.bound_to.evidence,
            "approvers": list(question.approvers),
            "required": question.required,
        }
        await _tell(session, approval, "requested", actor=actor, now=now, new_id=new_id, body=body)
    return ApprovalState(approval.state)


async def decide(  # noqa: PLR0913 - an answer has that many fields, all named
    session: AsyncSession,
    approval_id: str,
    answer: Answer,
    reviewer: Reviewer,
    *,
    tenant_id: str,
    now: datetime,
    new_id: Callable[[str], str],
    vault: Vault,
    reason_code: str | None = None,
    reply: Reply | None = None,
    subject_id: str | None = None,
    barred: frozenset[str] = frozenset(),
    edit_permille: int | None = None,
) -> DecideAnswer:
    """Answer a question, in the session's transaction.

    `reason_code` says why, as a code; words go into `reply`, which is sealed for `subject_id`. An edited reply is
    something an earlier approver has not seen, so it sets the count back to this person. `barred` are people who may
    not answer: the requester's own account, the author of the loosening that allowed the action. Who has the customer
    asked something instead gives the question as the edited reply. `edit_permille` is how much of the draft an edit
    changed, for the log, which never holds the words.

    Raises:
        MissingRow: no such approval in this tenant.
        WrongRequest: words without a subject, or a question to the customer without words.
        SubjectErased: words for a person who was erased.
    """
    approval = await _locked(session, tenant_id, approval_id)
    if approval.state != ApprovalState.PENDING.value:
        return NotPending(ApprovalState(approval.state))
    if now >= approval.expires_at:
        await _end(session, approval, ApprovalState.EXPIRED, actor="settlement", now=now, new_id=new_id)
        return NotPending(ApprovalState.EXPIRED)
    refusal = _refusal(approval, answer, reviewer, barred)
    if refusal is not None:
        return refusal
    edited = reply is not None and reply.edited_reply is not None
    if answer is Answer.ASK and not edited:
        raise WrongRequest(f"approval {approval_id!r}: there is nothing to ask the customer; write the question")
    await _seal_words(session, approval, reply or Reply(), subject_id, vault=vault, now=now)
    approval.decided_by, approval.decided_at, approval.reason_code = reviewer.actor, now, reason_code
    body: dict[str, object] = {"reason_code": reason_code, "edited": edited, "edit_permille": edit_permille}
    if reply is not None and reply.remarks:
        body["remarks"] = [{"check": check, "reason": why} for check, why in reply.remarks]
    if answer is not Answer.APPROVE:
        state = ApprovalState.REJECTED if answer is Answer.REJECT else ApprovalState.ASKED
        approval.state = state.value
        await _tell(session, approval, state.value, actor=reviewer.actor, now=now, new_id=new_id, body=body)
        return Decided(state)
    earlier = [] if edited else approval.approved_by
    approval.approved_by = [*(name for name in earlier if name != reviewer.actor), reviewer.actor]
    missing = approval.required - len(approval.approved_by)
    if missing <= 0:
        approval.state = ApprovalState.APPROVED.value
    body |= {"count": len(approval.approved_by), "required": approval.required}
    await _tell(session, approval, "approved", actor=reviewer.actor, now=now, new_id=new_id, body=body)
    return AwaitsAnother(missing) if missing > 0 else Decided(ApprovalState.APPROVED)


async def consume(
    session: AsyncSession,
    approval_id: str,
    bound_to: Binding,
    *,
    tenant_id: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> tuple[ConsumeAnswer, tuple[NewEvent, ...]]:
    """Use an approval up, in the transaction that reserves its effects.

    The answer is `NotPending(USED)` where it was used before, and `NotPending(EXPIRED)` where the time for it is over.
    The caller must hand the events to `reserve_all` of the same transaction, or append them as its last write: the log
    is locked last.

    Raises:
        MissingRow: no such approval in this tenant.
    """
    approval = await _locked(session, tenant_id, approval_id)
    if approval.state != ApprovalState.APPROVED.value:
        return NotPending(ApprovalState(approval.state)), ()
    was_bound_to = Binding(approval.action_digest, approval.policy_hash, approval.evidence_digest)
    different = bound_to.differs_from(was_bound_to)
    answer: ConsumeAnswer
    if now >= approval.expires_at:
        state, answer = ApprovalState.EXPIRED, NotPending(ApprovalState.EXPIRED)
    elif different:
        state, answer = ApprovalState.STALE, Stale(different)
    else:
        state, answer = ApprovalState.USED, Used(tuple(approval.approved_by))
    approval.state = state.value
    await session.flush()
    body = {"changed": list(different)} if state is ApprovalState.STALE else None
    event = _event(approval, state.value, actor="settlement", now=now, new_id=new_id, body=body)
    return answer, (event,)


async def make_stale(
    session: AsyncSession,
    approval_id: str,
    *,
    tenant_id: str,
    reason: str,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
) -> bool:
    """Withdraw a question or an unused answer, because the ticket, the charge or the policy changed.

    True where it was still open. `reason` is a code for the log.
    """
    approval = await _locked(session, tenant_id, approval_id)
    if approval.state not in {ApprovalState.PENDING.value, ApprovalState.APPROVED.value}:
        return False
    await _end(session, approval, ApprovalState.STALE, actor=actor, now=now, new_id=new_id, body={"reason": reason})
    return True


async def expire(
    session: AsyncSession,
    *,
    tenant_id: str,
    now: datetime,
    new_id: Callable[[str], str],
    limit: int = 100,
) -> list[str]:
    """Expire questions that nobody answered in time; their ids, oldest first. Another process's are skipped."""
    query = (
        select(Approval)
        .where(
            col(Approval.tenant_id) == tenant_id,
            col(Approval.state) == ApprovalState.PENDING.value,
            col(Approval.expires_at) <= now,
        )
        .order_by(col(Approval.requested_at), col(Approval.approval_id))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    overdue = list((await session.execute(query)).scalars())
    events = []
    for approval in overdue:
        approval.state = ApprovalState.EXPIRED.value
        events.append(_event(approval, "expired", actor="settlement", now=now, new_id=new_id))
    await session.flush()
    await append_all(session, tenant_id, events)
    return [approval.approval_id for approval in overdue]


def _refusal(approval: Approval, answer: Answer, reviewer: Reviewer, barred: frozenset[str]) -> Forbidden | None:
    if reviewer.actor in barred:
        return Forbidden("this person may not answer: the question concerns them, or they allowed the action")
    if approval.approvers and not reviewer.roles & {*approval.approvers, ADMIN}:
        return Forbidden(f"needs one of the roles {approval.approvers}: ask somebody who has one")
    if answer is Answer.APPROVE and reviewer.actor in approval.approved_by:
        return Forbidden("this person approved already: another one must, too")
    return None


async def _seal_words(
    session: AsyncSession,
    approval: Approval,
    reply: Reply,
    subject_id: str | None,
    *,
    vault: Vault,
    now: datetime,
) -> None:
    if reply == Reply():
        return
    if subject_id is None:
        raise WrongRequest(f"approval {approval.approval_id!r} has words but no subject to seal them for: name it")
    key = await vault.key(session, tenant_id=approval.tenant_id, subject_id=subject_id, now=now)
    approval.subject_id = subject_id
    if reply.comment is not None:
        approval.sealed_comment = key.seal(words_purpose(approval.approval_id, "comment"), reply.comment.encode())
    if reply.edited_reply is not None:
        approval.sealed_reply = key.seal(words_purpose(approval.approval_id, "reply"), reply.edited_reply.encode())


def words_purpose(approval_id: str, which: str) -> str:
    """What a person's words are sealed for; `which` is `comment` or `reply`."""
    return f"approval/{approval_id}/{which}"


async def _locked(session: AsyncSession, tenant_id: str, approval_id: str) -> Approval:
    query = (
        select(Approval)
        .where(col(Approval.tenant_id) == tenant_id, col(Approval.approval_id) == approval_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    approval = (await session.execute(query)).scalar_one_or_none()
    if approval is None:
        raise MissingRow(f"no approval {approval_id!r} in tenant {tenant_id!r}: check the id")
    return approval


async def _end(
    session: AsyncSession,
    approval: Approval,
    state: ApprovalState,
    *,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
    body: Mapping[str, object] | None = None,
) -> None:
    approval.state = state.value
    await _tell(session, approval, state.value, actor=actor, now=now, new_id=new_id, body=body)


async def _tell(
    session: AsyncSession,
    approval: Approval,
    what: str,
    *,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
    body: Mapping[str, object] | None = None,
) -> None:
    await session.flush()
    await append_all(
        session,
        approval.tenant_id,
        [_event(approval, what, actor=actor, now=now, new_id=new_id, body=body)],
    )


def _event(
    approval: Approval,
    what: str,
    *,
    actor: str,
    now: datetime,
    new_id: Callable[[str], str],
    body: Mapping[str, object] | None = None,
) -> NewEvent:
    return NewEvent(
        event_id=new_id("evt"),
        at=now,
        kind=f"approval.{what}",
        actor=actor,
        run_id=approval.run_id,
        ticket_id=approval.ticket_id,
        body={"approval_id": approval.approval_id, **{k: v for k, v in (body or {}).items() if v is not None}},
    )


async def edited_reply(session: AsyncSession, approval_id: str, *, tenant_id: str, vault: Vault) -> str | None:
    """The reply as the reviewer rewrote it; None where they left it as it was.

    Raises:
        MissingRow: no such approval in this tenant.
        SubjectErased: the person it was sealed for was erased.
    """
    approval = await session.get(Approval, (tenant_id, approval_id))
    if approval is None:
        raise MissingRow(f"no approval {approval_id!r} in tenant {tenant_id!r}: check the id")
    if approval.sealed_reply is None or approval.subject_id is None:
        return None
    opened = await vault.open(
        session,
        tenant_id=tenant_id,
        subject_id=approval.subject_id,
        purpose=words_purpose(approval_id, "reply"),
        sealed=approval.sealed_reply,
    )
    return opened.decode()
