"""Rows `retrieval` and `retrieval_p95`: sections for a question, found among a hundred thousand.

The baseline is the two bare queries that the search fuses, on a plain table of the same server with the same vectors,
words and kinds of index: the nearest by vector, and the best by PostgreSQL's own rank among those that hold one of the
words by which ours chooses candidates. It knows no tenant, filter, weight of words, fusion or text. The question's
embedding is model time and left out on both sides.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psycopg

from app.db import Database
from evals.bench.made_knowledge import MadeKnowledge, MadeSection
from evals.bench.place import TENANT, Place, opened_place
from evals.bench.rows import Row, Sample, percentile
from kb.lexical import weigh
from kb.search import POOL, Filters, search, vector_literal

GOAL: Final = 0.7
GOAL_MS: Final = 40.0
SECTIONS: Final = 100_000
SEED: Final = 20_261_121
NOW: Final = datetime(2026, 11, 21, 9, tzinfo=UTC)
FOUND: Final = 5

_INDEXES: Final = """
    SELECT indexname, indexdef FROM pg_indexes
     WHERE tablename = 'kb_section' AND indexname IN ('ix_kb_section_embedding', 'ix_kb_section_search')
"""
_DOCUMENT: Final = """
    INSERT INTO kb_document (tenant_id, document_id, title, language, source, content_hash, ingested_at)
    VALUES (%s, 'made', '', 'en', 'bench', '', %s)
"""
_SECTIONS: Final = """
    COPY kb_section (tenant_id, section_id, version, is_current, document_id, heading, heading_path, ordinal, context,
                     text, content_hash, embedding, language, ingested_at) FROM STDIN
"""
_COUNTS: Final = (
    f"INSERT INTO kb_term SELECT '{TENANT}', word, ndoc FROM ts_stat('SELECT search FROM kb_section')",  # noqa: S608
    f"INSERT INTO kb_corpus SELECT '{TENANT}', count(*) FROM kb_section",  # noqa: S608
)
_BARE: Final = (
    "CREATE TABLE bare_section AS SELECT section_id, embedding, search FROM kb_section",
    "CREATE INDEX ON bare_section USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64)",
    "CREATE INDEX ON bare_section USING gin (search)",
)
_BARE_NEAREST: Final = f"SELECT section_id FROM bare_section ORDER BY embedding <=> %s::vector LIMIT {POOL}"  # noqa: S608
_BARE_WORDED: Final = f"""
    SELECT section_id FROM bare_section WHERE search @@ %s::tsquery
    ORDER BY ts_rank(search, %s::tsquery) DESC LIMIT {POOL}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the words by which candidates are chosen, as a tsquery."""

    question: MadeSection
    candidates: str


def retrieval(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Searches a second beside the bare queries', and how long the slow ones take."""
    rounds, questions, sections = (2, 40, 3_000) if is_quick else (5, 300, SECTIONS)
    with opened_place() as place:
        made = MadeKnowledge(SEED)
        say(f"retrieval: putting in {sections} sections")
        fill(place.storage.admin_url, made.sections(sections))
        return asyncio.run(_measure(place, made.questions(questions), rounds, sections, say))


def fill(admin_url: str, sections: Iterator[MadeSection]) -> None:
    """Put sections into the bench's tenant and into the bare table; indexes are built once all are there."""
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("SET maintenance_work_mem = '512MB'")
        indexes = admin.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            admin.execute(f"DROP INDEX {name}")
        _copy(admin, sections)
        for statement in (*_COUNTS, *(definition for _, definition in indexes), *_BARE):
            admin.execute(statement)
        admin.execute("VACUUM ANALYZE")


def _copy(admin: psycopg.Connection[tuple[object, ...]], sections: Iterator[MadeSection]) -> None:
    admin.execute(_DOCUMENT, (TENANT, NOW))
    with admin.cursor() as cursor, cursor.copy(_SECTIONS) as copy:
        for number, made in enumerate(sections):
            section_id, vector = f"made#{number}", vector_literal(made.vector)
            copy.write_row(
                (TENANT, section_id, 1, True, "made", "", [], number, "", made.text, section_id, vector, "en", NOW)
            )


async def _measure(
    place: Place, questions: Sequence[MadeSection], rounds: int, sections: int, say: Callable[[str], None]
) -> list[Row]:
    async with AsyncExitStack() as stack:
        database = Database(place.storage.app_url, pool_size=1)
        stack.push_async_callback(database.close)
        bare = await psycopg.AsyncConnection.connect(place.storage.admin_url, autocommit=True)
        await stack.enter_async_context(bare)
        await bare.execute("SET hnsw.ef_search = 100")
        asked = [Asked(one, await _candidates(database, one.text)) for one in questions]
        await _ours(database, asked)
        await _theirs(bare, asked)
        ours, theirs, slow_ms = [], [], []
        for number in range(rounds):
            theirs.append(len(asked) / sum(await _theirs(bare, asked)))
            spent = await _ours(database, asked)
            ours.append(len(asked) / sum(spent))
            slow_ms.append(1000 * percentile(spent, 0.95))
            say(f"retrieval round {number + 1} of {rounds}: {ours[-1]:.1f}/s against {theirs[-1]:.1f}/s")
    parts = {
        "sections": float(sections),
        "ours_ms": 1000 / Sample.of(ours).median,
        "baseline_ms": 1000 / Sample.of(theirs).median,
    }
    return [
        Row("retrieval", Sample.of(ours), "searches/s", Sample.of(theirs), GOAL, parts=parts),
        Row("retrieval_p95", Sample.of(slow_ms), "ms", None, GOAL_MS, is_limit=True),
    ]


async def _candidates(database: Database, question: str) -> str:
    async with database.tenant(TENANT) as session:
        words = await weigh(await session.connection(), tenant_id=TENANT, question=question, language="en")
    return words.candidates


async def _ours(database: Database, asked: Sequence[Asked]) -> list[float]:
    """Seconds of each search, its transaction included."""
    filters = Filters(on=NOW.date())
    spent = []
    for one in asked:
        started = time.perf_counter()
        async with database.tenant(TENANT) as session:
            hits = await search(
                session,
                tenant_id=TENANT,
                query=one.question.text,
                query_vector=one.question.vector,
                filters=filters,
                k=FOUND,
            )
        spent.append(time.perf_counter() - started)
        if len(hits) != FOUND:
            raise RuntimeError(f"the bench found {len(hits)} sections and not {FOUND}: look at its made knowledge")
    return spent


async def _theirs(bare: psycopg.AsyncConnection[tuple[object, ...]], asked: Sequence[Asked]) -> list[float]:
    """Seconds of the two bare queries for each question."""
    spent = []
    for one in asked:
        vector = vector_literal(one.question.vector)
        started = time.perf_counter()
        await (await bare.execute(_BARE_NEAREST, (vector,))).fetchall()
        await (await bare.execute(_BARE_WORDED, (one.candidates, one.candidates))).fetchall()
        spent.append(time.perf_counter() - started)
    return spent
