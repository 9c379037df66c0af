"""How rare each word is among a tenant's current sections, kept in step with ingestion.

Promises: after every ingestion `kb_term` and `kb_corpus` count exactly the current sections. PostgreSQL's ranking of
full text knows nothing about other documents (https://www.postgresql.org/docs/current/textsearch-controls.html), so it
cannot prefer a rare word to a common one; these counts supply what it lacks. Refuses to count for two tenants at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


class SectionKey(NamedTuple):
    """One version of one section, within a tenant."""

    section_id: str
    version: int


_COUNT: Final = text("""
    WITH changed AS MATERIALIZED (
        SELECT section.search, change.sign
        FROM unnest(CAST(:section_ids AS text[]), CAST(:versions AS int[]), CAST(:signs AS int[]))
             AS change (section_id, version, sign)
        JOIN kb_section AS section
          ON section.tenant_id = :tenant_id
         AND section.section_id = change.section_id
         AND section.version = change.version
    ), counted AS (
        INSERT INTO kb_term (tenant_id, lexeme, sections)
        SELECT :tenant_id, word.lexeme, sum(changed.sign)
        FROM changed, unnest(changed.search) AS word
        GROUP BY word.lexeme
        HAVING sum(changed.sign) <> 0
        ON CONFLICT (tenant_id, lexeme) DO UPDATE SET sections = kb_term.sections + excluded.sections
    )
    INSERT INTO kb_corpus (tenant_id, sections)
    SELECT :tenant_id, coalesce(sum(sign), 0) FROM changed
    ON CONFLICT (tenant_id) DO UPDATE SET sections = kb_corpus.sections + excluded.sections
""")
_FORGET: Final = text("DELETE FROM kb_term WHERE tenant_id = :tenant_id AND sections <= 0")


async def recount(
    connection: AsyncConnection, *, tenant_id: str, added: Sequence[SectionKey], retired: Sequence[SectionKey]
) -> None:
    """Add the words of sections that became current and take away those of sections that ceased to be.

    Call it in the transaction that wrote them, after the rows are there, once for each change.
    """
    if not added and not retired:
        return
    changes = {
        "tenant_id": tenant_id,
        "section_ids": [key.section_id for key in (*added, *retired)],
        "versions": [key.version for key in (*added, *retired)],
        "signs": [1] * len(added) + [-1] * len(retired),
    }
    await connection.execute(_COUNT, changes)
    if retired:
        await connection.execute(_FORGET, {"tenant_id": tenant_id})
