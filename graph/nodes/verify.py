"""verify: every claim of the reply against what was decided and read, before anybody is asked to release it."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from graph.digests import of_actions, of_evidence
from graph.dossier import Dossier
from graph.drafting import Draft
from graph.sections import Sections
from graph.settlement.approvals import request
from graph.settlement.questions import Binding, Question
from graph.snapshot import Snapshot
from graph.state import RunState
from graph.step import Step, StepContext, hand_off
from graph.verdicts import Verdicts, approvers_of, course
from graph.verifying import Evidence, evidence_of
from graph.verifying import verify as check
from policies.vocabulary import Reason, Tool


async def verify(context: StepContext) -> Step:
    """Draft → released to its next step, written once more in plainer words, or to a person with what is wrong."""
    draft = await context.load("draft", Draft)
    verdicts = await context.load("verdicts", Verdicts)
    asks = context.state.get("asks", False)
    findings = check(draft, await evidence(context))
    body: dict[str, object] = {"findings": [{"check": one.check, "reason": one.reason} for one in findings]}
    if findings and not context.state.get("plain", False):
        return Step("draft", RunState(plain=True), body={**body, "repairs": True})
    if findings:
        failed = hand_off(Reason.VERIFICATION_FAILED, note="; ".join(dict.fromkeys(one.reason for one in findings)))
        return Step(failed.goto, failed.update, body={**body, **failed.body})
    if asks:
        return Step("answer", body=body)
    led = course(verdicts, context.policy.tools.answer(Tool.ZENDESK_REPLY))
    if led.goto == "hand_off":
        return hand_off(led.reason or Reason.POLICY_DENIED, note=led.rule)
    if led.goto == "review":
        return await _ask_a_person(context, verdicts, led.reason, body)
    return Step("act", RunState(reason=None), body=body)


async def evidence(context: StepContext) -> Evidence:
    """What a reply of this run may rest on."""
    return evidence_of(
        await context.load("snapshot", Snapshot),
        await context.load("dossier", Dossier),
        await context.load("verdicts", Verdicts),
        await context.load("sections", Sections),
        domains=context.policy.domains,
        asks=context.state.get("asks", False),
        shop=context.tenant.shop_name,
    )


async def _ask_a_person(
    context: StepContext, verdicts: Verdicts, reason: Reason | None, body: dict[str, object]
) -> Step:
    """The question, bound to exactly these actions, this policy and this evidence; stored with the step."""
    snapshot = await context.load("snapshot", Snapshot)
    dossier = await context.load("dossier", Dossier)
    cycle = context.state["cycle"]
    evidence = of_evidence(
        context.tenant_id,
        verdicts,
        dossier.charges or (),
        comment_id=snapshot.newest_comment_id,
    )
    question = Question(
        approval_id=_approval_id(context.run_id, cycle),
        run_id=context.run_id,
        ticket_id=context.ticket_id,
        cycle=cycle,
        bound_to=Binding(of_actions(context.tenant_id, verdicts), context.state["policy_hash"], evidence),
        expires_at=context.now + timedelta(seconds=context.policy.approvals.expires_s),
        approvers=approvers_of(verdicts, context.policy.approvals),
        required=2 if any(one.decision.four_eyes for one in verdicts.decided) else 1,
    )

    async def ask(session: AsyncSession) -> None:
        await request(
            session,
            question,
            tenant_id=context.tenant_id,
            actor="agent",
            now=context.now,
            new_id=context.runtime.new_id,
        )

    update = RunState(approval_id=question.approval_id, reason=(reason or Reason.NEEDS_APPROVAL).value)
    return Step("review", update, body={**body, "approval_id": question.approval_id}, writes=(ask,))


def _approval_id(run_id: str, cycle: int) -> str:
    """The same question for the same cycle, however often this node runs."""
    return f"apr_{hashlib.sha256(f'{run_id}|{cycle}'.encode()).hexdigest()[:32]}"
