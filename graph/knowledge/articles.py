"""Zendesk's articles and macros as documents. Pure.

An article in each of its locales is a document of its own, so that a language may be wanted. A heading's `id`, which
the Help Center's editor gives, makes a section's id that survives every edit of the article.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from connectors.zendesk.help_center import ArticleView, TranslationView
from connectors.zendesk.wire import MacroView
from kb.documents import Outline, ParsedDocument
from kb.errors import DocumentError
from kb.webpage import read_html

STAFF: Final = "staff"
"""Access label of what is for agents, such as macros: no customer holds it."""
_STARTS: Final = "effective-from:"
_ENDS: Final = "effective-to:"
_SAYS: Final = "comment_value"
_SAYS_HTML: Final = "comment_value_html"


def segment_label(segment_id: int) -> str:
    """The access label of a user segment."""
    return f"segment:{segment_id}"


def article_source(article_id: int) -> str:
    """What an article's documents are known by as a source."""
    return f"help-center/{article_id}"


def article_documents(article: ArticleView) -> Iterator[ParsedDocument]:
    """The article's published translations.

    Its labels `effective-from:2026-01-01` and `effective-to:2026-07-01` say when it is in force.

    Raises:
        DocumentError: a translation's headings contradict each other, or a label's date is none.
    """
    for translation in article.translations:
        if not translation.is_draft:
            yield _document(article, translation)


def _document(article: ArticleView, translation: TranslationView) -> ParsedDocument:
    document_id = f"{article_source(article.article_id)}/{translation.locale}"
    read = read_html(translation.body, document_id=document_id, language=language_of(translation.locale))
    return ParsedDocument(
        document_id=document_id,
        title=" ".join(translation.title.split()),
        language=read.language,
        sections=read.sections,
        url=translation.html_url,
        labels=tuple(segment_label(segment_id) for segment_id in article.user_segment_ids),
        effective_from=_labelled_date(article, _STARTS),
        effective_to=_labelled_date(article, _ENDS),
    )


def macro_document(macro: MacroView) -> ParsedDocument | None:
    """What a macro says, for agents only; None where it says nothing."""
    said = [_said(name, value) for name, value in macro.actions if name in {_SAYS, _SAYS_HTML}]
    document_id = f"macro/{macro.macro_id}"
    outline = Outline(document_id)
    outline.body("\n\n".join(filter(None, said)))
    if not outline.sections():
        return None
    return ParsedDocument(
        document_id=document_id, title=macro.title, language="en", sections=outline.sections(), labels=(STAFF,)
    )


def _said(name: str, value: str) -> str:
    if name == _SAYS:
        return value.strip()
    return "\n".join(section.text for section in read_html(value, document_id="macro", language="en").sections)


def language_of(locale: str) -> str:
    """The ISO 639-1 language of a locale.

    >>> language_of("pt-br")
    'pt'
    """
    return locale.partition("-")[0]


def _labelled_date(article: ArticleView, prefix: str) -> date | None:
    found = next((label for label in article.label_names if label.startswith(prefix)), None)
    if found is None:
        return None
    try:
        return date.fromisoformat(found.removeprefix(prefix).strip())
    except ValueError as error:
        raise DocumentError(
            f"article {article.article_id} has the label {found!r}: write it as {prefix}2026-01-31"
        ) from error
