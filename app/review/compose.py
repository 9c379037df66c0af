"""From everything that was read to the card, for one reader: the words, and what this reader may do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.identity.roles import ANSWERERS, Role
from app.review import words
from app.review.card import (
    Act,
    Card,
    Hold,
    Liking,
    Outside,
    Past,
    Request,
    Standing,
    Step,
    Tone,
    Understood,
    Writing,
)
from app.review.people import customer_of
from app.review.reading import Review, Update
from app.review.requests import also, requests_of, source_of
from graph.models.triage import Claim, Part
from graph.note import NEXT, WHY
from graph.replies.render import written
from graph.runs.models import RunState, WaitFor
from graph.settlement.approvals import ADMIN
from graph.settlement.models import ApprovalState, Effect, EffectKind, EffectState
from policies.money import Money
from policies.vocabulary import Outcome, Reason, Tool, Verdict

_MONEY_MOVES: Final = frozenset(
    {EffectKind.REFUND.value, EffectKind.CANCEL_PAYMENT.value, EffectKind.CANCEL_SUBSCRIPTION.value}
)
_NEXT_OTHERWISE: Final = "Read the ticket, check the facts above and answer the customer."


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at the card. `barred` names who may not answer this run's question."""

    actor: str
    roles: frozenset[Role]
    barred: frozenset[str] = frozenset()


def card_of(review: Review, reader: Reader, *, names: Mapping[str, str], now: datetime) -> Card:
    """The card.

    Args:
        review: what was read.
        reader: for whom.
        names: what colleagues call the actors that it names.
        now: business time.
    """
    requests = requests_of(review)
    hold = _hold(review, now)
    return Card(
        tenant_id=review.run.tenant_id,
        run_id=review.run.run_id,
        ticket_id=review.run.ticket_id,
        version=review.version,
        approval_id=review.approval.approval_id if _is_pending(review) and review.approval is not None else None,
        standing=_standing(review, reader, requests, hold),
        steps=_steps(review),
        customer=customer_of(review.snapshot, review.dossier, review.triage),
        subject=review.snapshot.subject if review.snapshot is not None else None,
        message=review.snapshot.newest if review.snapshot is not None else None,
        understood=tuple(_understood(review)),
        requests=requests,
        also=also(review, is_asking=_is_asking(review)),
        writing=_writing(review),
        decision=_decision(review),
        comment=review.comment,
        outside=tuple(_outside(review)),
        hold=hold,
        next_steps=tuple(_next(review)),
        past=tuple(_past(review)),
        likings=tuple(_likings(review, names)),
        acts=_acts(review, reader, hold),
        is_erased=review.is_erased,
    )


def _is_pending(review: Review) -> bool:
    return review.approval is not None and review.approval.state == ApprovalState.PENDING.value


def _is_asking(review: Review) -> bool:
    return review.plan is not None and any(item.missing for item in review.plan.items)


def _standing(review: Review, reader: Reader, requests: tuple[Request, ...], hold: Hold | None) -> Standing:
    run, approval = review.run, review.approval
    title = " + ".join(dict.fromkeys(one.intent for one in requests)) or (
        " + ".join(words.intent(one) for one in run.intents) or "Not understood yet"
    )
    money = [one.money for one in requests if one.money is not None]
    shown = money[0] if len(money) == 1 else None
    said, tone = _where(review, reader, hold)
    why = None
    if run.outcome == Outcome.HANDED_OFF.value and run.reason:
        why = WHY[Reason(run.reason)].capitalize()
    elif _is_pending(review):
        why = next((one.why_asked for one in requests if one.why_asked), None)
    if approval is None or not _is_pending(review):
        return Standing(said, tone, title, shown, why, until=hold.until if hold is not None else None)
    return Standing(
        said,
        tone,
        title,
        shown,
        why,
        required=approval.required,
        approved=len(approval.approved_by),
        until=approval.expires_at,
    )


def _where(review: Review, reader: Reader, hold: Hold | None) -> tuple[str, Tone]:
    run = review.run
    if run.state == RunState.ENDED.value:
        ended = "watched only, nothing was sent" if run.is_shadow else words.ENDED.get(run.outcome or "", "ended")
        was_given = run.outcome == Outcome.HANDED_OFF.value and not run.is_shadow
        return ended.capitalize(), Tone.STOPPED if was_given else Tone.DONE
    if run.state == RunState.RUNNING.value:
        at = next((step.words for step in _steps(review) if not step.is_done), "Working on it")
        return f"{at} …", Tone.WORKING
    match WaitFor(run.wait_for or WaitFor.SETTLEMENT):
        case WaitFor.REVIEW:
            return _in_review(review, reader)
        case WaitFor.SETTLEMENT:
            return ("Held: can still be stopped", Tone.HELD) if hold is not None else ("Being sent …", Tone.WORKING)
        case WaitFor.CUSTOMER:
            return "Waiting for the customer", Tone.ELSEWHERE
        case WaitFor.VENDOR | WaitFor.KEY as kept:
            return words.HELD_UP[kept], Tone.ELSEWHERE


