"""Articles, translations and user segments as the vendor shows them, read through the adapter."""

from __future__ import annotations

import pytest

from connectors.errors import AccessDenied
from connectors.zendesk.help_center import article_ids, changed_articles, segment_ids_of
from tests.contract.zendesk.builders import World

START_S = 0


def test_an_article_comes_with_all_its_translations_and_who_may_see_it(world: World) -> None:
    """https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/#json-format"""
    vip = world.double.add_user_segment("VIP", tags=["vip"])
    article_id = world.double.add_article("Returns", "<p>30 days.</p>", segments=[vip], labels=["returns"])
    world.double.translate_article(article_id, "Rückgabe", "<p>30 Tage.</p>", locale="de", draft=True)
    (article,) = changed_articles(world.zendesk, START_S).articles
    assert (article.article_id, article.user_segment_ids, article.label_names) == (article_id, (vip,), ("returns",))
    shown = [(one.locale, one.title, one.body, one.is_draft) for one in article.translations]
    assert shown == [("en-us", "Returns", "<p>30 days.</p>", False), ("de", "Rückgabe", "<p>30 Tage.</p>", True)]
    assert article.translations[0].html_url == f"https://shop.zendesk.com/hc/en-us/articles/{article_id}"


def test_the_export_goes_on_where_it_ended_and_page_by_page(world: World) -> None:
    """https://developer.zendesk.com/documentation/help_center/help-center-api/understanding-incremental-article-exports/"""
    made = []
    for number in range(130):
        made.append(world.double.add_article(f"Article {number}", "<p>Words.</p>"))
        world.clock.advance(1)
    first = changed_articles(world.zendesk, START_S)
    assert (len(first.articles), first.is_last) == (100, False)
    second = changed_articles(world.zendesk, first.end_time_s)
    assert second.is_last
    assert {one.article_id for one in (*first.articles, *second.articles)} == set(made)
    world.double.translate_article(made[3], "Article 3", "<p>Other words.</p>")
    later = changed_articles(world.zendesk, second.end_time_s)
    assert made[3] in {one.article_id for one in later.articles}
    assert len(later.articles) <= 2


def test_an_archived_article_is_in_no_list_and_no_export(world: World) -> None:
    """https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/#archive-article"""
    made = [world.double.add_article(f"Article {number}", "") for number in range(104)]
    assert article_ids(world.zendesk) == set(made)
    world.double.archive_article(made[0])
    assert article_ids(world.zendesk) == set(made[1:])
    assert made[0] not in {one.article_id for one in changed_articles(world.zendesk, START_S).articles}


def test_a_user_belongs_to_the_segments_whose_tags_they_have(world: World) -> None:
    """https://developer.zendesk.com/api-reference/help_center/help-center-api/user_segments/"""
    everybody = world.double.add_user_segment("Signed in")
    vip = world.double.add_user_segment("VIP", tags=["vip"])
    world.double.add_user_segment("Staff", user_type="staff")
    bob = world.double.add_user(name="Bob", email="bob@example.com", tags=["vip"])
    assert segment_ids_of(world.zendesk, world.ana) == (everybody,)
    assert segment_ids_of(world.zendesk, bob) == (everybody, vip)


def test_without_the_scope_the_help_center_is_denied(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/"""
    assert changed_articles(world.adapter(scope="hc:read"), START_S).articles == ()
    with pytest.raises(AccessDenied, match="403"):
        changed_articles(world.adapter(scope="tickets:read"), START_S)
