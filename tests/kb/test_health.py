"""A seeded contradiction is found, and the shop's own documents hold none; what is old, ending and unused is named."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.db import Database
from graph.models.embedding import Embedder
from kb.contradictions import contradictions, differing
from kb.documents import ParsedDocument, ParsedSection
from kb.health import health
from kb.ingest import ingest
from kb.sources import read_documents
from kb.vectors import Embed
from tests.kb.words import WordEmbedding

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LIBRARY = Path(__file__).parents[2] / "kb" / "library" / "demo-shop"


def a_document(document_id: str, body: str, **more: Any) -> ParsedDocument:
    section = ParsedSection(document_id, (), body)
    return ParsedDocument(**{"document_id": document_id, "title": "", "language": "en", "sections": (section,)} | more)


async def bring_in(database: Database, documents: list[ParsedDocument], embed: Embed, at: datetime = NOW) -> None:
    async with database.tenant("demo") as session:
        await ingest(session, tenant_id="demo", source="shop", documents=documents, embed=embed, now=at)


@pytest.mark.parametrize(
    ("one", "other", "about"),
    [
        ("You can return it within 30 days.", "Returns are taken for 14 days.", "days"),
        ("It takes 5 to 10 business days.", "It arrives after 10 days.", None),
        ("A fee of $5 is kept.", "We keep $7.50 of it.", "$"),
        ("We keep 10 % of the price.", "We keep 15% of it.", "%"),
        ("Within 30 days.", "After 2 reminders.", None),
        ("A bonus of 1,000 points.", "1000 points are given.", None),
    ],
)
def test_numbers_differ_where_they_count_the_same(one: str, other: str, about: str | None) -> None:
    assert differing(one, other) == about


async def test_a_seeded_contradiction_is_found_and_the_shop_holds_none(database: Database, model: Embedder) -> None:
    await bring_in(database, list(read_documents(LIBRARY)), model.embed)
    async with database.tenant("demo") as session:
        assert await contradictions(session, tenant_id="demo", embed=model.embed) == []
    seeded = [
        a_document("faq", "A refund to a card takes 15 to 20 business days to appear on your statement."),
        a_document("card", "Money refunded to a card appears on your statement after 2 business days."),
    ]
    await bring_in(database, seeded, model.embed)
    async with database.tenant("demo") as session:
        found = await contradictions(session, tenant_id="demo", embed=model.embed)
    pair = next(one for one in found if (one.one.section_id, one.other.section_id) == ("card", "faq"))
    assert pair.about == "days"
    assert (pair.one.sentence, pair.other.sentence) == (seeded[1].sections[0].text, seeded[0].sections[0].text)


async def test_sections_for_different_readers_days_or_languages_do_not_contradict(database: Database) -> None:
    same = "Returns are taken for {} days after delivery."
    documents = [
        a_document("staff", same.format(60), labels=("staff",)),
        a_document("vip", same.format(90), labels=("vip",)),
        a_document("before", same.format(10), labels=("old",), effective_to=date(2026, 1, 1)),
        a_document("after", same.format(20), labels=("old",), effective_from=date(2026, 1, 1)),
        a_document("german", same.format(40), labels=("staff",), language="de"),
    ]
    await bring_in(database, documents, WordEmbedding())
    async with database.tenant("demo") as session:
        assert await contradictions(session, tenant_id="demo", embed=WordEmbedding()) == []
    await bring_in(database, [a_document("everybody", same.format(30))], WordEmbedding())
    async with database.tenant("demo") as session:
        found = await contradictions(session, tenant_id="demo", embed=WordEmbedding())
    named = {one.one.section_id for one in found} | {one.other.section_id for one in found}
    assert named == {"everybody", "staff", "vip", "after", "before"}


async def test_old_ending_ended_and_unused_sections_are_named(database: Database) -> None:
    long_ago = NOW - timedelta(days=400)
    await bring_in(database, [a_document("old", "Lamps are fragile.")], WordEmbedding(), long_ago)
    documents = [
        a_document("used", "Parcels leave on Monday."),
        a_document("ending", "Spring sale.", effective_to=NOW.date() + timedelta(days=5)),
        a_document("ended", "Winter sale.", effective_to=NOW.date()),
        a_document("later", "Summer sale.", effective_from=NOW.date() + timedelta(days=5)),
    ]
    await bring_in(database, documents, WordEmbedding())
    async with database.tenant("demo") as session:
        found = await health(session, tenant_id="demo", cited={"used"}, embed=WordEmbedding(), now=NOW)
    assert found.sections == 5
    assert [(one.section_id, one.day) for one in found.stale] == [("old", long_ago.date())]
    assert [one.section_id for one in found.ending] == ["ending"]
    assert [one.section_id for one in found.ended] == ["ended"]
    assert [one.section_id for one in found.uncited] == ["ending", "old"]
