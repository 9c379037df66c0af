from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from app.db import Database
from kb.documents import ParsedDocument
from kb.errors import DocumentError
from kb.ingest import IngestReport, ingest, retire_missing
from kb.markdown import read_markdown
from kb.models import Document, Section
from tests.kb.words import WordEmbedding

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)

TWO_SECTIONS = "# Refunds\n## 1 Window\nThirty days.\n## 2 Damage\nSend a photo of the lamp.\n"


def a_document(source_text: str = TWO_SECTIONS, *, document_id: str = "refunds") -> ParsedDocument:
    return read_markdown(source_text, document_id=document_id, language="en")


async def bring_in(
    session: AsyncSession,
    *documents: ParsedDocument,
    embed: WordEmbedding | None = None,
    now: datetime = MONDAY,
    tenant_id: str = "demo",
) -> IngestReport:
    return await ingest(
        session,
        tenant_id=tenant_id,
        source="shop",
        documents=documents,
        embed=embed or WordEmbedding(),
        now=now,
    )


async def sections(session: AsyncSession) -> list[tuple[str, int, bool, str]]:
    rows = await session.scalars(select(Section).order_by(col(Section.section_id), col(Section.version)))
    return [(row.section_id, row.version, row.is_current, row.text) for row in rows]


async def assert_counts_are_exact(session: AsyncSession) -> None:
    """The kept word counts equal those that PostgreSQL finds by reading every current section."""
    connection = await session.connection()
    counted = await connection.execute(text("SELECT lexeme, sections FROM kb_term ORDER BY 1"))
    read = await connection.execute(
        text("SELECT word, ndoc FROM ts_stat('SELECT search FROM kb_section WHERE is_current')")
    )
    assert {tuple(row) for row in counted} == {tuple(row) for row in read}
    corpus = await connection.execute(text("SELECT sections FROM kb_corpus"))
    current = await connection.execute(text("SELECT count(*) FROM kb_section WHERE is_current"))
    assert corpus.scalar_one() == current.scalar_one()


async def test_sections_are_stored_with_their_text_and_headings(database: Database, tenant: str) -> None:
    async with database.tenant(tenant) as session:
        report = await bring_in(session, a_document())
        assert report == IngestReport(documents=1, added=2, unchanged=0, retired=0, embedded=2)
        section = await session.get(Section, (tenant, "refunds#2", 1))
        assert section is not None
        assert (section.text, section.heading, section.context) == (
            "Send a photo of the lamp.",
            "2 Damage",
            "Refunds\n2 Damage",
        )
        await assert_counts_are_exact(session)


async def test_ingesting_the_same_again_changes_and_embeds_nothing(database: Database, tenant: str) -> None:
    embed = WordEmbedding()
    async with database.tenant(tenant) as session:
        await bring_in(session, a_document())
        report = await bring_in(session, a_document(), embed=embed, now=TUESDAY)
        assert report == IngestReport(documents=1, added=0, unchanged=2, retired=0, embedded=0)
        assert embed.texts == []
        assert [row[:3] for row in await sections(session)] == [("refunds#1", 1, True), ("refunds#2", 1, True)]


async def test_changed_section_gets_a_version_and_the_old_one_stays_readable(database: Database, tenant: str) -> None:
    embed = WordEmbedding()
    async with database.tenant(tenant) as session:
        await bring_in(session, a_document())
        report = await bring_in(session, a_document(TWO_SECTIONS.replace("Thirty", "Forty")), embed=embed, now=TUESDAY)
        assert report == IngestReport(documents=1, added=1, unchanged=1, retired=1, embedded=1)
        assert embed.texts[0] == "Refunds\n1 Window\nForty days."
        assert await sections(session) == [
            ("refunds#1", 1, False, "Thirty days."),
            ("refunds#1", 2, True, "Forty days."),
            ("refunds#2", 1, True, "Send a photo of the lamp."),
        ]
        old = await session.get(Section, (tenant, "refunds#1", 1), populate_existing=True)
        assert old is not None
        assert old.retired_at == TUESDAY
        await assert_counts_are_exact(session)


