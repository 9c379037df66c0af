"""Markdown in, sections out: each is the source's own bytes between two headings.

Promises: headings are found by a CommonMark parser, so that a `#` inside a code block is not one; the text keeps its
Markdown. Refuses front matter that is not YAML with the known types; unknown keys are left alone, because every site
generator has its own.
"""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from typing import Final

import yaml
from markdown_it import MarkdownIt
from pydantic import BaseModel, ConfigDict, ValidationError

from kb.documents import Outline, ParsedDocument
from kb.errors import DocumentError

_FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\r?\n(?P<yaml>.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # the parser's idea of a line, not `splitlines`'


class _FrontMatter(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: str | None = None
    title: str | None = None
    language: str | None = None
    url: str | None = None
    labels: tuple[str, ...] = ()
    effective_from: date | None = None
    effective_to: date | None = None


def read_markdown(text: str, *, document_id: str, language: str) -> ParsedDocument:
    """Read one Markdown document.

    Front matter may give `id`, `title`, `language`, `url`, `labels`, `effective_from` and `effective_to`; what it does
    not give comes from the arguments, and the title from the first heading of level 1. That heading names the document,
    so it is not repeated in the sections' paths and opens no section of its own.

    Raises:
        DocumentError: the front matter cannot be read, or two sections have the same id.
    """
    front = _front_matter(text, document_id)
    body = text[front.end :]
    outline = Outline(front.matter.id or document_id)
    lines = _LINE.findall(body)
    title, start = front.matter.title, 0
    tokens = MarkdownIt("commonmark").parse(body)
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open" or opening.level > 0 or opening.map is None:
            continue
        outline.body("".join(lines[start : opening.map[0]]))
        level, start = int(opening.tag[1:]), opening.map[1]
        if level == 1 and title in (None, inline.content):
            title = inline.content
        else:
            outline.heading(level, inline.content)
    outline.body("".join(lines[start:]))
    return ParsedDocument(
        document_id=outline.document_id,
        title=title or "",
        language=front.matter.language or language,
        sections=outline.sections(),
        url=front.matter.url,
        labels=front.matter.labels,
        effective_from=front.matter.effective_from,
        effective_to=front.matter.effective_to,
    )


class _Front(BaseModel):
    matter: _FrontMatter
    end: int


def _front_matter(text: str, document_id: str) -> _Front:
    found = _FRONT_MATTER.match(text)
    if found is None:
        return _Front(matter=_FrontMatter(), end=0)
    try:
        matter = _FrontMatter.model_validate(yaml.safe_load(found["yaml"]) or {})
    except yaml.YAMLError as error:
        raise DocumentError(f"front matter of {document_id!r} is not YAML: {error}; correct it or remove it") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"]) or "front matter"
        raise DocumentError(
            f"front matter of {document_id!r} has {first['input']!r} as {key!r}: {first['msg'].lower()}; correct it"
        ) from error
    return _Front(matter=matter, end=found.end())
