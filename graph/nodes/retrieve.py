"""retrieve: the policy sections that speak to the request. Nothing near enough is an answer, and it is recorded."""

from __future__ import annotations

import asyncio

from graph.models.triage import Triage
from graph.sections import Section, Sections
from graph.snapshot import Snapshot
from graph.step import Step, StepContext
from kb.search import Filters, search
from policies.vocabulary import Tool

SECTIONS = 5
MAX_QUERY_CHARACTERS = 1_000
"""The embedding model reads some 256 tokens; what customers ask stands near the top once quoted mail is gone."""


async def retrieve(context: StepContext) -> Step:
    """Intents and text → sections."""
    refusal = context.policy.tools.refusal_to_read(Tool.KB_SEARCH)
    if refusal is not None:
        return Step("plan", artifacts={"sections": Sections(())}, body={"sections": [], "refused": refusal})
    snapshot = await context.load("snapshot", Snapshot)
    triage = await context.load("triage", Triage)
    query = f"{snapshot.subject}\n{snapshot.newest}"[:MAX_QUERY_CHARACTERS]
    if not query.strip():
        query = triage.primary.value.replace("_", " ")
    vectors = await asyncio.to_thread(context.runtime.embed, [query])
    async with context.runtime.sessions(context.tenant_id) as session:
        hits = await search(
            session,
            tenant_id=context.tenant_id,
            query=query,
            query_vector=vectors[0],
            k=SECTIONS,
            filters=Filters(on=context.now.date()),
        )
    found = Sections(
        tuple(
            Section(hit.section_id, hit.version, hit.heading, hit.text, hit.url, hit.score, hit.similarity)
            for hit in hits
        ),
    )
    listed = [
        {"section": hit.section_id, "version": hit.version, "score_millionths": _millionths(hit.score)} for hit in hits
    ]
    return Step("plan", artifacts={"sections": found}, body={"sections": listed})


def _millionths(score: float) -> int:
    """The log holds no floats, because they have no one spelling."""
    return round(score * 1_000_000)
