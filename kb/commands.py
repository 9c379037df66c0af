"""`countersign kb`: read documents in, ask them questions.

Promises: everything after a line that cannot be read is left undone and said in one line; what a program reads goes to
standard output, progress to standard error. Refuses to know settings, databases or models: the command line hands it a
`CommandRuntime` as the context's object.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, TypeVar

import typer
from pydantic import AliasChoices, BaseModel, ConfigDict, ValidationError
from pydantic import Field as PydanticField
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.ext.asyncio import AsyncSession

from kb.errors import DocumentError, KnowledgeError
from kb.ingest import IngestReport, ingest, retire_missing
from kb.scoring import Score
from kb.search import FLOOR, Filters, Hit, Rankings, Rerank, rank, search
from kb.sources import read_documents
from kb.vectors import Embed

T = TypeVar("T")

DOCUMENTS_AT_ONCE: Final = 200
"""Documents in one transaction: a stopped ingestion loses no more than these."""
INPUT_ERROR: Final = 2


class CommandRuntime(Protocol):
    """What these commands need of the application."""

    @property
    def tenant_id(self) -> str:
        """Whose knowledge the commands act on."""

    @property
    def embed(self) -> Embed:
        """The embedding model; loading it may take seconds."""

    @property
    def rerank(self) -> Rerank | None:
        """The cross-encoder, where one is configured; loading it may take seconds."""

    def tenant_session(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A transaction of the tenant, committed at the end of the block."""

    def now(self) -> datetime:
        """Aware time."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work in an event loop to its end."""


app = typer.Typer(name="kb", help="Knowledge: documents in, cited sections out.", no_args_is_help=True)


