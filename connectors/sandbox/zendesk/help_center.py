"""The Help Center of the account: articles, translations, user segments, and the people who write them.

Archived articles vanish from every list and from the export, as they do at the vendor.
https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from connectors.sandbox.zendesk.account import Account
from connectors.sandbox.zendesk.records import Article, Translation, UserSegment
from connectors.sandbox.zendesk.refusal import not_found

SOURCE_LOCALE: Final = "en-us"


class HelpCenter:
    """What it holds. Not locked: the account's lock is held."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.articles: dict[int, Article] = {}
        self.segments: dict[int, UserSegment] = {}

    def add_segment(self, name: str, *, user_type: str, tags: Iterable[str]) -> UserSegment:
        """Make a user segment: `signed_in_users` or `staff`."""
        segment = UserSegment(self.account.fresh_id(), name, user_type, tuple(tags), self.account.now())
        self.segments[segment.segment_id] = segment
        return segment

    def add_article(self, *, locale: str, segment_ids: Iterable[int], label_names: Iterable[str]) -> Article:
        """Make an article; its words come with `translate`."""
        now = self.account.now()
        article = Article(self.account.fresh_id(), locale, tuple(segment_ids), tuple(label_names), now, now)
        self.articles[article.article_id] = article
        return article

    def translate(self, article_id: int, locale: str, *, title: str, body: str, draft: bool) -> None:
        """Write the article in a locale, or write it anew."""
        article, now = self.article(article_id), self.account.now()
        known = article.translations.get(locale)
        number = known.translation_id if known is not None else self.account.fresh_id()
        article.translations[locale] = Translation(number, locale, title, body, draft, now)
        article.changed_at = now

    def remove_translation(self, article_id: int, locale: str) -> None:
        """Delete the article in one locale."""
        article = self.article(article_id)
        del article.translations[locale]
        article.changed_at = self.account.now()

    def article(self, article_id: int) -> Article:
        """An article.

        Raises:
            Refusal: 404.
        """
        if article_id not in self.articles:
            raise not_found()
        return self.articles[article_id]
