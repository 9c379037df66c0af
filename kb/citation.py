"""Citations: the stored words of a section version, and whether a quotation is them.

Promises: a quotation comes from the database byte for byte, whatever happened to the section since, and is checked
against it without normalising anything. Refuses to cite what the tenant never had.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from kb.errors import SectionNotFoundError
from kb.models import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """One section version as it was ingested. `text` is what may be quoted; `url` leads to the published document."""

    section_id: str
    version: int
    heading: str
    text: str
    url: str | None
    is_current: bool


class QuotationCheck(StrEnum):
    """What a quotation is, compared with the stored text."""

    WHOLE = "whole"
    EXCERPT = "excerpt"
    DIFFERENT = "different"


async def quote(session: AsyncSession, *, tenant_id: str, section_id: str, version: int) -> Citation:
    """The section version as it was stored, current or not.

    Raises:
        SectionNotFoundError: this tenant has no such version.
    """
    section = await session.get(Section, (tenant_id, section_id, version))
    if section is None:
        raise SectionNotFoundError(
            f"section {section_id!r} has no version {version!r} here: cite a section that was retrieved"
        )
    return Citation(
        section_id=section.section_id,
        version=section.version,
        heading=section.heading,
        text=section.text,
        url=section.url,
        is_current=section.is_current,
    )


def check_quotation(citation: Citation, quotation: str) -> QuotationCheck:
    """Compare a quotation with the citation, character by character.

    An excerpt is a contiguous part that begins and ends at word borders, so that "1 USD" is not found in "51 USD".
    """
    if quotation == citation.text:
        return QuotationCheck.WHOLE
    start = citation.text.find(quotation) if quotation.strip() else -1
    while start >= 0:
        end = start + len(quotation)
        if not _splits_word(citation.text, start) and not _splits_word(citation.text, end):
            return QuotationCheck.EXCERPT
        start = citation.text.find(quotation, start + 1)
    return QuotationCheck.DIFFERENT


def _splits_word(text: str, position: int) -> bool:
    around = text[max(position - 1, 0) : position + 1]
    return 0 < position < len(text) and all(letter.isalnum() for letter in around)
