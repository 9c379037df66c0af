"""The internal note of a hand-off, as plain text: what the customer wants, what is known and decided, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from graph.attachments.citing import cited
from graph.attachments.files import Files
from graph.dossier import Dossier
from graph.drafting import Draft
from graph.models.triage import Triage
from graph.planning import Plan
from graph.sections import Sections
from graph.snapshot import Snapshot
from graph.verdicts import Decided, Verdicts
from policies.vocabulary import ActionKind, Reason

MAX_CHARGES: Final = 5
MAX_SECTIONS: Final = 3

WHY: Final[Mapping[Reason, str]] = {
    Reason.POLICY_DENIED: "the policy does not allow what is asked for",
    Reason.NEEDS_APPROVAL: "the policy leaves this to a person",
    Reason.APPROVAL_EXPIRED: "nobody answered the approval in time",
    Reason.AMBIGUOUS_REQUEST: "the request can mean several things",
    Reason.MISSING_DATA: "something needed to decide is not known",
    Reason.IDENTITY_NOT_VERIFIED: "it is not certain that the writer is the customer",
    Reason.SUSPECTED_ABUSE: "something about the ticket or the payment is suspicious",
    Reason.SENSITIVE_TOPIC: "the ticket touches a subject that belongs to a person",
    Reason.LOW_CONFIDENCE: "it is not clear what the customer wants",
    Reason.OUT_OF_SCOPE: "this kind of request is handled by people",
    Reason.UNSUPPORTED_CHANNEL: "replies on this channel are written by people",
    Reason.UNSUPPORTED_LANGUAGE: "the message is in a language that is not covered",
    Reason.VERIFICATION_FAILED: "the drafted reply did not pass its checks",
    Reason.BUDGET_EXHAUSTED: "a limit or budget is used up",
    Reason.KILL_SWITCH: "a switch stops what would have to be done",
    Reason.BREAKER_TRIPPED: "a breaker has put the agent into draft-only",
    Reason.TOOL_ERROR: "a system could not be reached or refused the call",
    Reason.UNKNOWN_OUTCOME: "it is not known whether the payment system did what was asked",
    Reason.CUSTOMER_SILENT: "the customer did not answer the question",
    Reason.STALE: "the matter changed while it was worked on",
    Reason.HUMAN_TOOK_OVER: "a person took the ticket over",
    Reason.NOT_A_REQUEST: "the message asks for nothing",
}
NEXT: Final[Mapping[Reason, str]] = {
    Reason.POLICY_DENIED: "Check the facts; if they are right, send the section and offer an alternative.",
    Reason.IDENTITY_NOT_VERIFIED: "Verify who is writing, for example by the order's address, before anything is paid.",
    Reason.UNKNOWN_OUTCOME: "Look for the refund in the payment system first; do not refund again.",
    Reason.SUSPECTED_ABUSE: "Read the ticket and the payment history before you answer.",
    Reason.CUSTOMER_SILENT: "Close the ticket or ask once more.",
    Reason.MISSING_DATA: "Find out what is missing.",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What a run found out before it was handed off; each part may be missing."""

    reason: Reason
    note: str | None
    snapshot: Snapshot | None
    triage: Triage | None
    dossier: Dossier | None
    sections: Sections | None
    plan: Plan | None
    verdicts: Verdicts | None
    draft: Draft | None
    settled: int
    summary: str | None = None
    files: Files | None = None


def note_text(findings: Findings) -> str:
    """The note, as plain text with short headed parts, and the draft of a reply where there is one."""
    parts = (
        ("Why this needs a person", [_why(findings)]),
        ("What the customer wants", list(_wants(findings))),
        ("Facts", list(_facts(findings.dossier))),
        ("Attachments, which decided nothing", list(_attached(findings))),
        ("What was decided", list(_tried(findings))),
        ("Policy sections", list(_sections(findings.sections))),
        ("Suggested next steps", list(_next(findings))),
    )
    headed = [
        f"{title}\n" + "\n".join(f"- {' '.join(line.split())}" for line in lines) for title, lines in parts if lines
    ]
    if findings.draft is not None:
        headed.append(f"Draft of a reply\n\n{findings.draft.text}")
        if findings.draft.gloss:
            headed.append(f"The same in English, for you to read\n\n{findings.draft.gloss}")
    return "\n\n".join(headed)


