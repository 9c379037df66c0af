from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from graph.audit.log import append_all
from graph.settlement import approvals
from graph.settlement.errors import MissingRow, WrongRequest
from graph.settlement.models import Approval, ApprovalState, EffectState
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
from graph.settlement.requests import Reserved
from graph.settlement.reserve import reserve_all
from tests.graph.settlement.desk import Desk

BOUND = Binding(action="a" * 64, policy="p" * 64, evidence="e" * 64)
LEAD = Reviewer("lead_1", frozenset({"cs_lead"}))
OTHER = Reviewer("lead_2", frozenset({"cs_lead"}))
PENDING, APPROVED = ApprovalState.PENDING, ApprovalState.APPROVED


async def _ask(desk: Desk, approval_id: str = "apr_1", **changes: Any) -> ApprovalState:
    fields: dict[str, Any] = {
        "approval_id": approval_id,
        "run_id": "run_1",
        "ticket_id": "1",
        "cycle": 0,
        "bound_to": BOUND,
        "expires_at": desk.time.now() + timedelta(hours=72),
        "approvers": ("cs_lead",),
    }
    question = Question(**{**fields, **changes})
    async with desk.session() as session:
        return await approvals.request(
            session,
            question,
            tenant_id=desk.tenant,
            actor="agent",
            now=desk.time.now(),
            new_id=desk.new_id,
        )


async def _decide(
    desk: Desk,
    answer: Answer = Answer.APPROVE,
    who: Reviewer = LEAD,
    approval_id: str = "apr_1",
    **changes: Any,
) -> DecideAnswer:
    async with desk.session() as session:
        return await approvals.decide(
            session,
            approval_id,
            answer,
            who,
            tenant_id=desk.tenant,
            now=desk.time.now(),
            new_id=desk.new_id,
            vault=desk.vault,
            **changes,
        )


async def _consume(desk: Desk, bound_to: Binding = BOUND) -> ConsumeAnswer:
    async with desk.session() as session:
        answer, events = await approvals.consume(
            session,
            "apr_1",
            bound_to,
            tenant_id=desk.tenant,
            now=desk.time.now(),
            new_id=desk.new_id,
        )
        await append_all(session, desk.tenant, events)
        return answer


async def _read(desk: Desk, approval_id: str = "apr_1") -> Approval:
    async with desk.session() as session:
        return await session.get_one(Approval, (desk.tenant, approval_id))


async def test_an_approval_is_used_once_for_what_was_asked(desk: Desk) -> None:
    assert await _ask(desk) is PENDING
    assert await _decide(desk) == Decided(APPROVED)
    assert await _consume(desk) == Used(("lead_1",))
    assert await _consume(desk) == NotPending(ApprovalState.USED)
    assert await desk.kinds() == ["approval.requested", "approval.approved", "approval.used"]


async def test_asking_again_after_a_crash_is_the_same_question(desk: Desk) -> None:
    await _ask(desk)
    await _decide(desk)
    assert await _ask(desk) is APPROVED
    assert await desk.kinds() == ["approval.requested", "approval.approved"]


async def test_a_rejection_ends_the_question(desk: Desk) -> None:
    await _ask(desk)
    assert await _decide(desk, Answer.REJECT, reason_code="policy") == Decided(ApprovalState.REJECTED)
    assert await _decide(desk, who=OTHER) == NotPending(ApprovalState.REJECTED)
    assert await _consume(desk) == NotPending(ApprovalState.REJECTED)
    assert (await _read(desk)).reason_code == "policy"


@pytest.mark.parametrize("part", ["action", "policy", "evidence"])
async def test_an_approval_of_something_else_is_stale(desk: Desk, part: str) -> None:
    await _ask(desk)
    await _decide(desk)
    assert await _consume(desk, replace(BOUND, **{part: "0" * 64})) == Stale((part,))
    assert await _consume(desk) == NotPending(ApprovalState.STALE)
    assert (await desk.kinds())[-1] == "approval.stale"


async def test_an_answer_that_comes_too_late_does_not_count(desk: Desk) -> None:
    await _ask(desk)
    desk.time.advance(hours=72)
    assert await _decide(desk) == NotPending(ApprovalState.EXPIRED)
    assert (await desk.kinds())[-1] == "approval.expired"


async def test_an_approval_that_is_used_too_late_does_not_count(desk: Desk) -> None:
    await _ask(desk)
    await _decide(desk)
    desk.time.advance(hours=72)
    assert await _consume(desk) == NotPending(ApprovalState.EXPIRED)


async def test_questions_nobody_answered_expire(desk: Desk) -> None:
    await _ask(desk, "apr_1")
    await _ask(desk, "apr_2", expires_at=desk.time.now() + timedelta(hours=100))
    desk.time.advance(hours=72)
    async with desk.session() as session:
        expired = await approvals.expire(session, tenant_id=desk.tenant, now=desk.time.now(), new_id=desk.new_id)
    assert expired == ["apr_1"]
    assert (await _read(desk, "apr_1")).state == ApprovalState.EXPIRED
    assert (await _read(desk, "apr_2")).state == PENDING


