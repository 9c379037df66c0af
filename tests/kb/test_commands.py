from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from typer.testing import CliRunner, Result

from app.db import Database
from kb.commands import app
from tests.kb.words import WordEmbedding

T = TypeVar("T")


class Runtime:
    """The application's part, on the test's database; a connection pool lives as long as one event loop."""

    tenant_id = "demo"

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self.embed = WordEmbedding()
        self.rerank = None

    @asynccontextmanager
    async def tenant_session(self) -> AsyncIterator[AsyncSession]:
        database = Database(self._database_url, pool_size=1)
        try:
            async with database.tenant(self.tenant_id) as session:
                yield session
        finally:
            await database.close()

    def now(self) -> datetime:
        return datetime(2026, 3, 2, 9, tzinfo=UTC)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)


@pytest.fixture
def runtime(database_url: str) -> Runtime:
    return Runtime(database_url)


def kb(runtime: Runtime, *arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin, obj=runtime, catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lamps.md").write_text("# Lamps\n## 1 Broken\nA broken lamp is replaced.\n")
    (tmp_path / "parcels.txt").write_text("Parcels leave on Monday.")
    return tmp_path


def test_ingest_reports_what_it_did_and_retires_what_is_gone(runtime: Runtime, folder: Path) -> None:
    first = kb(runtime, "ingest", str(folder), "--json")
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout) == {
        "documents": 2,
        "documents_retired": 0,
        "added": 2,
        "unchanged": 0,
        "retired": 0,
        "embedded": 2,
    }
    (folder / "parcels.txt").unlink()
    again = kb(runtime, "ingest", str(folder))
    assert again.stdout.startswith("1 documents: 0 sections added, 1 unchanged, 0 retired; 1 documents retired")


def test_search_prints_one_object_with_sections_scores_texts_and_versions(runtime: Runtime, folder: Path) -> None:
    kb(runtime, "ingest", str(folder))
    found = kb(runtime, "search", "broken lamp", "-k", "1", "--json")
    (hit,) = json.loads(found.stdout)["hits"]
    assert (hit["section"], hit["version"], hit["text"]) == ("lamps#1", 1, "A broken lamp is replaced.")
    assert 0 < hit["score"] <= 1


def test_search_without_a_question_answers_line_by_line(runtime: Runtime, folder: Path) -> None:
    kb(runtime, "ingest", str(folder))
    asked = '{"id": 1, "query": "broken lamp"}\n\n{"id": "b", "query": "parcels on monday", "extra": 0}\n'
    lines = [json.loads(line) for line in kb(runtime, "search", "--json", stdin=asked).stdout.splitlines()]
    assert [(line["id"], line["hits"][0]["section"]) for line in lines] == [(1, "lamps#1"), ("b", "parcels")]


def test_nothing_found_is_said_on_standard_error(runtime: Runtime) -> None:
    found = kb(runtime, "search", "capital of France")
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "nothing found that is near enough\n")


@pytest.mark.parametrize("line", [b"{", b'{"id": 1}', b"\xff\xfe", b"[]"])
def test_line_that_is_no_question_is_one_clear_line_and_status_two(runtime: Runtime, line: bytes) -> None:
    answered = kb(runtime, "search", stdin=line)
    assert answered.exit_code == 2
    assert answered.stderr == (
        'countersign kb: line 1 of standard input is not a question: give {"id", "query"} on each line\n'
    )


def test_path_that_is_missing_is_one_clear_line_and_status_two(runtime: Runtime, tmp_path: Path) -> None:
    refused = kb(runtime, "ingest", str(tmp_path / "nowhere"))
    assert refused.exit_code == 2
    assert "does not exist: name a file or a folder" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_score_prints_how_often_the_right_section_is_found_by_either_half(runtime: Runtime, tmp_path: Path) -> None:
    passages = tmp_path / "passages.jsonl"
    rows = [
        {"id": "a1", "site": "a", "text": "A broken lamp is replaced."},
        {"id": "a2", "site": "a", "text": "Parcels leave on Monday."},
        {"id": "b1", "site": "b", "text": "A broken lamp is repaired."},
    ]
    passages.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = tmp_path / "asked.jsonl"
    asked.write_text(
        '{"site": "a", "question": "broken lamp replaced", "gold": ["a1"]}\n'
        '{"site": "b", "question": "broken lamp replaced", "gold": ["a1"]}\n'
    )
    kb(runtime, "ingest", str(passages), "--label-key", "site")
    scored = json.loads(kb(runtime, "score", str(asked), "--label-key", "site", "--json").stdout)
    assert scored["questions"] == 2
    for half in ("by_vector", "by_words", "fused"):
        assert scored[half]["hit@1"]["mean"] == scored[half]["mrr"]["mean"] == 0.5
    told = kb(runtime, "score", str(asked)).stdout
    assert "hit@5 0.000" in told  # a reader without the label finds nothing
    refused = kb(runtime, "score", str(passages))
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
