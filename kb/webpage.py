"""HTML in, sections out: the visible words under each heading, one line per block.

Promises: scripts, styles, forms and navigation never become knowledge; an `id` on a heading is the section's id, as
help centers give one to each. Refuses nothing: broken markup is read as far as it goes, as browsers do.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

from kb.documents import Outline, ParsedDocument

_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_UNSEEN: Final = frozenset(
    {"script", "style", "noscript", "template", "nav", "svg", "form", "button", "select", "iframe", "object"}
)
_BLOCKS: Final = frozenset(
    {
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "br",
            "dd",
            "details",
            "div",
            "dl",
            "dt",
            "figcaption",
            "figure",
        ),
        *("footer", "header", "hr", "li", "main", "ol", "p", "pre", "section", "summary", "table", "tr", "ul", "body"),
    }
)
_CELLS: Final = frozenset({"td", "th"})


def read_html(text: str, *, document_id: str, language: str) -> ParsedDocument:
    """Read one HTML page or fragment.

    The title is `<title>`, else the first `<h1>`; `<html lang>` overrides `language`.

    Raises:
        DocumentError: two headings have the same `id`.
    """
    page = _Page(Outline(document_id))
    page.feed(text)
    page.close()
    page.end_of_page()
    return ParsedDocument(
        document_id=document_id,
        title=page.title or page.first_heading,
        language=page.language or language,
        sections=page.outline.sections(),
    )


class _Page(HTMLParser):
    def __init__(self, outline: Outline) -> None:
        super().__init__(convert_charrefs=True)
        self.outline = outline
        self.title = ""
        self.first_heading = ""
        self.language: str | None = None
        self._unseen: list[str] = []
        self._in_title = False
        self._heading: tuple[int, str | None] | None = None
        self._words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen.append(tag)
        elif tag == "html":
            self.language = (dict(attrs).get("lang") or "").split("-")[0].lower() or None
        elif tag == "title":
            self._in_title = True
        elif tag in _HEADINGS and not self._unseen:
            self._end_of_section()
            self._heading = (_HEADINGS[tag], dict(attrs).get("id") or None)
        elif tag in _BLOCKS:
            self._words.append("\n")
        elif tag in _CELLS:
            self._words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            # An unclosed tag inside the hidden one ends with it, or the rest of the page would stay hidden.
            del self._unseen[self._unseen.index(tag) :]
        elif tag == "title":
            self._in_title = False
        elif tag in _HEADINGS and self._heading is not None:
            self._end_of_heading()
        elif tag in _BLOCKS:
            self._words.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title = " ".join((self.title + data).split())
        elif not self._unseen:
            self._words.append(data if self._heading is None else data.replace("\n", " "))

    def end_of_page(self) -> None:
        self._end_of_section()

    def _end_of_section(self) -> None:
        if self._heading is not None:
            self._end_of_heading()
        lines = (" ".join(line.split()) for line in "".join(self._words).split("\n"))
        self.outline.body("\n".join(line for line in lines if line))
        self._words = []

    def _end_of_heading(self) -> None:
        heading = " ".join("".join(self._words).split())
        level, anchor = self._heading or (1, None)
        self._words, self._heading = [], None
        if not heading:
            return
        if level == 1 and not self.first_heading and heading == (self.title or heading):
            # The page's own name opens no section, as in Markdown.
            self.first_heading = heading
            return
        self.outline.heading(level, heading, anchor)
