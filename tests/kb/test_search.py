from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from graph.models.embedding import Embedder
from kb.documents import ParsedDocument, ParsedSection
from kb.ingest import ingest
from kb.models import USE_FULL_TEXT_INDEX
from kb.search import Filters, Hit, search
from kb.sources import read_documents
from kb.vectors import Embed, section_vectors
from tests.kb.words import WordEmbedding

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
TODAY = Filters(on=NOW.date())
LIBRARY = Path(__file__).parents[2] / "kb" / "library" / "demo-shop"


def a_document(document_id: str, body: str, **more: Any) -> ParsedDocument:
    section = ParsedSection(document_id, (), body)
    return ParsedDocument(**{"document_id": document_id, "title": "", "language": "en", "sections": (section,)} | more)


async def bring_in(
    session: AsyncSession, documents: Sequence[ParsedDocument], embed: Embed, tenant_id: str = "demo"
) -> None:
    await ingest(session, tenant_id=tenant_id, source="shop", documents=documents, embed=embed, now=NOW)


async def ask(session: AsyncSession, question: str, embed: Embed | None = None, **more: Any) -> list[Hit]:
    (vector,) = (embed or WordEmbedding())([question])
    return await search(
        session, **{"tenant_id": "demo", "query": question, "query_vector": vector, "filters": TODAY} | more
    )


def found(hits: list[Hit]) -> list[str]:
    return [hit.section_id for hit in hits]


async def test_nearest_section_comes_first_with_its_version_score_and_ranks(database: Database, tenant: str) -> None:
    documents = [
        a_document("lamp", "A broken lamp is replaced.", url="https://help.example/lamp"),
        a_document("ship", "Parcels leave on Monday."),
    ]
    async with database.tenant(tenant) as session:
        await bring_in(session, documents, WordEmbedding())
        hit = (await ask(session, "my lamp is broken"))[0]
    assert (hit.section_id, hit.version, hit.text) == ("lamp", 1, "A broken lamp is replaced.")
    assert (hit.reason.vector_rank, hit.reason.lexical_rank, hit.score) == (1, 1, 1.0)
    assert hit.url == "https://help.example/lamp"
    assert hit.similarity > 0.4
    assert hit.coverage == 1.0  # "my" and "is" are stop words


async def test_empty_knowledge_answers_nothing(database: Database, tenant: str) -> None:
    async with database.tenant(tenant) as session:
        assert await ask(session, "anything") == []


async def test_nothing_near_enough_is_an_empty_list(database: Database, tenant: str) -> None:
    async with database.tenant(tenant) as session:
        await bring_in(session, [a_document("lamp", "A broken lamp is replaced.")], WordEmbedding())
        assert await ask(session, "capital of France") == []
        assert found(await ask(session, "capital of France", floor=-1.0)) == ["lamp"]


async def test_exact_code_is_found_by_its_word_below_the_floor(database: Database, tenant: str) -> None:
    filler = [a_document(f"f{n}", f"Filler text number {n} about gardens and pots.") for n in range(80)]
    code = a_document("code", "Error LG4711 means that the pump is dry. " + "Refill the tank with water. " * 30)
    async with database.tenant(tenant) as session:
        await bring_in(session, [*filler, code], WordEmbedding())
        hits = await ask(session, "LG4711", floor=0.99)
    assert hits[0].section_id == "code"
    assert hits[0].reason.lexical_rank == 1


@pytest.mark.parametrize(
    "question",
    [
        "",
        "   ",
        "'; DROP TABLE kb_section; --",
        "a\\'b | & ! <-> :*",
        "nul\x00here",
        "half \ud800 pair",
        "lamp " * 5_000,
    ],
)
async def test_no_question_is_an_error(database: Database, tenant: str, question: str) -> None:
    async with database.tenant(tenant) as session:
        await bring_in(session, [a_document("lamp", "It's a broken lamp\\'b.")], WordEmbedding())
        assert found(await ask(session, question, floor=-1.0)) == ["lamp"]


async def test_sections_in_force_on_the_day_are_found(database: Database, tenant: str) -> None:
    documents = [
        a_document("old", "Lamps until June.", effective_to=date(2026, 6, 1)),
        a_document("new", "Lamps from June.", effective_from=date(2026, 6, 1)),
    ]
    async with database.tenant(tenant) as session:
        await bring_in(session, documents, WordEmbedding())
        for day, expected in ((date(2026, 5, 31), "old"), (date(2026, 6, 1), "new")):
            assert found(await ask(session, "lamps june", filters=Filters(on=day))) == [expected]


async def test_labelled_sections_are_found_only_with_one_of_their_labels(database: Database, tenant: str) -> None:
    documents = [a_document("open", "Lamp help."), a_document("inner", "Lamp margins.", labels=("staff", "lead"))]
    async with database.tenant(tenant) as session:
        await bring_in(session, documents, WordEmbedding())
        for labels, expected in ((set(), ["open"]), ({"vip"}, ["open"]), ({"vip", "lead"}, ["inner", "open"])):
            filters = Filters(on=NOW.date(), labels=frozenset(labels))
            assert sorted(found(await ask(session, "lamp", filters=filters))) == expected


