"""Citations: the stored words of a section version, whatever happened to the section since.

Promises: the text comes from the database byte for byte. Refuses to cite what the tenant never had.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kb.errors import SectionNotFoundError
from kb.models import Section


async def cited_section(
    session: AsyncSession, *, tenant_id: str, section_id: str, version: int | None = None
) -> Section:
    """The section version as it was stored, current or not; without a version the current one, or else the last.

    Raises:
        SectionNotFoundError: this tenant has no such version.
    """
    query = (
        select(Section)
        .where(col(Section.tenant_id) == tenant_id, col(Section.section_id) == section_id)
        .order_by(col(Section.is_current).desc(), col(Section.version).desc())
        .limit(1)
    )
    if version is not None:
        query = query.where(col(Section.version) == version)
    section = (await session.execute(query)).scalar_one_or_none()
    if section is None:
        named = f"section {section_id[:80]!r}" + (f" in version {version}" if version is not None else "")
        raise SectionNotFoundError(f"there is no {named} here: cite a section that was retrieved")
    return section
