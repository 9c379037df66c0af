"""triage: what the newest message asks for, as finite types. All that the model sees is redacted text."""

from __future__ import annotations

from dataclasses import replace

from graph.snapshot import Snapshot
from graph.step import Step, StepContext


async def triage(context: StepContext) -> Step:
    """Redacted text → intents, claims, language, signals."""
    snapshot = await context.load("snapshot", Snapshot)
    understood = await context.runtime.gateway.triage(snapshot.subject, snapshot.newest, snapshot.history)
    found = understood.triage
    if snapshot.has_picture:
        found = replace(found, claims=replace(found.claims, photo_attached=True))
    intents = [score.intent.value for score in found.intents]
    return Step(
        goto="gather",
        artifacts={"triage": found},
        body={
            "intents": intents,
            "confidence_percent": found.confidence,
            "language": found.language,
            "sensitive_topic": found.sensitive_topic.value,
            "injection_suspected": found.injection_suspected,
            "needs_person": [reason.value for reason in found.person_reasons],
        },
        models=understood.uses,
        run={"intents": intents},
    )
