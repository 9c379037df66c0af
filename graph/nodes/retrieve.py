"""retrieve: the policy sections that speak to the request. Nothing near enough is an answer, and it is recorded."""

from __future__ import annotations

import asyncio

from connectors.errors import AccessDenied, VendorRefused
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.help_center import segment_ids_of
from graph.knowledge.articles import segment_label
from graph.models.triage import Triage
from graph.sections import Section, Sections
from graph.snapshot import Snapshot
from graph.step import Step, StepContext
from kb.search import Filters, search
from policies.vocabulary import Tool

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
    labels = await _labels(context, snapshot)
    vectors = await asyncio.to_thread(context.runtime.embed, [query])
    async with context.runtime.sessions(context.tenant_id) as session:
        hits = await search(
            session,
            tenant_id=context.tenant_id,
            query=query,
            query_vector=vectors[0],
            k=context.runtime.sections_found,
            filters=Filters(on=context.now.date(), labels=labels),
            rerank=context.runtime.rerank,
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
    return Step("plan", artifacts={"sections": found}, body={"sections": listed, "labels": sorted(labels)})


async def _labels(context: StepContext, snapshot: Snapshot) -> frozenset[str]:
    """The access labels of the requester's user segments, where the answer reaches nobody else.

    Staff hold none: what is for agents does not come into a reply, whoever asks. Where Zendesk does not say which
    segments a user belongs to, only what everybody may see is open.
    """
    if not context.tenant.help_center or snapshot.is_staff or not snapshot.reaches_requester_only:
        return frozenset()
    requester_id = int(snapshot.requester_id)
    try:
        found = await context.gate.read(
            Tool.ZENDESK_READ,
            "user_segments.list",
            snapshot.requester_id,
            lambda: _segments(context.tenant.zendesk, requester_id),
        )
    except VendorRefused:
        return frozenset()
    return frozenset(segment_label(segment_id) for segment_id in found)


def _segments(zendesk: ZendeskAdapter, user_id: int) -> tuple[int, ...]:
    try:
        return segment_ids_of(zendesk, user_id)
    except AccessDenied as error:
        # The Help Center's own scope is missing; that must not take the connector's right to act.
        raise VendorRefused(str(error), status=error.status) from error


def _millionths(score: float) -> int:
    """The log holds no floats, because they have no one spelling."""
    return round(score * 1_000_000)
