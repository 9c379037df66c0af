"""The endpoints of the Help Center: the incremental export, the list, translations, a user's segments.

https://developer.zendesk.com/documentation/help_center/help-center-api/understanding-incremental-article-exports/
https://developer.zendesk.com/api-reference/help_center/help-center-api/translations/
https://developer.zendesk.com/api-reference/help_center/help-center-api/user_segments/
"""

from __future__ import annotations

from typing import Final

from starlette.routing import Route

from connectors.sandbox.zendesk.help_center import HelpCenter
from connectors.sandbox.zendesk.http import Answer, Call, Desk
from connectors.sandbox.zendesk.pages import MAX_EXPORT, number, page
from connectors.sandbox.zendesk.records import Article, Json, JsonValue, Translation, UserSegment, stamp
from connectors.sandbox.zendesk.refusal import bad_request

SCOPES: Final = ("read", "hc:read")


class HelpCenterApi:
    """Articles and segments over HTTP, for staff."""

    def __init__(self, desk: Desk, help_center: HelpCenter) -> None:
        self._desk = desk
        self._hc = help_center
        self._site = desk.account.site

    def routes(self) -> list[Route]:
        """All routes, the more specific first."""
        article, user = "/help_center/articles/{article_id:int}", "/help_center/users/{user_id:int}"
        desk = self._desk
        return [
            *desk.routes("zendesk.articles.export", "GET", "/help_center/incremental/articles", self._export),
            *desk.routes("zendesk.articles.list", "GET", "/help_center/articles", self._articles),
            *desk.routes("zendesk.translations.list", "GET", f"{article}/translations", self._translated),
            *desk.routes("zendesk.user_segments.list", "GET", f"{user}/user_segments", self._segments),
        ]

    def _export(self, call: Call) -> Answer:
        """Articles changed at the start time or later. `end_time` is the last one's; the last page has no next."""
        self._admit(call)
        start = call.query.get("start_time", "")
        if not start.isdigit():
            raise bad_request("InvalidValue", "start_time is required")
        size = number(call.query.get("per_page", str(MAX_EXPORT)), MAX_EXPORT)
        changed = sorted(
            (entry for entry in self._hc.articles.values() if int(entry.changed_at.timestamp()) >= int(start)),
            key=lambda entry: (entry.changed_at, entry.article_id),
        )
        shown = changed[:size]
        end_time = int(shown[-1].changed_at.timestamp()) if shown else int(start)
        more = f"{call.url}?start_time={end_time}" if len(changed) > size else None
        with_translations = "translations" in call.query.get("include", "").split(",")
        articles: list[JsonValue] = [
            {**self._article(entry), **(self._sideload(entry) if with_translations else {})} for entry in shown
        ]
        return Answer({"articles": articles, "count": len(shown), "end_time": end_time, "next_page": more})

    def _articles(self, call: Call) -> Answer:
        self._admit(call)
        body = page(
            list(self._hc.articles.values()),
            key="articles",
            url=call.url,
            query=call.query,
            id_of=lambda entry: entry.article_id,
            shape=self._article,
        )
        return Answer(body)

    def _translated(self, call: Call) -> Answer:
        self._admit(call)
        article = self._hc.article(call.number("article_id"))
        body = page(
            list(article.translations.values()),
            key="translations",
            url=call.url,
            query=call.query,
            id_of=lambda entry: entry.translation_id,
            shape=lambda entry: self._translation(article, entry),
        )
        return Answer(body)

    def _segments(self, call: Call) -> Answer:
        self._admit(call)
        user = self._desk.account.user(call.number("user_id"))
        body = page(
            [entry for entry in self._hc.segments.values() if entry.holds(user)],
            key="user_segments",
            url=call.url,
            query=call.query,
            id_of=lambda entry: entry.segment_id,
            shape=_segment,
        )
        return Answer(body)

    def _admit(self, call: Call) -> None:
        call.caller.need(*SCOPES)
        call.caller.need_staff()

    def _article(self, article: Article) -> Json:
        """In its source locale, which is what the list shows."""
        shown = article.translations.get(article.source_locale)
        segments: list[JsonValue] = list(article.segment_ids)
        return {
            "id": article.article_id,
            "url": f"{self._site}/api/v2/help_center/{article.source_locale}/articles/{article.article_id}.json",
            "html_url": self._html_url(article, article.source_locale),
            "locale": article.source_locale,
            "source_locale": article.source_locale,
            "title": shown.title if shown else "",
            "body": shown.body if shown else None,
            "draft": shown.draft if shown else True,
            "outdated": False,
            "outdated_locales": [],
            "user_segment_id": article.segment_ids[0] if article.segment_ids else None,
            "user_segment_ids": segments,
            "label_names": list[JsonValue](article.label_names),
            "created_at": stamp(article.created_at),
            "updated_at": stamp(article.changed_at),
            "edited_at": stamp(shown.updated_at if shown else article.created_at),
        }

    def _translation(self, article: Article, translation: Translation) -> Json:
        return {
            "id": translation.translation_id,
            "html_url": self._html_url(article, translation.locale),
            "source_id": article.article_id,
            "source_type": "Article",
            "locale": translation.locale,
            "title": translation.title,
            "body": translation.body,
            "draft": translation.draft,
            "hidden": False,
            "outdated": False,
            "updated_at": stamp(translation.updated_at),
        }

    def _sideload(self, article: Article) -> Json:
        return {"translations": [self._translation(article, entry) for entry in article.translations.values()]}

    def _html_url(self, article: Article, locale: str) -> str:
        return f"{self._site}/hc/{locale}/articles/{article.article_id}"


def _segment(segment: UserSegment) -> Json:
    return {
        "id": segment.segment_id,
        "name": segment.name,
        "user_type": segment.user_type,
        "group_ids": [],
        "organization_ids": [],
        "tags": list[JsonValue](segment.tags),
        "or_tags": [],
        "added_user_ids": [],
        "built_in": False,
        "created_at": stamp(segment.created_at),
        "updated_at": stamp(segment.created_at),
    }
