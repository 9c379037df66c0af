"""triage: what the newest message asks for, as finite types. All that the model sees is redacted text.

A ticket's subject belongs to its first message: read along with a later one, "thanks!" would ask for the same again.
"""

from __future__ import annotations

from dataclasses import replace

from graph.breakers.tally import Happened
from graph.models.later import answered, takes_back
from graph.models.triage import Triage
from graph.snapshot import Snapshot
from graph.step import Step, StepContext, hand_off
from graph.withholding import shows_models
from policies.breakers import Measure
from policies.vocabulary import Reason


async def triage(context: StepContext) -> Step:
    """Redacted text → intents, claims, language, signals."""
    snapshot = await context.load("snapshot", Snapshot)
    is_later = bool(snapshot.history) and (context.state["cycle"] > 1 or context.state.get("follow_up", False))
    subject = "" if is_later else snapshot.subject
    privacy = context.policy.privacy
    context.spending.admit_model_call()
    understood = await context.runtime.gateway.triage(
        subject if shows_models(privacy, "ticket.subject") else "",
        snapshot.newest,
        snapshot.history if shows_models(privacy, "ticket.history") else (),
        # Where no model outside answers, the embedded one is called, too.
        errand=await context.errand(keeping=1, subject_id=snapshot.subject_id),
    )
    context.spending.note(understood.uses)
    found = understood.triage
    if context.state.get("questions_asked", 0):
        found = answered(await context.load("triage", Triage), found)
    # That there is a photo is seen, not believed: the text may say so without one.
    shown = snapshot.has_picture or await _was_shown(context)
    found = replace(found, claims=replace(found.claims, photo_attached=shown))
    intents = [score.intent.value for score in found.intents]
    body: dict[str, object] = {
        "intents": intents,
        "confidence_percent": found.confidence,
        "language": found.language,
        "sensitive_topic": found.sensitive_topic.value,
        "injection_suspected": found.injection_suspected,
        "needs_person": [reason.value for reason in found.person_reasons],
    }
    step = Step("gather")
    if is_later and takes_back(snapshot.newest):
        step = hand_off(Reason.AMBIGUOUS_REQUEST, note="the customer may not want it any more")
    return Step(
        goto=step.goto,
        update=step.update,
        artifacts={"triage": found},
        body={**body, **step.body},
        models=understood.uses,
        counts=(Happened(Measure.INJECTIONS, found.injection_suspected, brand=snapshot.brand or ""),),
        run={"intents": intents, "brand": snapshot.brand},
    )


async def _was_shown(context: StepContext) -> bool:
    """Whether an earlier message of this run had a photo with it."""
    if "triage" not in context.state:
        return False
    return (await context.load("triage", Triage)).claims.photo_attached is True
