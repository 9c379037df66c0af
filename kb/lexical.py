"""The half of retrieval that counts words: PostgreSQL full text finds the candidates, rarity ranks them.

Promises: bounded work. A question's rare words choose the candidates, its common words only rank them, so that "the
order" does not read half of a large knowledge base. The score is BM25 in all but name: inverse section frequency times
`ts_rank` of one word, which grows with occurrences as BM25 does with k1 = 0.64 (sum of 1/n² against n / (n + k1)).
Length does not count: sections were cut to a similar size, and on the PolicyQA development questions it made no
difference. Word forms are PostgreSQL's for the language. Refuses to rank what shares no chosen word.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kb.models import text_search_configuration
from kb.terms import SectionKey

MOST_CANDIDATES: Final = 2000
"""Sections, summed over the words that choose them, which one question may read."""
LONGEST_QUESTION: Final = 4000
"""Characters of a question that are read: its beginning says what it is about."""


_WEIGH: Final = text("""
    SELECT word.lexeme, coalesce(term.sections, 0), coalesce(corpus.sections, 0)
    FROM unnest(to_tsvector(CAST(:configuration AS regconfig), :question)) AS word
    LEFT JOIN kb_term AS term ON term.tenant_id = :tenant_id AND term.lexeme = word.lexeme
    LEFT JOIN kb_corpus AS corpus ON corpus.tenant_id = :tenant_id
    ORDER BY word.lexeme
""")


@dataclass(frozen=True, slots=True)
class Words:
    """The lexemes of a question with their weights (inverse section frequency), and those that choose candidates.

    A lexeme that occurs nowhere has a weight too: it counts against the coverage of every section.
    """

    weights: Mapping[str, float]
    choosing: Sequence[str]

    @property
    def candidates(self) -> str:
        """The words that choose, as a tsquery: a candidate holds at least one of them."""
        return " | ".join(_quoted(lexeme) for lexeme in self.choosing)


@dataclass(frozen=True, slots=True)
class LexicalMatch:
    """A section by its words. `coverage` is the weight of the question's words it contains, from 0 to 1."""

    key: SectionKey
    score: float
    coverage: float


async def weigh(connection: AsyncConnection, *, tenant_id: str, question: str, language: str) -> Words:
    """Cut a question into lexemes and look up how rare each is in this tenant's knowledge."""
    found = await connection.execute(
        _WEIGH,
        {"configuration": text_search_configuration(language), "question": _clean(question), "tenant_id": tenant_id},
    )
    rows = found.all()
    if not rows:
        return Words({}, [])
    sections = rows[0][2]
    weights = {lexeme: math.log(1 + (sections - frequency + 0.5) / (frequency + 0.5)) for lexeme, frequency, *_ in rows}
    choosing, budget = [], MOST_CANDIDATES
    for frequency, lexeme in sorted((frequency, lexeme) for lexeme, frequency, *_ in rows if frequency > 0):
        budget -= frequency
        if budget < 0:
            break
        choosing.append(lexeme)
    return Words(weights, choosing)


_RANK: Final = """
    WITH weight AS MATERIALIZED (
        SELECT CAST(word AS tsquery) AS word, idf
        FROM unnest(CAST(:words AS text[]), CAST(:weights AS float8[])) AS weight (word, idf)
    ), candidate AS MATERIALIZED (
        SELECT section_id, version, search
        FROM kb_section
        WHERE tenant_id = :tenant_id AND is_current AND search @@ CAST(:candidates AS tsquery) AND {filters}
        LIMIT :most_candidates
    )
    SELECT section_id, version, score, covered
    FROM candidate
    CROSS JOIN LATERAL (
        SELECT sum(idf * ts_rank(search, word)) AS score, sum(idf) AS covered FROM weight WHERE search @@ word
    ) AS matched
    ORDER BY score DESC, section_id, version
    LIMIT :pool
"""


async def lexical_matches(
    connection: AsyncConnection, words: Words, *, tenant_id: str, filters: str, values: Mapping[str, Any], pool: int
) -> list[LexicalMatch]:
    """The best sections by their words, at most `pool`, best first.

    Args:
        connection: of the tenant.
        words: of the question.
        tenant_id: whose knowledge is searched.
        filters: SQL condition on `kb_section` in names of `values`, written by code.
        values: what the condition's names stand for.
        pool: how many matches are wanted.
    """
    if not words.choosing:
        return []
    rows = await connection.execute(
        text(_RANK.format(filters=filters)),
        {
            **values,
            "tenant_id": tenant_id,
            "words": [_quoted(lexeme) for lexeme in words.weights],
            "weights": list(words.weights.values()),
            "candidates": words.candidates,
            "most_candidates": MOST_CANDIDATES,
            "pool": pool,
        },
    )
    total = sum(words.weights.values())
    return [
        LexicalMatch(SectionKey(section_id, version), float(score), float(covered) / total)
        for section_id, version, score, covered in rows
    ]


def _clean(question: str) -> str:
    """What PostgreSQL can take in: neither NUL nor half of a surrogate pair, and not a whole book."""
    return question[:LONGEST_QUESTION].replace("\0", " ").encode(errors="ignore").decode()


def _quoted(lexeme: str) -> str:
    """A lexeme as PostgreSQL's tsquery input wants it: quotes and backslashes doubled.

    https://www.postgresql.org/docs/current/datatype-textsearch.html#DATATYPE-TSQUERY
    """
    doubled = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"