async def test_four_eyes_are_two_different_people(desk: Desk) -> None:
    await _ask(desk, required=2)
    assert await _decide(desk) == AwaitsAnother(1)
    assert isinstance(await _decide(desk), Forbidden)
    assert await _consume(desk) == NotPending(PENDING)
    assert await _decide(desk, who=OTHER) == Decided(APPROVED)
    assert await _consume(desk) == Used(("lead_1", "lead_2"))


async def test_one_of_two_may_still_reject(desk: Desk) -> None:
    await _ask(desk, required=2)
    await _decide(desk)
    assert await _decide(desk, Answer.REJECT) == Decided(ApprovalState.REJECTED)


async def test_an_edited_reply_must_be_seen_by_both(desk: Desk) -> None:
    await _ask(desk, required=2)
    await _decide(desk)
    edited = Reply(edited_reply="Dear Ana")
    assert await _decide(desk, who=OTHER, reply=edited, subject_id="subject_1") == AwaitsAnother(1)
    assert await _decide(desk) == Decided(APPROVED)


async def test_two_answers_at_once_do_not_both_count(desk: Desk) -> None:
    await _ask(desk)
    answers = await asyncio.gather(_decide(desk), _decide(desk, Answer.REJECT, OTHER))
    assert sum(isinstance(answer, Decided) for answer in answers) == 1
    assert sum(isinstance(answer, NotPending) for answer in answers) == 1


async def test_only_the_right_people_may_answer(desk: Desk) -> None:
    await _ask(desk)
    agent = Reviewer("agent_1", frozenset({"agent"}))
    assert await _decide(desk, who=agent) == Forbidden("needs one of the roles ['cs_lead']: ask somebody who has one")
    assert isinstance(await _decide(desk, barred=frozenset({"lead_1"})), Forbidden)
    assert await _decide(desk, who=Reviewer("root", frozenset({"admin"}))) == Decided(APPROVED)


async def test_a_question_for_nobody_in_particular_is_for_anybody(desk: Desk) -> None:
    await _ask(desk, approvers=())
    assert await _decide(desk, who=Reviewer("agent_1", frozenset())) == Decided(APPROVED)


async def test_a_persons_words_are_sealed(desk: Desk) -> None:
    await _ask(desk)
    with pytest.raises(WrongRequest, match="no subject"):
        await _decide(desk, reply=Reply(comment="Ana is a friend"))
    await _decide(desk, reply=Reply(comment="Ana is a friend"), subject_id="subject_1")
    approval = await _read(desk)
    assert approval.sealed_comment is not None
    assert approval.sealed_reply is None
    async with desk.session() as session:
        opened = await desk.vault.open(
            session,
            tenant_id=desk.tenant,
            subject_id="subject_1",
            purpose=approvals.words_purpose("apr_1", "comment"),
            sealed=approval.sealed_comment,
        )
    assert opened == b"Ana is a friend"


async def test_a_question_is_withdrawn_while_it_is_open(desk: Desk) -> None:
    await _ask(desk)

    async def withdraw() -> bool:
        async with desk.session() as session:
            return await approvals.make_stale(
                session,
                "apr_1",
                tenant_id=desk.tenant,
                reason="new_message",
                actor="agent",
                now=desk.time.now(),
                new_id=desk.new_id,
            )

    assert await withdraw()
    assert not await withdraw()
    assert await _decide(desk) == NotPending(ApprovalState.STALE)


async def test_an_unknown_approval_is_named(desk: Desk) -> None:
    with pytest.raises(MissingRow, match="apr_9"):
        await _decide(desk, approval_id="apr_9")


async def test_an_approval_is_used_in_the_transaction_that_reserves(desk: Desk) -> None:
    charge = desk.charge()
    await _ask(desk)
    await _decide(desk)
    async with desk.session() as session:
        answer, events = await approvals.consume(
            session,
            "apr_1",
            BOUND,
            tenant_id=desk.tenant,
            now=desk.time.now(),
            new_id=desk.new_id,
        )
        assert isinstance(answer, Used)
        requests = [desk.refund(charge, approval_id="apr_1")]
        (reserved,) = await reserve_all(session, desk.tenant, requests, desk.means, events=events)
    assert isinstance(reserved, Reserved)
    assert (await desk.kinds())[-2:] == ["approval.used", "effect.reserved"]
    assert await desk.send(reserved.effect_id) is EffectState.SETTLED


async def test_an_edited_reply_is_what_will_be_sent(desk: Desk) -> None:
    async def edited(approval_id: str = "apr_1") -> str | None:
        async with desk.session() as session:
            return await approvals.edited_reply(session, approval_id, tenant_id=desk.tenant, vault=desk.vault)

    await _ask(desk)
    assert await edited() is None
    await _decide(desk, reply=Reply(edited_reply="Dear Ana"), subject_id="subject_1")
    assert await edited() == "Dear Ana"
    with pytest.raises(MissingRow, match="apr_9"):
        await edited("apr_9")


def test_a_digest_changes_with_every_part_of_an_action() -> None:
    action: dict[str, object] = {"kind": "refund", "charge": "ch_1", "amount_minor": 2_490, "currency": "usd"}
    digests = {approvals.action_digest("demo", [action])}
    digests |= {approvals.action_digest("demo", [{**action, name: "x"}]) for name in action}
    digests |= {approvals.action_digest("other", [action]), approvals.action_digest("demo", [action, action])}
    digests.add(approvals.evidence_digest("demo", action))
    assert len(digests) == len(action) + 4
