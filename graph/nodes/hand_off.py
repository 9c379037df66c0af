"""hand_off: give the ticket to a person with all that was found out, as an internal note. The customer sees nothing.

The person never starts over: what was understood, the facts, the verdicts with their sections, the draft, what to do
next. Where the note cannot be written the run ends all the same, and says so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from connectors.errors import ConnectorError, VendorUnavailable
from connectors.stripe.words import RefundStatus
from connectors.zendesk.update import NewComment, update_body
from graph.attachments.files import Files
from graph.dossier import Dossier
from graph.drafting import Draft, draft_of, paragraphs
from graph.errors import ToolForbidden, ToolSwitchedOff
from graph.models.gateway import Summarised
from graph.models.triage import Triage
from graph.nodes.answer import read_ticket
from graph.nodes.settle import effects_of
from graph.note import Findings, note_text
from graph.outgoing import Outgoing, put_out
from graph.planning import Plan
from graph.replies.render import spoken
from graph.sections import Sections
from graph.settlement.models import Effect, EffectState
from graph.snapshot import Snapshot
from graph.state import RunState
from graph.step import Step, StepContext
from graph.subjects import of_customer
from graph.tags import HANDED_OFF_TAG, TAG
from graph.undoing import values_of
from graph.verdicts import Verdicts
from graph.withholding import shows_models
from policies.evaluate import decide
from policies.facts import Facts
from policies.vocabulary import ActionKind, Intent, Mode, ModelRole, Outcome, Reason, Tool, Verdict


async def hand_off(context: StepContext) -> Step:
    """What was found out → an internal note, asked for."""
    reason = Reason(context.state.get("reason") or Reason.TOOL_ERROR.value)
    ended = RunState(outcome=Outcome.HANDED_OFF.value, reason=reason.value)
    findings = await _findings(context, reason)
    if _is_shadow(context, findings):
        # A shadow run leaves no trace outside.
        drafted = {} if findings.draft is None else {"draft": findings.draft}
        return Step("close", ended, drafted, body={"reason": reason.value, "shadow": True}, run={"is_shadow": True})
    lists = context.policy.tools.answer(Tool.ZENDESK_UPDATE)
    if lists is not None and lists.verdict is Verdict.DENY:
        return Step("close", ended, body={"reason": reason.value, "no_note": lists.entry})
    try:
        ticket = await read_ticket(context)
    except (VendorUnavailable, ToolForbidden, ToolSwitchedOff, ConnectorError) as error:
        if isinstance(error, VendorUnavailable) and context.context.give_up is None:
            raise
        return Step("close", ended, body={"reason": reason.value, "no_note": type(error).__name__})
    if ticket.is_closed:
        return Step("close", ended, body={"reason": reason.value, "no_note": "closed"})
    subject_id = of_customer(ticket.requester_id)
    summed_up = await _summary(context, findings)
    text = note_text(replace(findings, summary=summed_up.summary))
    outgoing = Outgoing(
        step="hand_off",
        tool=Tool.ZENDESK_UPDATE,
        subject_id=subject_id,
        before=values_of(ticket),
        body=lambda effect_id: update_body(
            ticket,
            marker=effect_id,
            comment=NewComment(text, public=False),
            add_tags=[TAG, HANDED_OFF_TAG, f"countersign_{reason.value}"],
            status="open" if ticket.status == "new" else None,
            group_id=context.tenant.review_group_id,
        ),
    )
    # A person sees in the panel what they could send.
    drafted = {} if findings.draft is None else {"draft": findings.draft}
    step = await put_out(context, outgoing, update=ended, artifacts=drafted, body={"reason": reason.value})
    return replace(step, models=(*step.models, *summed_up.uses))


async def _summary(context: StepContext, findings: Findings) -> Summarised:
    """The conversation in a few sentences, where a model may be asked; the note says the rest without one."""
    snapshot, privacy = findings.snapshot, context.policy.privacy
    if snapshot is None:
        return Summarised(None, ())
    errand = await context.errand(subject_id=snapshot.subject_id)
    if not context.runtime.gateway.asks(ModelRole.SUMMARISE, errand):
        return Summarised(None, ())
    subject = snapshot.subject if shows_models(privacy, "ticket.subject") else ""
    history = snapshot.history if shows_models(privacy, "ticket.history") else ()
    summed_up = await context.runtime.gateway.summarise(subject, (*history, snapshot.newest), errand=errand)
    context.spending.note(summed_up.uses)
    return summed_up


def _is_shadow(context: StepContext, findings: Findings) -> bool:
    """Whether it is only watched: a ticket that is held out; or by the policy, for what was decided or handing over."""
    if context.context.is_held_out:
        return True
    if findings.verdicts is not None and findings.verdicts.decided:
        return any(one.decision.mode is Mode.SHADOW for one in findings.verdicts.decided)
    known = {
        "action.kind": ActionKind.HAND_OFF.value,
        "request.intent": None if findings.triage is None else findings.triage.primary.value,
        "requester.segment": None if findings.dossier is None else findings.dossier.segment,
        "request.brand": None if findings.snapshot is None else findings.snapshot.brand,
    }
    return decide(context.policy, Facts(known), now=context.now).mode is Mode.SHADOW


async def _findings(context: StepContext, reason: Reason) -> Findings:
    """Whatever earlier nodes found; a run may be handed off at any point."""
    state = context.state
    snapshot = await context.load("snapshot", Snapshot) if state.get("snapshot") else None
    triage = await context.load("triage", Triage) if state.get("triage") else None
    dossier = await context.load("dossier", Dossier) if state.get("dossier") else None
    files = await context.load("files", Files) if state.get("files") else None
    sections = await context.load("sections", Sections) if state.get("sections") else None
    plan = await context.load("plan", Plan) if state.get("plan") else None
    verdicts = await context.load("verdicts", Verdicts) if state.get("verdicts") else None
    return Findings(
        reason=reason,
        note=state.get("note"),
        snapshot=snapshot,
        triage=triage,
        dossier=dossier,
        sections=sections,
        plan=plan,
        verdicts=verdicts,
        draft=await _draft(context, snapshot, triage, dossier, sections, plan, verdicts),
        settled=len(state.get("unannounced", [])),
        files=files,
    )


async def _draft(
    context: StepContext,
    snapshot: Snapshot | None,
    triage: Triage | None,
    dossier: Dossier | None,
    sections: Sections | None,
    plan: Plan | None,
    verdicts: Verdicts | None,
) -> Draft | None:
    """The reply that could be sent if the person agrees; none where there is nothing to say yet, or nobody knows it."""
    if snapshot is None or triage is None or dossier is None or sections is None or plan is None or verdicts is None:
        return None
    effects = await effects_of(context, [*context.state.get("unannounced", []), *context.state.get("effects", [])])
    if any(one.state in _OPEN for one in effects):
        return None
    said = paragraphs(
        plan, verdicts, dossier, sections, {one.charge_id: _word(one) for one in effects if one.charge_id}
    )
    if not said:
        return None
    return draft_of(
        said,
        language=spoken(triage.language),
        name=snapshot.requester_name,
        shop=context.tenant.shop_name,
        is_upset=Intent.COMPLAINT in {one.intent for one in triage.intents},
    )


_OPEN: Final = frozenset({EffectState.UNKNOWN.value, EffectState.SENDING.value, EffectState.HUMAN.value})
"""While it is not known what the payment system did, there is nothing to tell."""
_UNDONE: Final = frozenset({EffectState.RELEASED.value, EffectState.REVERSED.value})


def _word(effect: Effect) -> str | None:
    """Stripe's word for a refund; one that did not come about has failed, whatever was said before."""
    return RefundStatus.FAILED.value if effect.state in _UNDONE else effect.vendor_status