def _in_review(review: Review, reader: Reader) -> tuple[str, Tone]:
    if not _is_pending(review):
        return "The answer is being carried out …", Tone.WORKING
    if _refusal(review, reader) is None:
        return "Waiting for you", Tone.WAITING
    roles = " or ".join(one.replace("_", " ") for one in (review.approval.approvers if review.approval else ()))
    return f"Waiting for {roles or 'a person'}", Tone.WAITING


def _steps(review: Review) -> tuple[Step, ...]:
    """The way to the decision, as far as the run has come since it last read the ticket."""
    nodes: list[str] = []
    for step in review.steps:
        nodes = [step.node] if step.node == "intake" else [*nodes, step.node]
    return tuple(Step(name, said, needed[-1] in nodes) for name, said, needed in words.STEPS)


def _understood(review: Review) -> Iterator[Understood]:
    triage, snapshot = review.triage, review.snapshot
    if triage is None or snapshot is None:
        return
    parts = {Part.SUBJECT: snapshot.subject, Part.BODY: snapshot.newest, Part.QUOTED: snapshot.newest}

    def quotes(*claims: Claim) -> tuple[str, ...]:
        spans = [one for one in triage.evidence if one.claim in claims]
        found = (" ".join(parts[one.part][one.start : one.end].split()) for one in spans)
        return tuple(dict.fromkeys(one for one in found if one))

    for number, score in enumerate(triage.intents):
        rests_on = quotes(Claim.INTENT, Claim.DUPLICATE, Claim.NOT_RECEIVED, Claim.WANTS) if number == 0 else ()
        yield Understood(words.intent(score.intent.value), score.confidence, rests_on)
    for name, claim, said in _CLAIMS:
        if getattr(triage.claims, name):
            yield Understood(said, None, quotes(claim))
    for order_id in triage.claims.order_ids:
        yield Understood(f"Order {order_id}", None, quotes(Claim.ORDER_ID))


_CLAIMS: Final = (
    ("not_received", Claim.NOT_RECEIVED, "Says that it never came"),
    ("damaged", Claim.DAMAGED, "Says that it is damaged"),
    ("wrong_item", Claim.WRONG_ITEM, "Says that something else came"),
    ("unauthorised", Claim.UNAUTHORISED, "Says that they did not pay this"),
    ("duplicate", Claim.DUPLICATE, "Says that they paid twice"),
    ("photo_attached", Claim.PHOTO, "Sent a picture"),
)


def _writing(review: Review) -> Writing | None:
    draft = review.draft
    if draft is None:
        return None
    asked = review.approval is not None and review.approval.state == ApprovalState.ASKED.value
    text = review.edited if review.edited is not None else draft.text
    values = (written(value, draft.language) for one in draft.paragraphs for value in one.slots.values())
    return Writing(
        text=text,
        original=draft.text,
        language=words.LANGUAGES.get(draft.language, draft.language),
        gloss=draft.gloss or None,
        slots=tuple(dict.fromkeys(one for one in values if one and len(one) <= LONGEST_SLOT)),
        cites=tuple(one for one in (source_of(name, review.quoted) for name in draft.cites) if one is not None),
        is_edited=asked or (review.edited is not None and review.edited.strip() != draft.text.strip()),
        is_sent=review.run.reply_sent,
        remarks=review.remarks,
    )


LONGEST_SLOT: Final = 60
"""A slot that holds a whole quotation is no figure to be marked."""


def _decision(review: Review) -> str | None:
    """What a person decided, in one sentence."""
    approval = review.approval
    if approval is None or approval.decided_by is None:
        return None
    did = {
        ApprovalState.APPROVED.value: "approved it",
        ApprovalState.USED.value: "approved it",
        ApprovalState.REJECTED.value: "said no",
        ApprovalState.ASKED.value: "has the customer asked first",
        ApprovalState.STALE.value: "answered, and then the ticket changed",
        ApprovalState.EXPIRED.value: "answered, and it came too late",
        ApprovalState.PENDING.value: f"said yes; {approval.required - len(approval.approved_by)} more must",
    }[approval.state]
    edited = " after editing the reply" if review.edited is not None and approval.state == "used" else ""
    reason = words.REASON_CODES.get(approval.reason_code or "", "")
    return f"{review.decided_by} {did}{edited}{f': {reason.lower()}' if reason else ''}."


def _hold(review: Review, now: datetime) -> Hold | None:
    held = [
        one
        for one in review.effects
        if one.state == EffectState.HELD.value and one.kind in _MONEY_MOVES and one.due_at > now
    ]
    return Hold(min(one.due_at for one in held), tuple(one.effect_id for one in held)) if held else None


