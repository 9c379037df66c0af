"""A document after reading: its sections in order, each with an id that survives re-reading.

Promises: the text of a section is a slice of what the source says; ids are unique within a document and do not depend
on the order of sections. Refuses two sections under one explicit id, and text that the database cannot store.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from kb.errors import DocumentError

LONGEST_SECTION: Final = 2400
"""Characters after which a section is cut into parts: about two windows of the embedding model."""

_EXPLICIT_ID: Final = re.compile(r"^(?P<heading>.*?)\s*\{#(?P<anchor>[\w][\w.-]*)\}\s*$", re.DOTALL)
_LEADING_NUMBER: Final = re.compile(r"^(?P<number>\d+(?:\.\d+)*)[.)]?\s+\S")
_PARAGRAPH_END: Final = re.compile(r"(?:\r?\n[ \t]*){2,}")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?。！？])\s+|\r?\n")  # noqa: RUF001  # the full-width marks end sentences too


@dataclass(frozen=True, slots=True)
class ParsedSection:
    """One citable piece. `heading_path` holds the headings above and its own, outermost first, without the title."""

    section_id: str
    heading_path: tuple[str, ...]
    text: str

    @property
    def heading(self) -> str:
        """The nearest heading, empty where the document has none."""
        return self.heading_path[-1] if self.heading_path else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDocument:
    """A document with its sections in reading order.

    `title` may be empty. `labels` are access labels (none: everybody). `effective_from` is inclusive, `effective_to`
    exclusive, None is open. `language` is an ISO 639-1 code.
    """

    document_id: str
    title: str
    language: str
    sections: tuple[ParsedSection, ...]
    url: str | None = None
    labels: tuple[str, ...] = ()
    effective_from: date | None = None
    effective_to: date | None = None


@dataclass(slots=True)
class Outline:
    """Collects the pieces of one document under its headings, in reading order.

    Readers call `heading` and `body` as they meet them and take `sections()` at the end.
    """

    document_id: str
    _path: list[tuple[int, str]] = field(default_factory=list)
    _anchor: str = ""
    _taken: set[str] = field(default_factory=set)
    _sections: list[ParsedSection] = field(default_factory=list)

    def heading(self, level: int, heading: str, anchor: str | None = None) -> None:
        """Open a section of a level from 1 to 6.

        Its id is, in this order: the explicit one (`## Duplicate charges {#3.2}`, or `anchor`, such as HTML's `id`);
        the leading number (`## 3.2 Duplicate charges`); the words of the heading. Only the first must be unique: words
        that occur twice get `-2`, `-3` in reading order.

        Raises:
            DocumentError: two headings have the same explicit id.
        """
        explicit = _EXPLICIT_ID.match(heading)
        if explicit:
            heading, anchor = explicit["heading"], explicit["anchor"]
        heading = " ".join(heading.split())
        self._path = [step for step in self._path if step[0] < level] + [(level, heading)]
        if anchor is not None:
            if anchor in self._taken:
                raise DocumentError(
                    f"two sections of {self.document_id!r} have the id {anchor!r}: give one of them another id"
                )
            self._anchor = anchor
        else:
            number = _LEADING_NUMBER.match(heading)
            self._anchor = self._free(number["number"] if number else slug(heading) or "section")
        self._taken.add(self._anchor)

    def body(self, text: str) -> None:
        """Add the text that stands under the heading opened last; blank text adds nothing."""
        path = tuple(heading for _, heading in self._path)
        base = f"{self.document_id}#{self._anchor}" if self._anchor else self.document_id
        for number, part in enumerate(parts(text), start=1):
            self._sections.append(ParsedSection(base if number == 1 else f"{base}~{number}", path, part))

    def sections(self) -> tuple[ParsedSection, ...]:
        """All sections that have text of their own."""
        return tuple(self._sections)

    def _free(self, anchor: str) -> str:
        candidate, number = anchor, 1
        while candidate in self._taken:
            number += 1
            candidate = f"{anchor}-{number}"
        return candidate


def slug(words: str) -> str:
    """Letters and digits of any script in lower case, joined by single hyphens.

    >>> slug("Größe & Rückgabe!")
    'größe-rückgabe'
    """
    return "-".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", words).lower()))


def parts(text: str, longest: int = LONGEST_SECTION) -> Iterator[str]:
    """Slices of `text`, each at most `longest` characters, cut between paragraphs, else sentences, else anywhere.

    Every slice is byte for byte in the text; only the white space around it is left out.
    """
    text = text.strip()
    while len(text) > longest:
        cut = _last_cut(text, longest)
        yield text[:cut].rstrip()
        text = text[cut:].lstrip()
    if text:
        yield text


def sentences(text: str) -> list[str]:
    """The sentences of a text, roughly: cut at full stops, question and exclamation marks, and line ends."""
    return [sentence for sentence in (piece.strip() for piece in _SENTENCE_END.split(text)) if sentence]


def checked_text(content: bytes, name: str) -> str:
    """The text of a file.

    Raises:
        DocumentError: it is not UTF-8, or holds a NUL character, which PostgreSQL cannot store.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"{name!r} is not UTF-8 at byte {error.start}: save it as UTF-8 and ingest it again"
        ) from error
    return storable(text, name)


def storable(text: str, name: str) -> str:
    """The same text.

    Raises:
        DocumentError: it holds a NUL character or half of a surrogate pair, which PostgreSQL cannot store.
    """
    if re.search("[\x00\ud800-\udfff]", text):
        raise DocumentError(f"{name!r} contains a NUL or a lone surrogate: is it a text? remove it and ingest again")
    return text


def _last_cut(text: str, longest: int) -> int:
    for boundary in (_PARAGRAPH_END, _SENTENCE_END):
        # A cut in the first quarter would leave a crumb of a section, so a weaker boundary further on is better.
        ends = [match.end() for match in boundary.finditer(text, longest // 4, longest)]
        if ends:
            return ends[-1]
    return longest
