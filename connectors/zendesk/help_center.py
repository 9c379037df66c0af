"""The Help Center: articles with their translations, as they changed, and who may see them.

The incremental export says nothing of archived articles, so a whole list of ids now and then tells which are gone.
Both need an agent, and the OAuth scope `hc:read` or `read`.
https://developer.zendesk.com/documentation/help_center/help-center-api/understanding-incremental-article-exports/
https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.zendesk import fields
from connectors.zendesk.client import ZendeskAdapter

PAGE: Final = 100
"""Most articles on a page: what was read of an export is kept page by page."""


@dataclass(frozen=True, slots=True)
class TranslationView:
    """An article in one locale (`en-us`). `body` is HTML."""

    locale: str
    title: str
    body: str
    html_url: str | None
    is_draft: bool


@dataclass(frozen=True, slots=True)
class ArticleView:
    """An article in all its locales. No segment ids mean that everybody may see it; with several, any one is enough.

    https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/#json-format
    """

    article_id: int
    translations: tuple[TranslationView, ...]
    user_segment_ids: tuple[int, ...]
    label_names: tuple[str, ...]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ArticlePage:
    """Articles that changed, oldest change first. `end_time_s` is where the next export begins, in Unix seconds."""

    articles: tuple[ArticleView, ...]
    end_time_s: int
    is_last: bool


def changed_articles(zendesk: ZendeskAdapter, start_time_s: int) -> ArticlePage:
    """One page of the articles with a change since a time, drafts among them.

    Args:
        zendesk: the account.
        start_time_s: Unix seconds; 0 for everything, else the last page's `end_time_s`.

    Raises:
        AccessDenied: the credential's user is no agent, or lacks the scope.
        ConnectorError: as for `ZendeskAdapter.ticket`.
    """
    values = {"start_time": str(start_time_s), "per_page": str(PAGE), "include": "translations"}
    page = zendesk.read_json("the changed articles", "help_center/incremental/articles.json", values)
    articles = tuple(_article(zendesk, entry) for entry in fields.items(page, "articles"))
    end_time_s = fields.maybe_integer(page, "end_time") or start_time_s
    # The last page repeats its own end: without any progress there is nothing more, whatever `next_page` says.
    is_last = fields.maybe_text(page, "next_page") is None or end_time_s <= start_time_s
    return ArticlePage(articles, end_time_s, is_last)


def article_ids(zendesk: ZendeskAdapter) -> frozenset[int]:
    """Ids of all articles that are not archived.

    Raises:
        ConnectorError: as for `ZendeskAdapter.ticket`.
    """
    return frozenset(
        fields.integer(fields.mapping(entry, "article"), "id")
        for entry in _list(zendesk, "the articles", "help_center/articles.json", "articles")
    )


def segment_ids_of(zendesk: ZendeskAdapter, user_id: int) -> tuple[int, ...]:
    """The user segments a user belongs to.

    https://developer.zendesk.com/api-reference/help_center/help-center-api/user_segments/#list-user-segments

    Raises:
        ConnectorError: as for `ZendeskAdapter.ticket`.
    """
    path = f"help_center/users/{user_id}/user_segments.json"
    found = _list(zendesk, f"the user segments of user {user_id}", path, "user_segments")
    return tuple(fields.integer(fields.mapping(entry, "user segment"), "id") for entry in found)


def _list(zendesk: ZendeskAdapter, what: str, path: str, key: str) -> Iterator[object]:
    """All entries of a list with cursor pagination.

    https://developer.zendesk.com/api-reference/introduction/pagination/#using-cursor-pagination
    """
    values = {"page[size]": str(PAGE)}
    while True:
        page = zendesk.read_json(what, path, values)
        yield from fields.items(page, key)
        meta = fields.part(page, "meta")
        cursor = fields.maybe_text(meta, "after_cursor")
        if not fields.flag(meta, "has_more", default=False) or cursor is None:
            return
        values = {**values, "page[after]": cursor}


def _article(zendesk: ZendeskAdapter, value: object) -> ArticleView:
    article = fields.mapping(value, "article")
    article_id = fields.integer(article, "id")
    translations: Iterable[object] = fields.items(article, "translations")
    if not translations:  # the sideload is documented for lists; where an export leaves it out, each article is asked
        path = f"help_center/articles/{article_id}/translations.json"
        translations = _list(zendesk, f"the translations of article {article_id}", path, "translations")
    segments = fields.integers(article, "user_segment_ids")
    only = fields.maybe_integer(article, "user_segment_id")
    return ArticleView(
        article_id=article_id,
        translations=tuple(_translation(entry) for entry in translations),
        user_segment_ids=segments or (() if only is None else (only,)),
        label_names=fields.texts(article, "label_names"),
        updated_at=fields.moment(article, "updated_at"),
    )


def _translation(value: object) -> TranslationView:
    translation = fields.mapping(value, "translation")
    return TranslationView(
        locale=fields.text(translation, "locale").lower(),
        title=fields.text(translation, "title"),
        body=fields.text(translation, "body"),
        html_url=fields.maybe_text(translation, "html_url"),
        is_draft=fields.flag(translation, "draft", default=False),
    )
