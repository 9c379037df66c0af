"""Rows `ingest` and `ingest_memory`: a folder of help articles into sections, with the model and without it.

The model is most of the work, so `ingest` is held against the model alone: the library's own call over the same whole
sections and sentences, with nothing read, cut, compared, written or indexed. `ingest_memory` is the process's greatest
memory after a hundred thousand sections whose vectors are drawn instead of computed, with the model loaded beside them;
its parts say how long everything but the model took.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from app.db import Database
from evals.bench.made_articles import write
from evals.bench.place import TENANT, Place, opened_place
from evals.bench.rows import Row, Sample
from kb.commands import DOCUMENTS_AT_ONCE
from kb.ingest import ingest
from kb.models import EMBEDDING_SIZE
from kb.sources import read_documents
from kb.vectors import Embed, section_vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

GOAL: Final = 0.7
GOAL_MB: Final = 2_000.0
SECTIONS: Final = 100_000
NOW: Final = datetime(2026, 11, 21, 9, tzinfo=UTC)
SEED: Final = 7
_BATCH: Final = 32
_KB_IN_MB: Final = 1024


def ingestion(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Sections a second beside the bare model's, and the memory of many."""
    # Loading takes seconds that other benches need not pay.
    from graph.models.embedding import load_embedder  # noqa: PLC0415

    rounds, modelled, drawn = (1, 40, 400) if is_quick else (3, 1_000, SECTIONS)
    embedder = load_embedder(cache_size=0)
    ours, theirs = [], []
    for number in range(rounds):
        with opened_place() as place, tempfile.TemporaryDirectory(prefix="cs-articles-") as name:
            write(Path(name), modelled)
            ours.append(modelled / _ours(place, Path(name), embedder.embed))
            theirs.append(modelled / _bare(Path(name), embedder.model))
        say(f"ingest round {number + 1} of {rounds}: {ours[-1]:.1f} sections/s against {theirs[-1]:.1f}")
    with opened_place() as place, tempfile.TemporaryDirectory(prefix="cs-articles-") as name:
        write(Path(name), drawn)
        say(f"ingest: {drawn} sections with drawn vectors")
        spent_s = _ours(place, Path(name), _drawn)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KB_IN_MB
    parts = {"sections": float(drawn), "without_the_model_s": spent_s, "sections_per_s": drawn / spent_s}
    return [
        Row("ingest", Sample.of(ours), "sections/s", Sample.of(theirs), GOAL, parts={"sections": float(modelled)}),
        Row("ingest_memory", Sample.of([memory_mb]), "MB", None, GOAL_MB, is_limit=True, parts=parts),
    ]


def _ours(place: Place, folder: Path, embed: Embed) -> float:
    """Seconds of an ingestion into an empty tenant, in the command's portions."""
    started = time.perf_counter()
    asyncio.run(_ingested(place, folder, embed))
    return time.perf_counter() - started


async def _ingested(place: Place, folder: Path, embed: Embed) -> None:
    database = Database(place.storage.app_url, pool_size=1)
    try:
        rest = read_documents(folder)
        while documents := list(islice(rest, DOCUMENTS_AT_ONCE)):
            async with database.tenant(TENANT) as session:
                await ingest(session, tenant_id=TENANT, source="made", documents=documents, embed=embed, now=NOW)
    finally:
        await database.close()


def _bare(folder: Path, model: SentenceTransformer) -> float:
    """Seconds of the model alone, in one call of the library, for what an ingestion has it embed."""
    pieces: list[str] = []

    def noted(texts: Sequence[str]) -> NDArray[np.float32]:
        pieces.extend(texts)
        return np.ones((len(texts), EMBEDDING_SIZE), dtype=np.float32)

    for document in read_documents(folder):
        contexts = ["\n".join((document.title, *section.heading_path)) for section in document.sections]
        section_vectors(noted, [section.text for section in document.sections], contexts)
    started = time.perf_counter()
    model.encode(list(dict.fromkeys(pieces)), batch_size=_BATCH, show_progress_bar=False)
    return time.perf_counter() - started


_DRAW: Final = np.random.default_rng(SEED)


def _drawn(texts: Sequence[str]) -> NDArray[np.float32]:
    vectors = _DRAW.standard_normal((len(texts), EMBEDDING_SIZE), dtype=np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