async def test_language_filter_uses_the_word_forms_of_the_language(database: Database, tenant: str) -> None:
    documents = [
        a_document("de", "Rückgaben dauern dreißig Tage.", language="de"),
        a_document("en", "Returns take thirty days.", language="en"),
        a_document("ja", "返品は三十日以内です。", language="ja"),
    ]
    async with database.tenant(tenant) as session:
        await bring_in(session, documents, WordEmbedding())
        hits = await ask(session, "Rückgabe", filters=Filters(on=NOW.date(), language="de"))
        assert found(hits) == ["de"]
        assert hits[0].reason.lexical_rank == 1
        assert found(await ask(session, "返品", filters=Filters(on=NOW.date(), language="ja"), floor=-1.0)) == ["ja"]


async def test_filter_that_keeps_one_in_a_hundred_keeps_recall(database: Database, tenant: str) -> None:
    many = [a_document(f"m{n}", f"lamp {n} garden", labels=("staff",)) for n in range(600)]
    few = [a_document(f"few{n}", f"sofa chair table {n}", labels=("vip",)) for n in range(5)]
    async with database.tenant(tenant) as session:
        await bring_in(session, [*many, *few], WordEmbedding())
        filters = Filters(on=NOW.date(), labels=frozenset({"vip"}))
        hits = await ask(session, "lamp garden", filters=filters, floor=-1.0, k=5)
    assert sorted(found(hits)) == [f"few{n}" for n in range(5)]


async def test_sections_of_another_tenant_are_never_found(database: Database) -> None:
    async with database.tenant("other") as session:
        await bring_in(session, [a_document("secret", "A lamp.")], WordEmbedding(), tenant_id="other")
    async with database.tenant("demo") as session:
        assert await ask(session, "lamp", floor=-1.0) == []


async def test_full_text_index_is_used_under_row_level_security(
    database: Database, admin_url: str, tenant: str
) -> None:
    vector = np.full((1, 384), 384**-0.5, dtype=np.float32)
    documents = [a_document(f"lamp{n}", f"Lamp number {n}.") for n in range(500)]
    async with database.tenant(tenant) as session:
        await bring_in(session, documents, lambda texts: np.repeat(vector, len(texts), axis=0))
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(USE_FULL_TEXT_INDEX)
        admin.execute("VACUUM ANALYZE kb_section")
    async with database.tenant(tenant) as session:
        connection = await session.connection()
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await connection.execute(
            text("EXPLAIN SELECT 1 FROM kb_section WHERE is_current AND search @@ CAST('77' AS tsquery)")
        )
        assert "ix_kb_section_search" in "\n".join(plan.scalars())
        # Elsewhere than in its row, what fetching a vector costs is hidden from the planner, and it reads them all.
        nearest = f"SELECT 1 FROM kb_section WHERE is_current ORDER BY embedding <=> '{[0.0] * 383 + [1.0]}' LIMIT 60"
        await connection.execute(text("SET LOCAL enable_seqscan = on"))
        plan = await connection.execute(text(f"EXPLAIN {nearest}"))
        assert "ix_kb_section_embedding" in "\n".join(plan.scalars())


async def test_vector_of_another_size_is_refused(database: Database, tenant: str) -> None:
    async with database.tenant(tenant) as session:
        with pytest.raises(ValueError, match="give one row of 384 numbers"):
            await ask(session, "lamp", query_vector=np.zeros(3, dtype=np.float32))


def test_section_vector_has_length_one_and_leans_to_its_sentences() -> None:
    texts = [
        "Pots stand in the garden all summer and are taken inside before the first frost. Lamps break when they fall."
    ]
    (vector,) = section_vectors(WordEmbedding(), texts, ["Garden"])
    whole = WordEmbedding()([f"Garden\n{texts[0]}"])[0]
    sentence = WordEmbedding()(["Lamps break when they fall."])[0]
    assert abs(float(np.linalg.norm(vector)) - 1) < 1e-5
    assert float(vector @ sentence) > float(whole @ sentence) + 0.1
    assert section_vectors(WordEmbedding(), [], []).shape == (0, 384)


async def test_shipped_documents_answer_shop_questions(database: Database, tenant: str, model: Embedder) -> None:
    lines = (Path(__file__).parent / "demo_shop_questions.jsonl").read_text().splitlines()
    questions = [json.loads(line) for line in lines]
    model.embed([question["query"] for question in questions])  # one batch; the model remembers them
    ranks: list[int] = []
    async with database.tenant(tenant) as session:
        await bring_in(session, list(read_documents(LIBRARY)), model.embed)
        for question in questions:
            hits = found(await ask(session, question["query"], model.embed))
            ranks.append(next((rank for rank, section in enumerate(hits, 1) if section in question["gold"]), 0))
        for other in ("who won the world cup in 1998", "play some jazz", "what is the boiling point of mercury"):
            assert await ask(session, other, model.embed) == []
    missed = [question["query"] for question, rank in zip(questions, ranks, strict=True) if rank == 0]
    assert len(missed) <= 1, missed
    assert sum(1 / rank for rank in ranks if rank) / len(ranks) >= 0.85
