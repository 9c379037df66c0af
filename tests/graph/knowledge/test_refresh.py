"""The Help Center kept in step: over real HTTP with the double, into a real database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import count

import pytest
from sqlalchemy import text

from app.db import Database
from connectors.errors import ConnectorError
from connectors.sandbox.faults import FaultKind
from graph.knowledge.refresh import Librarian, Refreshed, refresh
from kb.citation import cited_section
from kb.search import Filters, Hit, search
from tests.contract.zendesk.builders import Stage, World
from tests.kb.words import WordEmbedding

BODY = '<h2 id="h_1">How long</h2><p>A lamp can be returned for 30 days.</p>'


@pytest.fixture(scope="module")
def stages() -> Iterator[tuple[Stage, Stage]]:
    made = (Stage(), Stage())
    for stage in made:
        stage.start()
    yield made
    for stage in made:
        stage.stop()


@pytest.fixture
def world(stages: tuple[Stage, Stage]) -> Iterator[World]:
    made = World(*stages, limits=None, webhooks=False)
    yield made
    made.close()


@pytest.fixture
def librarian(world: World, database: Database) -> Librarian:
    numbers = count()
    return Librarian(
        sessions=database.tenant,
        tenant_id="demo",
        zendesk=world.zendesk,
        embed=WordEmbedding(),
        now=world.clock.now,
        new_id=lambda prefix: f"{prefix}_{next(numbers)}",
    )


async def again(world: World, librarian: Librarian, *, is_whole: bool = True) -> Refreshed:
    world.clock.advance(60)
    return await refresh(librarian, is_whole=is_whole)


async def ask(librarian: Librarian, words: str, *, labels: tuple[str, ...] = (), on: date | None = None) -> list[Hit]:
    async with librarian.sessions("demo") as session:
        return await search(
            session,
            tenant_id="demo",
            query=words,
            query_vector=librarian.embed([words])[0],
            filters=Filters(on=on or librarian.now().date(), labels=frozenset(labels)),
        )


async def test_articles_come_change_and_go_and_what_was_cited_stays(world: World, librarian: Librarian) -> None:
    article_id = world.double.add_article("Returns", BODY)
    world.double.add_article("Not yet", "<p>Lamps may glow.</p>", draft=True)
    first = await again(world, librarian)
    assert (first.articles, first.added, first.embedded) == (2, 1, 1)
    section_id = f"help-center/{article_id}/en-us#h_1"
    (hit,) = await ask(librarian, "return a lamp")
    assert (hit.section_id, hit.version, hit.text) == (section_id, 1, "A lamp can be returned for 30 days.")
    assert hit.url == f"https://shop.zendesk.com/hc/en-us/articles/{article_id}"

    unchanged = await again(world, librarian)
    assert (unchanged.added, unchanged.retired, unchanged.embedded) == (0, 0, 0)

    world.double.translate_article(article_id, "Returns", BODY.replace("30", "14").replace("How long", "Time"))
    world.double.translate_article(article_id, "Retouren", "<p>Eine Lampe: 14 Tage.</p>", locale="de")
    changed = await again(world, librarian, is_whole=False)
    assert (changed.added, changed.retired) == (2, 1)
    assert (await ask(librarian, "eine Lampe Tage"))[0].language == "de"

    world.double.archive_article(article_id)
    assert (await again(world, librarian, is_whole=False)).retired == 0
    assert (await again(world, librarian)).documents_retired == 2
    assert await ask(librarian, "return a lamp") == []
    async with librarian.sessions("demo") as session:
        for version, days in ((1, 30), (2, 14)):
            citation = await cited_section(session, tenant_id="demo", section_id=section_id, version=version)
            assert citation.text == f"A lamp can be returned for {days} days."
            assert not citation.is_current
        told = await session.scalars(
            text("SELECT body ->> 'source' FROM audit_event WHERE kind = 'knowledge.changed' ORDER BY seq")
        )
        assert list(told) == [f"help-center/{article_id}"] * 3


async def test_segments_become_labels_and_labels_become_dates(world: World, librarian: Librarian) -> None:
    vip = world.double.add_user_segment("VIP", tags=["vip"])
    world.double.add_article("Lamps for friends", "<p>A lamp is free.</p>", segments=[vip])
    world.double.add_article("Later", "<p>A lamp shines.</p>", labels=["effective-from:2027-01-01"])
    world.double.add_macro("Lamp", [("comment_value", "A lamp < 5 W is safe."), ("status", "solved")])
    await again(world, librarian)
    assert await ask(librarian, "lamp") == []
    assert [hit.text for hit in await ask(librarian, "lamp", labels=(f"segment:{vip}",))] == ["A lamp is free."]
    assert [hit.text for hit in await ask(librarian, "lamp", on=date(2027, 1, 1))] == ["A lamp shines."]
    assert [hit.text for hit in await ask(librarian, "lamp", labels=("staff",))] == ["A lamp < 5 W is safe."]


async def test_one_unreadable_article_keeps_its_last_words_and_stops_nothing(
    world: World, librarian: Librarian
) -> None:
    broken = world.double.add_article("Returns", BODY)
    await again(world, librarian)
    world.double.translate_article(broken, "Returns", BODY + BODY)
    world.double.add_article("Parcels", "<p>Parcels leave on Monday.</p>")
    done = await again(world, librarian)
    assert len(done.unreadable) == 1
    assert "'h_1'" in done.unreadable[0]
    kept = (await ask(librarian, "return a lamp"))[0]
    assert (kept.version, kept.text) == (1, "A lamp can be returned for 30 days.")
    assert (await ask(librarian, "parcels monday"))[0].text == "Parcels leave on Monday."


async def test_what_was_read_before_an_outage_stays_and_the_rest_follows(world: World, librarian: Librarian) -> None:
    for number in range(120):
        world.double.add_article(f"Lamp {number}", f"<p>Lamp number {number} is green.</p>")
        world.clock.advance(1)
    world.fault("zendesk.articles.export", FaultKind.SERVER_ERROR, skip=1)
    with pytest.raises(ConnectorError):
        await again(world, librarian)
    async with librarian.sessions("demo") as session:
        assert await session.scalar(text("SELECT count(*) FROM kb_section")) == 100
    assert (await again(world, librarian)).added == 20
