"""What is wrong with the knowledge: old, running out, never used, in contradiction with itself.

Promises: reads only, and names section and version, so that a person can go and look. Refuses to decide: a section that
nobody asked for may be new, and of two that contradict each other one is right.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from kb.contradictions import Contradiction, contradictions
from kb.vectors import Embed

STALE_AFTER: Final = timedelta(days=365)
ENDS_WITHIN: Final = timedelta(days=30)

_SECTIONS: Final = text(
    """
    SELECT section_id, version, heading, url, ingested_at, effective_to,
           (effective_from IS NULL OR effective_from <= :on) AND (effective_to IS NULL OR effective_to > :on) AS holds
    FROM kb_section WHERE tenant_id = :tenant_id AND is_current ORDER BY section_id, version
    """
)


@dataclass(frozen=True, slots=True)
class Concern:
    """A section version and the day that makes it one: when its words last changed, or when it ends."""

    section_id: str
    version: int
    heading: str
    url: str | None
    day: date


@dataclass(frozen=True, slots=True)
class Health:
    """All concerns, each list in the order of section ids.

    Attributes:
        sections: how many are current.
        stale: words that have not changed for a year.
        ending: in force, and ending soon.
        ended: current and no longer in force: found for nobody.
        uncited: in force, and neither found for a ticket nor decided on since the day that was asked about.
        contradicting: pairs with different numbers, the most alike first.
    """

    sections: int
    stale: tuple[Concern, ...]
    ending: tuple[Concern, ...]
    ended: tuple[Concern, ...]
    uncited: tuple[Concern, ...]
    contradicting: tuple[Contradiction, ...]


async def health(
    session: AsyncSession,
    *,
    tenant_id: str,
    cited: Collection[str],
    embed: Embed,
    now: datetime,
    stale_after: timedelta = STALE_AFTER,
) -> Health:
    """Look through all current sections.

    Args:
        session: of the tenant; nothing is written.
        tenant_id: whose knowledge is looked through.
        cited: ids of the sections that were used in the time that counts.
        embed: the model that embedded the sections.
        now: aware time.
        stale_after: how long words may stay as they are.
    """
    connection = await session.connection()
    today = now.date()
    rows = (await connection.execute(_SECTIONS, {"tenant_id": tenant_id, "on": today})).all()
    stale, ending, ended, uncited = [], [], [], []
    for row in rows:
        changed = row.ingested_at.date()
        concern = Concern(row.section_id, row.version, row.heading, row.url, changed)
        if row.effective_to is not None and row.effective_to <= today:
            ended.append(Concern(row.section_id, row.version, row.heading, row.url, row.effective_to))
            continue
        if row.effective_to is not None and row.effective_to <= today + ENDS_WITHIN:
            ending.append(Concern(row.section_id, row.version, row.heading, row.url, row.effective_to))
        if row.ingested_at <= now - stale_after:
            stale.append(concern)
        if row.holds and row.section_id not in cited:
            uncited.append(concern)
    found = await contradictions(session, tenant_id=tenant_id, embed=embed)
    return Health(len(rows), tuple(stale), tuple(ending), tuple(ended), tuple(uncited), tuple(found))
