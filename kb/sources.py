"""Files and folders in, parsed documents out.

Promises: documents come in the order of their paths, one at a time, so that a large folder does not fill the memory.
Refuses a path that does not exist, a named file of an unknown kind, and two documents under one id. Unknown files
inside a folder are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from kb.documents import Outline, ParsedDocument, checked_text, slug, storable
from kb.errors import DocumentError
from kb.markdown import read_markdown
from kb.pdf import read_pdf
from kb.webpage import read_html

SUFFIXES: Final = frozenset({".md", ".markdown", ".html", ".htm", ".txt", ".pdf", ".jsonl"})


class _Line(BaseModel):
    """One line of a JSONL file. More keys are ignored: exports carry their own."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: str
    text: str
    title: str | None = None
    url: str | None = None
    language: str | None = None
    labels: tuple[str, ...] = ()
    effective_from: date | None = None
    effective_to: date | None = None


def read_documents(path: Path, *, language: str = "en", label_key: str | None = None) -> Iterator[ParsedDocument]:
    """All documents of a file or of a folder and its subfolders.

    A document's id is its path inside the folder without the ending (`billing/refund-policy`), unless its front matter
    or its JSONL line gives one. Hidden files and folders are passed over.

    Args:
        path: Markdown, HTML, plain text, PDF, JSONL with lines `{"id", "title", "text"}`, or a folder of these.
        language: ISO 639-1 code for documents that do not name theirs.
        label_key: a further key of JSONL lines whose value becomes an access label.

    Raises:
        DocumentError: something cannot be read; nothing is guessed in its place.
    """
    seen: set[str] = set()
    for document in _documents(path, language, label_key):
        if document.document_id in seen:
            raise DocumentError(f"two documents in {path.name!r} have the id {document.document_id!r}: rename one")
        seen.add(document.document_id)
        yield document


def _documents(path: Path, language: str, label_key: str | None) -> Iterator[ParsedDocument]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            inner = file.relative_to(path)
            if file.is_file() and file.suffix.lower() in SUFFIXES and not any(p.startswith(".") for p in inner.parts):
                yield from _file(file, inner, language, label_key)
    elif not path.is_file():
        raise DocumentError(f"{str(path)!r} does not exist: name a file or a folder")
    elif path.suffix.lower() not in SUFFIXES:
        raise DocumentError(f"{path.name!r} is of an unknown kind: give one of {', '.join(sorted(SUFFIXES))}")
    else:
        yield from _file(path, Path(path.name), language, label_key)


def _file(file: Path, inner: Path, language: str, label_key: str | None) -> Iterator[ParsedDocument]:
    document_id = "/".join(filter(None, (slug(step) for step in inner.with_suffix("").parts))) or "document"
    suffix = file.suffix.lower()
    if suffix == ".jsonl":
        yield from _lines(file, language, label_key)
        return
    try:
        content = file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from error
    if suffix == ".pdf":
        yield read_pdf(content, document_id=document_id, language=language)
    elif suffix in {".html", ".htm"}:
        yield read_html(checked_text(content, file.name), document_id=document_id, language=language)
    elif suffix == ".txt":
        yield _plain(checked_text(content, file.name), document_id, language)
    else:
        yield read_markdown(checked_text(content, file.name), document_id=document_id, language=language)


def _plain(text: str, document_id: str, language: str) -> ParsedDocument:
    outline = Outline(document_id)
    outline.body(text)
    return ParsedDocument(document_id=document_id, title="", language=language, sections=outline.sections())


def _lines(file: Path, language: str, label_key: str | None) -> Iterator[ParsedDocument]:
    try:
        lines = file.open("rb")
    except OSError as error:
        raise _unreadable(file, error) from error
    with lines:
        for number, content in enumerate(lines, start=1):
            where = f"{file.name}:{number}"
            text = checked_text(content, where).strip()
            if text:
                yield _line(text, where, language, label_key)


def _unreadable(file: Path, error: OSError) -> DocumentError:
    return DocumentError(f"{file.name!r} cannot be read: {error.strerror}; check its permissions")


def _line(text: str, where: str, language: str, label_key: str | None) -> ParsedDocument:
    try:
        content = json.loads(text)
        line = _Line.model_validate(content)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DocumentError(f"line {where!r} is not JSON: {error}; give one object on each line") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"]) or "line"
        raise DocumentError(
            f"line {where!r} has a wrong {key!r}: {first['msg'].lower()}; give 'id', 'title' and 'text'"
        ) from error
    outline = Outline(storable(line.id, where))
    outline.body(storable(line.text, where))
    return ParsedDocument(
        document_id=line.id,
        title=storable(line.title or "", where),
        language=line.language or language,
        sections=outline.sections(),
        url=line.url,
        labels=line.labels if label_key is None else (*line.labels, str(content.get(label_key, ""))),
        effective_from=line.effective_from,
        effective_to=line.effective_to,
    )