def _outside(review: Review) -> Iterator[Outside]:
    updates = {one.effect.effect_id: one for one in review.updates}
    for effect in review.effects:
        if effect.kind == EffectKind.ZENDESK_UPDATE.value:
            update = updates.get(effect.effect_id)
            if update is not None:
                yield _changed(update)
            continue
        money = Money(effect.amount_minor, effect.currency) if effect.amount_minor and effect.currency else None
        yield Outside(
            effect.effect_id,
            effect.kind,
            words.EFFECTS.get(effect.kind, effect.kind),
            effect.state,
            words.STATES.get(effect.state, effect.state),
            money,
            effect.vendor_object,
            effect.due_at,
            effect.detail,
            undo_words="cannot be undone" if effect.state == EffectState.SETTLED.value else "",
        )


def _changed(update: Update) -> Outside:
    effect, changed = update.effect, update.changed
    said = "Reply sent" if changed.reply else "Internal note" if changed.note else "Ticket"
    values = {name: (str(before or "none"), str(after or "none")) for name, before, after in changed.values}
    rows = [("tags", "", " ".join(f"+{tag}" for tag in changed.added))] if changed.added else []
    rows += [("tags", " ".join(changed.removed), "")] if changed.removed else []
    rows += [(name.removesuffix("_id"), before, after) for name, (before, after) in values.items()]
    is_done = effect.state == EffectState.SETTLED.value
    undone = update.undo is not None and update.undo.state not in {"released", "stopped"}
    told = "cannot be undone: the customer has it" if changed.reply else "stays on the ticket, marked as withdrawn"
    if update.undo is not None and undone:
        told = "undone" if update.undo.state == EffectState.SETTLED.value else "is being undone"
    return Outside(
        effect.effect_id,
        effect.kind,
        said,
        effect.state,
        words.STATES.get(effect.state, effect.state),
        None,
        effect.vendor_object,
        effect.due_at,
        effect.detail,
        tuple(rows),
        can_undo=is_done and not undone and changed.can_be_undone,
        undo_words=told if is_done else "",
    )


def _next(review: Review) -> Iterator[str]:
    """What to do next where the run was handed over."""
    run = review.run
    if run.outcome != Outcome.HANDED_OFF.value or not run.reason:
        return
    yield NEXT.get(Reason(run.reason), _NEXT_OTHERWISE)
    for request in requests_of(review):
        yield from request.proposals
        yield from (f"Find out {one}." for one in request.missing[:3])
    if review.draft is not None and not run.reply_sent:
        yield "A reply is drafted below: check it and send it from the ticket."


def _past(review: Review) -> Iterator[Past]:
    for one in review.earlier:
        wanted = ", ".join(words.intent(intent) for intent in one.intents) or "not understood"
        refunded = tuple(Money(minor, currency) for minor, currency in one.refunded)
        yield Past(
            one.run_id, one.ticket_id, one.started_at, wanted, words.ENDED.get(one.outcome or "", "running"), refunded
        )


def _likings(review: Review, names: Mapping[str, str]) -> Iterator[Liking]:
    for one in review.preferences:
        shown = words.LANGUAGES.get(one.value, one.value.replace("_", " "))
        yield Liking(
            one.name.value,
            one.value,
            words.PREFERENCES[one.name],
            shown,
            names.get(one.set_by, one.set_by),
            one.expires_at,
        )


def _refusal(review: Review, reader: Reader) -> str | None:
    """Why this reader may not answer the question; None where they may."""
    approval = review.approval
    if approval is None or not reader.roles & ANSWERERS:
        return "Your roles do not allow you to answer."
    if reader.actor in reader.barred:
        return "You may not answer this one: it concerns you, or you loosened the rule that allows it."
    if approval.approvers and not {role.value for role in reader.roles} & {*approval.approvers, ADMIN}:
        return f"This needs one of: {', '.join(one.replace('_', ' ') for one in approval.approvers)}."
    if reader.actor in approval.approved_by:
        return "You said yes already; another person must, too."
    return None


def _acts(review: Review, reader: Reader, hold: Hold | None) -> dict[Act, str | None]:
    """What can be done now, each with why this reader may not, or None where they may."""
    acts: dict[Act, str | None] = {}
    roles = None if reader.roles & ANSWERERS else "Your roles do not allow this."
    if _is_pending(review):
        refusal = _refusal(review, reader)
        acts |= {Act.APPROVE: refusal, Act.REJECT: refusal, Act.ASK: refusal}
        reply = review.policy.tools.answer(Tool.ZENDESK_REPLY) if review.policy is not None else None
        if reply is not None and reply.verdict is Verdict.DENY:
            acts[Act.ASK] = "The policy lets no public reply out."
    if hold is not None:
        acts[Act.STOP] = roles
    if review.run.state != RunState.ENDED.value:
        acts[Act.TAKE_OVER] = roles
    if any(_changed(one).can_undo for one in review.updates):
        acts[Act.UNDO] = roles
    if review.run.subject_id is not None and not review.is_erased:
        acts |= {Act.REMEMBER: roles, Act.FORGET: roles}
    return acts


def effect_named(review: Review, effect_id: str) -> Effect | None:
    """An effect of the run by its id."""
    return next((one for one in review.effects if one.effect_id == effect_id), None)