@app.command("ingest")
def ingest_command(
    ctx: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files or folders: Markdown, HTML, text, PDF, JSONL.")],
    source: Annotated[str | None, typer.Option(help="Name of the source; the path itself without it.")] = None,
    language: Annotated[str, typer.Option(help="ISO 639-1 language of documents that name none.")] = "en",
    label_key: Annotated[
        str | None, typer.Option(help="Key of JSON lines whose value becomes an access label, such as a site.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Read documents; only what changed is embedded, what is gone from a path is retired."""
    runtime: CommandRuntime = ctx.obj
    try:
        total = runtime.run(_ingest_all(runtime, paths, _Reading(source, language, label_key)))
    except KnowledgeError as error:
        raise _input_error(error) from error
    if as_json:
        typer.echo(json.dumps({name: getattr(total, name) for name in total.__slots__}))
    else:
        typer.echo(
            f"{total.documents} documents: {total.added} sections added, {total.unchanged} unchanged, "
            f"{total.retired} retired; {total.documents_retired} documents retired; {total.embedded} sections embedded"
        )


@app.command("search")
def search_command(
    ctx: typer.Context,
    question: Annotated[
        str | None, typer.Argument(help='Without it, JSONL {"id", "query"} from standard input.')
    ] = None,
    count: Annotated[int, typer.Option("-k", min=1, max=100, help="How many hits at most.")] = 5,
    language: Annotated[str | None, typer.Option(help="Only sections in this ISO 639-1 language.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Access label of the reader; may be repeated.")] = None,
    floor: Annotated[float, typer.Option(help="Cosine similarity that the best hit must reach.")] = FLOOR,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find the sections that answer a question; nothing near enough prints nothing."""
    runtime: CommandRuntime = ctx.obj
    filters = Filters(on=runtime.now().date(), labels=frozenset(label or ()), language=language)
    if question is None:
        try:
            for asked in _portions(_questions(sys.stdin.buffer), 64):
                found = runtime.run(_search_all(runtime, [one.query for one in asked], filters, count, floor))
                for one, hits in zip(asked, found, strict=True):
                    typer.echo(json.dumps({"id": one.id, "hits": [_line(hit) for hit in hits]}, ensure_ascii=False))
        except KnowledgeError as error:
            raise _input_error(error) from error
        return
    (hits,) = runtime.run(_search_all(runtime, [question], filters, count, floor))
    if as_json:
        typer.echo(json.dumps({"hits": [_line(hit) for hit in hits]}, ensure_ascii=False))
        return
    for hit in hits:
        typer.echo(f"{hit.score:.3f}  {hit.section_id} v{hit.version}  {hit.heading}\n{hit.text}\n")
    if not hits:
        typer.echo("nothing found that is near enough", err=True)


@app.command("score")
def score_command(
    ctx: typer.Context,
    questions: Annotated[Path, typer.Argument(help='JSON lines {"question", "gold": [section, ...]}.')],
    label_key: Annotated[
        str | None, typer.Option(help="Key of the lines whose value is the label that the reader holds.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure retrieval on questions whose right sections are known: either half, both fused, and reranked."""
    runtime: CommandRuntime = ctx.obj
    measured = [name for name in Rankings.__slots__ if name != "reranked" or runtime.rerank is not None]
    scores: dict[str, Score] = {name: Score() for name in measured}
    try:
        for portion in _portions(_known_questions(questions), 64):
            for one, found in zip(portion, runtime.run(_rank_all(runtime, portion, label_key)), strict=True):
                for name, score in scores.items():
                    score.add(getattr(found, name), one.gold)
    except KnowledgeError as error:
        raise _input_error(error) from error
    if not scores["fused"].ranks:
        raise _input_error(DocumentError(f"{questions.name!r} holds no question: give one on each line"))
    if as_json:
        forms = {name: _score_form(score) for name, score in scores.items()}
        typer.echo(json.dumps({"questions": len(scores["fused"].ranks), **forms}))
        return
    typer.echo(f"{len(scores['fused'].ranks)} questions; 95 % intervals in brackets")
    for name, score in scores.items():
        shown = "  ".join(
            f"{title} {one['mean']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"
            for title, one in _score_form(score).items()
        )
        typer.echo(f"{name:<10} {shown}")


@dataclass(frozen=True, slots=True)
class _Total:
    """The sum of what an ingestion of all paths did."""

    documents: int = 0
    documents_retired: int = 0
    added: int = 0
    unchanged: int = 0
    retired: int = 0
    embedded: int = 0

    def plus(self, report: IngestReport, documents_retired: int = 0) -> _Total:
        return _Total(
            self.documents + report.documents,
            self.documents_retired + documents_retired,
            self.added + report.added,
            self.unchanged + report.unchanged,
            self.retired + report.retired,
            self.embedded + report.embedded,
        )


_NOTHING: Final = IngestReport(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Reading:
    """How paths are read."""

    source: str | None = None
    language: str = "en"
    label_key: str | None = None


async def _ingest_all(runtime: CommandRuntime, paths: Iterable[Path], reading: _Reading) -> _Total:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    total = _Total()
    kept: dict[str, set[str]] = {}
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        for path in paths:
            name = reading.source or path.resolve().as_posix()
            task = bar.add_task(path.name, total=0)
            read = read_documents(path, language=reading.language, label_key=reading.label_key)
            for documents in _portions(read, DOCUMENTS_AT_ONCE):
                known = bar.tasks[task].total or 0
                bar.update(task, total=known + sum(len(document.sections) for document in documents))
                async with runtime.tenant_session() as session:
                    report = await ingest(
                        session,
                        tenant_id=runtime.tenant_id,
                        source=name,
                        documents=documents,
                        embed=runtime.embed,
                        now=runtime.now(),
                        progress=lambda done, task=task: bar.advance(task, done),  # type: ignore[misc]  # mypy cannot infer a bound default
                    )
                total = total.plus(report)
                kept.setdefault(name, set()).update(document.document_id for document in documents)
            kept.setdefault(name, set())
    for name, documents_kept in kept.items():
        async with runtime.tenant_session() as session:
            gone = await retire_missing(
                session, tenant_id=runtime.tenant_id, source=name, kept=documents_kept, now=runtime.now()
            )
        total = total.plus(_NOTHING, gone)
    return total


async def _search_all(
    runtime: CommandRuntime, questions: list[str], filters: Filters, count: int, floor: float
) -> list[list[Hit]]:
    vectors = runtime.embed(questions)
    async with runtime.tenant_session() as session:
        return [
            await search(
                session,
                tenant_id=runtime.tenant_id,
                query=question,
                query_vector=vector,
                filters=filters,
                k=count,
                floor=floor,
                rerank=runtime.rerank,
            )
            for question, vector in zip(questions, vectors, strict=True)
        ]


class _Question(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str | int
    query: str


def _questions(lines: Iterable[bytes]) -> Iterator[_Question]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _Question.model_validate_json(line)
        except ValidationError as error:
            raise DocumentError(
                f'line {number} of standard input is not a question: give {{"id", "query"}} on each line'
            ) from error


class _KnownQuestion(BaseModel):
    model_config = ConfigDict(extra="allow")

    query: str = PydanticField(validation_alias=AliasChoices("query", "question"))
    gold: frozenset[str]

    def label(self, key: str | None) -> frozenset[str]:
        """The label that the asker holds."""
        return frozenset() if key is None else frozenset({str((self.model_extra or {}).get(key, ""))})


def _known_questions(path: Path) -> Iterator[_KnownQuestion]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DocumentError(f"{str(path)!r} cannot be read: {error.strerror}; name a file of JSON lines") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _KnownQuestion.model_validate_json(line)
            except ValidationError as error:
                raise DocumentError(
                    f'line {number} of {path.name!r} is not a question: give {{"question", "gold"}} on each line'
                ) from error


async def _rank_all(runtime: CommandRuntime, questions: list[_KnownQuestion], label_key: str | None) -> list[Rankings]:
    vectors = runtime.embed([one.query for one in questions])
    today = runtime.now().date()
    async with runtime.tenant_session() as session:
        return [
            await rank(
                session,
                tenant_id=runtime.tenant_id,
                query=one.query,
                query_vector=vector,
                filters=Filters(on=today, labels=one.label(label_key)),
                rerank=runtime.rerank,
            )
            for one, vector in zip(questions, vectors, strict=True)
        ]


def _score_form(score: Score) -> dict[str, dict[str, float]]:
    return {
        "hit@1": asdict(score.hit_at(1)),
        "hit@5": asdict(score.hit_at(5)),
        "mrr": asdict(score.mean_reciprocal_rank),
    }


def _portions(things: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(things)
    while portion := list(islice(rest, size)):
        yield portion


def _line(hit: Hit) -> dict[str, Any]:
    return {
        "section": hit.section_id,
        "score": hit.score,
        "text": hit.text,
        "version": hit.version,
        "heading": hit.heading,
        "url": hit.url,
        "similarity": round(hit.similarity, 4),
        "coverage": round(hit.coverage, 4),
        "reason": asdict(hit.reason),
    }


def _input_error(error: KnowledgeError) -> typer.Exit:
    typer.echo(f"countersign kb: {error}", err=True)
    return typer.Exit(INPUT_ERROR)
