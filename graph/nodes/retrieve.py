"""retrieve: the policy sections that speak to the request. Nothing near enough is an answer, and it is recorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from graph.models.triage import Triage
from graph.snapshot import Snapshot
from graph.step import Step, StepContext
from kb.search import Filters, search

SECTIONS = 5
MAX_QUERY_CHARACTERS = 1_000
"""The embedding model reads some 256 tokens; what customers ask stands near the top once quoted mail is gone."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section version as it was found; the text is the stored one."""

    section_id: str
    version: int
    heading: str
    text: str
    url: str | None
    score: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Sections:
    """What was found for a run, best first."""

    found: tuple[Section, ...]

    def named(self, section_id: str | None) -> Section | None:
        """The section with that id, where it was found."""
        return next((one for one in self.found if one.section_id == section_id), None)


async def retrieve(context: StepContext) -> Step:
    """Intents and text → sections."""
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
