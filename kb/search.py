"""Sections for a question: vectors and words, fused.

Promises: the best current sections that the reader may see and that are in force on the day, each with its version, its
score and where it stood in either half; an empty list where nothing is near enough. Filters act inside the index scans,
so that they do not cost recall. Where a cross-encoder is given, it has the last word on the order of the best.
Refuses to answer from sections of another tenant, retired ones and foreign labels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from kb.lexical import LexicalMatch, lexical_matches, weigh
from kb.models import EMBEDDING_SIZE
from kb.terms import SectionKey

Rerank = Callable[[str, Sequence[str]], NDArray[np.float32]]
"""A question and texts to how well each answers it, from 0 to 1, in the order of the texts."""

RERANKED: Final = 20
"""Sections that a cross-encoder reads for one question: it reads each anew, which takes some hundredths of a second."""
POOL: Final = 60
"""Candidates taken from each half."""
RANK_OFFSET: Final = 3
"""RRF's k (https://doi.org/10.1145/1571941.1572114). Small, because a policy question has one or two right sections."""
FLOOR: Final = 0.25
"""Cosine similarity that at least one hit must reach. Nine in ten questions about other things stay below it when asked
of a shop's policies, and few of the questions that these answer."""
COVERED_FLOOR: Final = 0.7
"""Share of the question's words that answers below the floor too: exact names and codes embed badly."""
DEFAULT_LANGUAGE: Final = "en"
"""Language of a question that is not said to be in another; it decides which word forms match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What may be found.

    Attributes:
        on: the day on which a section must be in force.
        labels: access labels the reader holds; sections without labels are for everybody.
        language: ISO 639-1; None finds every language and takes the question for English.
    """

    on: date
    labels: frozenset[str] = frozenset()
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a section was found: its rank from 1 in either half (None: not among that half's candidates).

    `rerank_score` is what the cross-encoder gave it, from 0 to 1; None where none was asked.
    """

    vector_rank: int | None
    lexical_rank: int | None
    rerank_score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A section version for a question.

    `score` is from 0 to 1 and orders the hits of one question (1: first in both halves; the cross-encoder's where one
    was asked); `similarity` is the cosine and compares between questions; `heading` is the document's title, else the
    section's id, where the section has none; `coverage` is the weight of the question's words found, from 0 to 1.
    """

    section_id: str
    version: int
    document_id: str
    heading: str
    text: str
    url: str | None
    language: str
    score: float
    similarity: float
    coverage: float
    reason: Reason


async def search(
    session: AsyncSession,
    *,
    tenant_id: str,
    query: str,
    query_vector: NDArray[np.float32],
    filters: Filters,
    k: int = 5,
    floor: float = FLOOR,
    rerank: Rerank | None = None,
) -> list[Hit]:
    """Find the sections that answer a question, best first.

    Args:
        session: of the tenant, in a transaction (index settings are local to it).
        tenant_id: whose knowledge is searched.
        query: the question; may be empty, then only the vector counts.
        query_vector: its unit vector, shape `(384,)`, from the model that embedded the sections.
        filters: what may be found.
        k: how many at most.
        floor: cosine similarity that the best hit must reach, unless a hit has nearly all the question's words.
        rerank: a cross-encoder, run in a thread of its own; it orders the first `RERANKED` of the fused list.

    Returns:
        At most `k` hits; ties end in the order of section ids. Empty where none reaches the floor: nothing is known
        about the question, and a list of the least unlike sections would be a guess.
    """
    connection = await session.connection()
    found = await _candidates(connection, tenant_id, query, query_vector, filters)
    read = max(k, RERANKED) if rerank is not None else k
    hits = await _hits(connection, tenant_id, found, read)
    if rerank is not None:
        hits = await _reranked(rerank, query, hits)
    hits = hits[:k]
    is_known = any(hit.similarity >= floor or hit.coverage >= COVERED_FLOOR for hit in hits)
    return hits if is_known else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Rankings:
    """The candidates of a question by either half and fused: section ids, best first.

    `reranked` is the fused list with its beginning in the cross-encoder's order; empty where none was given.
    """

    by_vector: tuple[str, ...]
    by_words: tuple[str, ...]
    fused: tuple[str, ...]
    reranked: tuple[str, ...] = ()


async def rank(
    session: AsyncSession,
    *,
    tenant_id: str,
    query: str,
    query_vector: NDArray[np.float32],
    filters: Filters,
    rerank: Rerank | None = None,
) -> Rankings:
    """What `search` chooses from, for measuring it; the arguments are its own."""
    connection = await session.connection()
    found = await _candidates(connection, tenant_id, query, query_vector, filters)
    fused = tuple(key.section_id for key in found.best)
    reranked: tuple[str, ...] = ()
    if rerank is not None:
        hits = await _reranked(rerank, query, await _hits(connection, tenant_id, found, RERANKED))
        reranked = (*(hit.section_id for hit in hits), *fused[RERANKED:])
    return Rankings(
        by_vector=tuple(key.section_id for key in found.near),
        by_words=tuple(match.key.section_id for match in found.worded),
        fused=fused,
        reranked=reranked,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidates:
    """What both halves found for a question vector; `best` is fused, best first."""

    literal: str
    near: Sequence[SectionKey]
    worded: Sequence[LexicalMatch]
    reasons: Mapping[SectionKey, Reason]
    best: Sequence[SectionKey]


async def _candidates(
    connection: AsyncConnection, tenant_id: str, query: str, vector: NDArray[np.float32], filters: Filters
) -> _Candidates:
    literal, values = vector_literal(vector), _filter_values(filters)
    near = await _vector_matches(connection, tenant_id, literal, values)
    words = await weigh(connection, tenant_id=tenant_id, question=query, language=filters.language or DEFAULT_LANGUAGE)
    worded = await lexical_matches(connection, words, tenant_id=tenant_id, filters=_FILTERS, values=values, pool=POOL)
    reasons = _reasons(near, worded)
    best = sorted(reasons, key=lambda key: (-_fused(reasons[key]), key))
    return _Candidates(literal=literal, near=near, worded=worded, reasons=reasons, best=best)


async def _hits(connection: AsyncConnection, tenant_id: str, found: _Candidates, most: int) -> list[Hit]:
    """The best as they stand in the database."""
    keys = found.best[:most]
    rows = await _read(connection, tenant_id, found.literal, keys)
    coverage = {match.key: match.coverage for match in found.worded}
    return [
        Hit(
            **rows[key],
            score=round(_fused(found.reasons[key]), 6),
            coverage=coverage.get(key, 0.0),
            reason=found.reasons[key],
        )
        for key in keys
    ]


async def _reranked(rerank: Rerank, query: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits in the cross-encoder's order; where it makes no difference, the fused order stands."""
    if not query.strip() or not hits:
        return list(hits)
    texts = [f"{hit.heading}\n{hit.text}" for hit in hits]
    scores = [round(float(score), 6) for score in await asyncio.to_thread(rerank, query, texts)]
    rescored = [
        replace(hit, score=score, reason=replace(hit.reason, rerank_score=score))
        for hit, score in zip(hits, scores, strict=True)
    ]
    return sorted(rescored, key=lambda hit: -hit.score)


_FILTERS: Final = """
    (effective_from IS NULL OR effective_from <= :on) AND (effective_to IS NULL OR effective_to > :on)
    AND (labels = '{}' OR labels && CAST(:labels AS text[]))
    AND (CAST(:language AS text) IS NULL OR language = :language)
"""
# With an iterative scan the index goes on until enough rows have passed the filters:
# https://github.com/pgvector/pgvector#iterative-index-scans
_SCAN_ON: Final = text(
    "SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '100', true)"
)
_NEAREST: Final = text(f"""
    SELECT section_id, version
    FROM kb_section
    WHERE tenant_id = :tenant_id AND is_current AND {_FILTERS}
    ORDER BY embedding <=> CAST(:vector AS vector)
    LIMIT {POOL:d}
""")  # noqa: S608  # only constants of this module are put in
_READ: Final = text("""
    SELECT section_id, version, document_id, text, section.url, section.language,
           COALESCE(NULLIF(heading, ''), NULLIF(title, ''), section_id) AS heading,
           1 - (embedding <=> CAST(:vector AS vector)) AS similarity
    FROM kb_section AS section JOIN kb_document USING (tenant_id, document_id)
    WHERE tenant_id = :tenant_id AND (section_id, version) IN :keys
""").bindparams(bindparam("keys", expanding=True))


def vector_literal(vector: NDArray[np.float32]) -> str:
    """A vector as pgvector reads it.

    Raises:
        ValueError: it is not one vector of the model's size.
    """
    if vector.shape != (EMBEDDING_SIZE,):
        raise ValueError(f"question vector has shape {vector.shape!r}: give one row of {EMBEDDING_SIZE} numbers")
    return "[" + ",".join(map(repr, vector.tolist())) + "]"


def _filter_values(filters: Filters) -> dict[str, Any]:
    return {"on": filters.on, "labels": sorted(filters.labels), "language": filters.language}


async def _vector_matches(
    connection: AsyncConnection, tenant_id: str, literal: str, values: Mapping[str, Any]
) -> list[SectionKey]:
    await connection.execute(_SCAN_ON)
    rows = await connection.execute(_NEAREST, {**values, "tenant_id": tenant_id, "vector": literal})
    return [SectionKey(section_id, version) for section_id, version in rows]


def _reasons(near: Sequence[SectionKey], worded: Sequence[LexicalMatch]) -> dict[SectionKey, Reason]:
    vector_ranks = {key: rank for rank, key in enumerate(near, start=1)}
    lexical_ranks = {match.key: rank for rank, match in enumerate(worded, start=1)}
    return {
        key: Reason(vector_rank=vector_ranks.get(key), lexical_rank=lexical_ranks.get(key))
        for key in {**vector_ranks, **lexical_ranks}
    }


def _fused(reason: Reason) -> float:
    """Reciprocal rank fusion, scaled so that the first of both halves has 1."""
    ranks = (rank for rank in (reason.vector_rank, reason.lexical_rank) if rank is not None)
    return sum((RANK_OFFSET + 1) / (RANK_OFFSET + rank) for rank in ranks) / 2


async def _read(
    connection: AsyncConnection, tenant_id: str, literal: str, keys: Sequence[SectionKey]
) -> dict[SectionKey, dict[str, Any]]:
    if not keys:
        return {}
    rows = await connection.execute(
        _READ, {"tenant_id": tenant_id, "vector": literal, "keys": [tuple(k) for k in keys]}
    )
    return {SectionKey(row["section_id"], row["version"]): dict(row) for row in rows.mappings()}