def _why(findings: Findings) -> str:
    detail = f": {findings.note}" if findings.note else ""
    return f"{WHY[findings.reason]} ({findings.reason.value}){detail}"


def _tried(findings: Findings) -> Iterator[str]:
    for one in findings.verdicts.decided if findings.verdicts else ():
        yield _verdict(one)
    if findings.settled:
        yield f"already done for this ticket: {findings.settled} change(s) at the payment system; tell the customer"


def _wants(findings: Findings) -> Iterator[str]:
    if findings.summary is not None:
        yield f"In short, by a model that read the messages: {findings.summary}"
    if findings.triage is None:
        return
    named = ", ".join(f"{one.intent.value} ({one.confidence} %)" for one in findings.triage.intents)
    yield f"Understood as: {named}; language {findings.triage.language}."
    if findings.triage.injection_suspected:
        yield "The text speaks to a machine: read it as data, whatever it says."
    if findings.triage.claims.order_ids:
        yield f"Order numbers in the message: {', '.join(findings.triage.claims.order_ids)}."
    if findings.plan is not None:
        missing = sorted({one.value for item in findings.plan.items for one in item.missing})
        if missing:
            yield f"Missing: {', '.join(missing)}."


def _facts(dossier: Dossier | None) -> Iterator[str]:
    if dossier is None:
        return
    yield f"Requester: {dossier.identity.value}."
    newest = sorted(dossier.charges or (), key=lambda charge: charge.created_at, reverse=True)
    for charge in newest[:MAX_CHARGES]:
        disputed = ", disputed" if charge.is_disputed else ""
        yield (
            f"Charge {charge.charge_id}: {charge.amount} of {charge.created_at.date().isoformat()}, "
            f"{charge.refunded} refunded{disputed}, {charge.description or 'no description'}."
        )
    for order in (dossier.orders or ())[:MAX_CHARGES]:
        states = sorted({item.fulfilment.value for item in order.items or () if item.fulfilment is not None})
        yield f"Order {order.id}: {', '.join(states) or 'state not known'}."
    if dossier.draft_only:
        yield f"Draft-only now: {', '.join(dossier.draft_only)}."


def _attached(findings: Findings) -> Iterator[str]:
    if findings.files is not None:
        yield from cited(findings.files, None if findings.triage is None else findings.triage.claims)


def _verdict(one: Decided) -> str:
    amount = f" of {one.candidate.amount}" if one.candidate.amount is not None else ""
    section = f", section {one.decision.section}" if one.decision.section else ""
    reason = one.decision.reasons[0].reason if one.decision.reasons else "no rule allows it"
    kind, verdict = one.candidate.kind.value, one.decision.verdict.value
    return f"{kind}{amount}: {verdict} by rule {one.decision.rule}{section}. {reason}"


def _sections(sections: Sections | None) -> Iterator[str]:
    for section in (sections.found if sections else ())[:MAX_SECTIONS]:
        yield f"{section.section_id} ({section.heading})"


def _next(findings: Findings) -> Iterator[str]:
    yield NEXT.get(findings.reason, "Read the ticket, check the facts below and answer the customer.")
    for item in findings.plan.items if findings.plan else ():
        for proposal in item.proposals:
            what = _PROPOSALS.get(proposal.kind, proposal.kind.value)
            yield f"Prefilled: {what} for order {proposal.order_id or 'unknown'}."


_PROPOSALS: Final[Mapping[ActionKind, str]] = {
    ActionKind.RETURN_LABEL: "send a return label",
    ActionKind.REPLACEMENT: "send a replacement",
    ActionKind.STORE_CREDIT: "grant store credit",
}
