"""plan: what could be done about each request. Candidates are enumerated by code; a model may only pick one of them."""

from __future__ import annotations

from graph.dossier import Dossier
from graph.models.triage import PersonReason, Sensitive, Triage
from graph.models.use import ModelUse
from graph.planning import Item, settled
from graph.planning import plan as plan_for
from graph.snapshot import Snapshot
from graph.step import Step, StepContext, end, hand_off
from graph.withholding import shows_models
from policies.document import Privacy
from policies.proposal import Candidate, Choice, Proposal
from policies.vocabulary import Intent, ModelRole, Outcome, Reason

DEFAULT_LANGUAGES = frozenset({"en"})
LOW_CONFIDENCE_PERCENT = 40
"""Below it a person reads the ticket: what it asks for is a guess."""


async def plan(context: StepContext) -> Step:
    """Claims x facts → candidates, a choice among them, or what is missing."""
    snapshot = await context.load("snapshot", Snapshot)
    triage = await context.load("triage", Triage)
    stop = _for_a_person(context, triage)
    if stop is not None:
        return stop
    dossier = await context.load("dossier", Dossier)
    text = f"{snapshot.subject}\n{snapshot.newest}"
    drawn = plan_for(triage, dossier, text, now=context.now)
    choices: list[Choice] = []
    uses: list[ModelUse] = []
    for item in drawn.items:
        choice, used = await _choice(context, item, dossier, snapshot)
        choices.append(choice)
        uses.extend(used)
    made = settled(drawn, Proposal(tuple(choices)))
    body: dict[str, object] = {
        "proposal": [{"candidate": choice.candidate, "needs_human": choice.needs_human} for choice in choices],
        "requests": [
            {
                "intent": item.intent.value,
                "candidates": [candidate.kind.value for candidate in item.candidates],
                "missing": sorted(missing.value for missing in item.missing),
                "needs_person": item.needs_person.value if item.needs_person else None,
            }
            for item in made.items
        ],
    }
    return Step("decide", artifacts={"plan": made}, body=body, models=tuple(uses))


def _for_a_person(  # noqa: PLR0911 - one return for each reason
    context: StepContext, triage: Triage
) -> Step | None:
    """Tickets that no plan should be made for."""
    if triage.sensitive_topic is not Sensitive.NONE:
        return hand_off(Reason.SENSITIVE_TOPIC)
    spoken = frozenset(context.policy.languages) or DEFAULT_LANGUAGES
    if triage.language not in spoken and triage.language != "und":
        return hand_off(Reason.UNSUPPORTED_LANGUAGE)
    if PersonReason.LANGUAGE in triage.person_reasons:
        return hand_off(Reason.UNSUPPORTED_LANGUAGE)
    if PersonReason.ASKS_FOR_HUMAN in triage.person_reasons:
        return hand_off(Reason.OUT_OF_SCOPE, note="the customer asks for a person")
    is_follow_up = context.state.get("follow_up", False)
    if triage.primary is Intent.OTHER and is_follow_up:
        return end(Outcome.IGNORED, Reason.NOT_A_REQUEST)
    if triage.confidence < LOW_CONFIDENCE_PERCENT:
        return hand_off(Reason.LOW_CONFIDENCE)
    return None


async def _choice(
    context: StepContext,
    item: Item,
    dossier: Dossier,
    snapshot: Snapshot,
) -> tuple[Choice, tuple[ModelUse, ...]]:
    """What a model says about a request that is open; nothing where none is asked."""
    if not item.is_ambiguous:
        return Choice(item.intent), ()
    errand = await context.errand(subject_id=snapshot.subject_id)
    if not context.runtime.gateway.asks(ModelRole.PLAN, errand):
        return Choice(item.intent), ()
    context.spending.admit_model_call()
    privacy = context.policy.privacy
    described = tuple(_described(candidate, dossier, privacy) for candidate in item.candidates)
    subject = snapshot.subject if shows_models(privacy, "ticket.subject") else ""
    text = f"{subject}\n{snapshot.newest}"
    chosen = await context.runtime.gateway.choose(item.intent, text, described, errand=errand)
    context.spending.note(chosen.uses)
    return chosen.choice, chosen.uses


def _described(candidate: Candidate, dossier: Dossier, privacy: Privacy) -> str:
    """A candidate in words that code wrote, without ids of vendors and without what no model may see."""
    charge = next((one for one in dossier.charges or () if one.charge_id == candidate.charge_id), None)
    parts = {"order.id": f"order {candidate.order_id}" if candidate.order_id else ""}
    if charge is not None:
        parts["charge.amount"] = str(charge.amount)
        parts["charge.date"] = f"paid on {charge.created_at.date().isoformat()}"
    shown = [words for name, words in parts.items() if words and shows_models(privacy, name)]
    return ", ".join([candidate.kind.value.replace("_", " "), *shown])