async def test_section_that_is_gone_is_retired_and_may_come_back_as_a_new_version(
    database: Database, tenant: str
) -> None:
    embed = WordEmbedding()
    async with database.tenant(tenant) as session:
        await bring_in(session, a_document())
        report = await bring_in(session, a_document("# Refunds\n## 1 Window\nThirty days.\n"), now=TUESDAY)
        assert report.retired == 1
        await assert_counts_are_exact(session)
        await bring_in(session, a_document(), embed=embed, now=TUESDAY)
        assert [row[:3] for row in await sections(session)] == [
            ("refunds#1", 1, True),
            ("refunds#2", 1, False),
            ("refunds#2", 2, True),
        ]
        assert embed.texts == []  # the same words keep their vector
        await assert_counts_are_exact(session)


async def test_document_that_left_its_source_is_marked_deleted(database: Database, tenant: str) -> None:
    async with database.tenant(tenant) as session:
        await bring_in(session, a_document(), a_document("## 1 A\nWe ship lamps.\n", document_id="shipping"))
        gone = await retire_missing(session, tenant_id=tenant, source="shop", kept={"refunds"}, now=TUESDAY)
        other = await retire_missing(session, tenant_id=tenant, source="elsewhere", kept=set(), now=TUESDAY)
        assert (gone, other) == (1, 0)
        document = await session.get(Document, (tenant, "shipping"), populate_existing=True)
        assert document is not None
        assert document.deleted_at == TUESDAY
        assert ("shipping#1", 1, False, "We ship lamps.") in await sections(session)
        await assert_counts_are_exact(session)


async def test_labels_and_dates_change_without_a_new_version(database: Database, tenant: str) -> None:
    async with database.tenant(tenant) as session:
        await bring_in(session, a_document())
        labelled = a_document(f"---\nlabels: [staff]\neffective_to: 2027-01-01\n---\n{TWO_SECTIONS}")
        report = await bring_in(session, labelled, now=TUESDAY)
        assert report.unchanged == 2
        section = await session.get(Section, (tenant, "refunds#1", 1), populate_existing=True)
        assert section is not None
        assert (section.labels, section.effective_to) == (["staff"], date(2027, 1, 1))


async def test_version_that_takes_effect_later_stands_beside_the_present_one(database: Database, tenant: str) -> None:
    async with database.tenant(tenant) as session:
        await bring_in(session, a_document("## 1 Window\nThirty days.\n"))
        await bring_in(session, a_document("---\neffective_from: 2026-06-01\n---\n## 1 Window\nForty days.\n"))
        present = await session.get(Section, (tenant, "refunds#1", 1), populate_existing=True)
        assert present is not None
        assert (present.is_current, present.effective_to) == (True, date(2026, 6, 1))
        await bring_in(session, a_document("---\neffective_from: 2026-05-01\n---\n## 1 Window\nFifty days.\n"))
        assert [row[1:] for row in await sections(session)] == [
            (1, True, "Thirty days."),
            (2, False, "Forty days."),
            (3, True, "Fifty days."),
        ]
        await assert_counts_are_exact(session)


async def test_two_documents_cannot_have_the_same_section(database: Database, tenant: str) -> None:
    one = a_document("Whole.", document_id="a#1")
    other = a_document("## 1 A\nPart.\n", document_id="a")
    async with database.tenant(tenant) as session:
        with pytest.raises(DocumentError, match=r"section 'a#1' is in 'a#1' and in 'a'"):
            await bring_in(session, one, other)
        await bring_in(session, one)
        with pytest.raises(DocumentError, match="give one of them another id"):
            await bring_in(session, other)


async def test_progress_adds_up_to_the_number_of_sections(database: Database, tenant: str) -> None:
    done: list[int] = []
    async with database.tenant(tenant) as session:
        await bring_in(session, a_document())
        changed = TWO_SECTIONS.replace("Thirty", "Forty")
        await ingest(
            session,
            tenant_id=tenant,
            source="shop",
            documents=[a_document(changed)],
            embed=WordEmbedding(),
            now=TUESDAY,
            progress=done.append,
        )
    assert sum(done) == 2


async def test_tenants_have_the_same_ids_and_do_not_meet(database: Database) -> None:
    async with database.tenant("one") as session:
        await bring_in(session, a_document(), tenant_id="one")
    async with database.tenant("two") as session:
        report = await bring_in(session, a_document(), tenant_id="two")
        assert report.added == 2
        assert report.embedded == 2
        assert len(await sections(session)) == 2
        await assert_counts_are_exact(session)


async def test_nothing_to_ingest_is_fine(database: Database, tenant: str) -> None:
    async with database.tenant(tenant) as session:
        assert await bring_in(session) == IngestReport(0, 0, 0, 0, 0)
        assert (await bring_in(session, a_document(""))).added == 0
