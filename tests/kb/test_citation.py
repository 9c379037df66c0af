from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.db import Database
from kb.citation import cited_section
from kb.errors import SectionNotFoundError
from kb.ingest import ingest
from kb.markdown import read_markdown
from tests.kb.words import WordEmbedding

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
TEXT = "Up to 51\u00a0USD  *once*.\r\nThen\ta person decides."


async def test_old_version_is_quoted_byte_for_byte_with_its_link(database: Database, tenant: str) -> None:
    async with database.tenant(tenant) as session:
        for body in (TEXT, "Changed."):
            document = read_markdown(
                f"---\nurl: https://help.example/r\n---\n## 1 Limits\r\n\r\n{body}\r\n", document_id="r", language="en"
            )
            await ingest(session, tenant_id=tenant, source="s", documents=[document], embed=WordEmbedding(), now=NOW)
    async with database.tenant(tenant) as session:
        citation = await cited_section(session, tenant_id=tenant, section_id="r#1", version=1)
        now = await cited_section(session, tenant_id=tenant, section_id="r#1")
    assert citation.text == TEXT
    assert (citation.heading, citation.url, citation.is_current) == ("1 Limits", "https://help.example/r", False)
    assert (now.version, now.text, now.is_current) == (2, "Changed.", True)


async def test_section_that_was_never_there_cannot_be_cited(database: Database, tenant: str) -> None:
    async with database.tenant(tenant) as session:
        with pytest.raises(SectionNotFoundError, match="no section 'r#9' in version 1 here"):
            await cited_section(session, tenant_id=tenant, section_id="r#9", version=1)
