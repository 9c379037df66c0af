"""Sections that answer the same question with different numbers.

Two sentences contradict each other where they mean nearly the same (by their vectors, with the numbers taken out) and
give different numbers of the same thing: "within 30 days" against "within 14 days". Promises: only sections that could
be found for the same reader on the same day are compared. Refuses to say which is right: a person reads both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from kb.documents import sentences
from kb.vectors import Embed

NEIGHBOURS: Final = 8
"""How many of the nearest sections each is compared with."""
SECTIONS_ALIKE: Final = 0.45
"""Cosine similarity from which two sections may answer the same question."""
SENTENCES_ALIKE: Final = 0.8
"""Cosine similarity of two sentences without their numbers from which they say the same."""
MOST_SENTENCES: Final = 24
_NUMBER: Final = re.compile(r"(?P<sign>[$€£¥])?(?P<number>\d+(?:[.,]\d+)*)\s?(?P<unit>%|[^\W\d_]+)?")
_FILLER: Final = frozenset({"business", "calendar", "working", "full", "consecutive", "more", "or", "of", "and", "to"})

_PAIRS: Final = text(
    """
    SELECT one.section_id AS one_id, one.version AS one_version, one.text AS one_text,
           other.section_id AS other_id, other.version AS other_version, other.text AS other_text
    FROM (
        SELECT * FROM kb_section
         WHERE tenant_id = :tenant_id AND is_current AND text ~ '[0-9]' AND section_id > :after
         ORDER BY section_id, version LIMIT :portion
    ) AS one
    CROSS JOIN LATERAL (
        SELECT near.*, near.embedding <=> one.embedding AS distance
        FROM kb_section AS near
        WHERE near.tenant_id = :tenant_id AND near.is_current
        ORDER BY near.embedding <=> one.embedding
        LIMIT :neighbours
    ) AS other
    WHERE other.section_id > one.section_id AND other.distance <= :farthest AND other.text ~ '[0-9]'
      AND other.language = one.language
      AND (one.labels = '{}' OR other.labels = '{}' OR one.labels && other.labels)
      AND coalesce(one.effective_from, '-infinity') < coalesce(other.effective_to, 'infinity')
      AND coalesce(other.effective_from, '-infinity') < coalesce(one.effective_to, 'infinity')
    ORDER BY one.section_id, other.distance
    """
)
_LAST: Final = text(
    """
    SELECT max(section_id), count(*) FROM (
        SELECT section_id FROM kb_section
         WHERE tenant_id = :tenant_id AND is_current AND text ~ '[0-9]' AND section_id > :after
         ORDER BY section_id, version LIMIT :portion
    ) AS portion
    """
)
PORTION: Final = 200


@dataclass(frozen=True, slots=True)
class Place:
    """A sentence of a section version."""

    section_id: str
    version: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two sentences that say the same but for a number. `similarity` is theirs without the numbers."""

    one: Place
    other: Place
    about: str
    similarity: float


async def contradictions(session: AsyncSession, *, tenant_id: str, embed: Embed) -> list[Contradiction]:
    """All that are found among the current sections, the most alike first.

    Args:
        session: of the tenant; nothing is written.
        tenant_id: whose knowledge is looked through.
        embed: the model that embedded the sections.
    """
    found: list[Contradiction] = []
    connection = await session.connection()
    values: dict[str, Any] = {"tenant_id": tenant_id, "portion": PORTION, "neighbours": NEIGHBOURS}
    values["farthest"] = 1 - SECTIONS_ALIKE
    after = ""
    while True:
        last, count = (await connection.execute(_LAST, {**values, "after": after})).one()
        if not count:
            return sorted(found, key=lambda one: (-one.similarity, one.one.section_id, one.other.section_id))
        for row in await connection.execute(_PAIRS, {**values, "after": after}):
            one = [Place(row.one_id, row.one_version, sentence) for sentence in _telling(row.one_text)]
            other = [Place(row.other_id, row.other_version, sentence) for sentence in _telling(row.other_text)]
            found += _between(one, other, embed)
        after = last


def differing(one: str, other: str) -> str | None:
    """What two sentences give different numbers of, if anything.

    >>> differing("You can return it within 30 days.", "Returns are taken for 14 days.")
    'days'
    """
    ours, theirs = quantities(one), quantities(other)
    for unit in sorted(ours.keys() & theirs.keys()):
        if not ours[unit] & theirs[unit]:
            return unit
    return None


def quantities(sentence: str) -> Mapping[str, frozenset[str]]:
    """The numbers of a sentence by what they count: a unit, a currency sign, or the next word that tells anything."""
    found: dict[str, set[str]] = {}
    for match in _NUMBER.finditer(sentence):
        unit = match["sign"] or _unit(sentence, match)
        if unit:
            found.setdefault(unit, set()).add(match["number"].replace(",", "").rstrip("."))
    return {unit: frozenset(numbers) for unit, numbers in found.items()}


def _unit(sentence: str, match: re.Match[str]) -> str:
    words = re.findall(r"%|[^\W\d_]+", sentence[match.end("number") : match.end("number") + 40].lower())
    word = next((word for word in words[:3] if word not in _FILLER), "")
    return word if word.endswith("s") or not word.isalpha() else f"{word}s"


def _telling(words: str) -> Iterator[str]:
    """The sentences of a section with a number of something."""
    kept = (sentence for sentence in sentences(words) if quantities(sentence))
    for sentence, _ in zip(kept, range(MOST_SENTENCES), strict=False):
        yield sentence


def _between(one: Sequence[Place], other: Sequence[Place], embed: Embed) -> Iterator[Contradiction]:
    if not one or not other:
        return
    alike = _without_numbers(one, embed) @ _without_numbers(other, embed).T
    for row, column in zip(*np.nonzero(alike >= SENTENCES_ALIKE), strict=True):
        about = differing(one[row].sentence, other[column].sentence)
        if about is not None:
            yield Contradiction(one[row], other[column], about, round(float(alike[row, column]), 4))


def _without_numbers(places: Sequence[Place], embed: Embed) -> NDArray[np.float32]:
    return embed([re.sub(r"\d+(?:[.,]\d+)*", "#", place.sentence) for place in places])
