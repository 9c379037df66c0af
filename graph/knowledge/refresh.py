"""Knowledge kept in step with Zendesk: what changed in the Help Center, now and then what is gone, and the macros.

One transaction for each page of changes, in which the place in the export moves as well. An article that cannot be read
keeps its last good version and is told of. Refuses nothing that Zendesk shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.help_center import ArticleView, article_ids, changed_articles
from graph.audit.log import append
from graph.intake.models import SweepCursor
from graph.knowledge.articles import article_documents, article_source, macro_document
from graph.runtime import Embed
from graph.tenancy import Sessions
from kb.documents import ParsedDocument
from kb.errors import DocumentError
from kb.ingest import IngestReport, ingest, retire_missing, sources_below

CURSOR: Final = "help_center"
MACROS: Final = "macros"
_ARTICLES: Final = "help-center/"


@dataclass(frozen=True, slots=True)
class Librarian:
    """Who brings a tenant's knowledge in, and with what."""

    sessions: Sessions
    tenant_id: str
    zendesk: ZendeskAdapter
    embed: Embed
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    actor: str = "librarian"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did. `unreadable` says why an article stayed as it was."""

    articles: int = 0
    added: int = 0
    retired: int = 0
    embedded: int = 0
    documents_retired: int = 0
    unreadable: tuple[str, ...] = ()


async def refresh(librarian: Librarian, *, is_whole: bool) -> Refreshed:
    """Bring in what changed since the last time.

    Args:
        librarian: the tenant's.
        is_whole: also retire articles that are gone, which the export does not tell, and read the macros.

    Raises:
        ConnectorError: Zendesk could not be read; what was read before stays, and the next time goes on from there.
    """
    done = await _changed(librarian)
    if is_whole:
        done = await _gone(librarian, done)
        done = await _macros(librarian, done)
    return done


async def _changed(librarian: Librarian) -> Refreshed:
    tenant_id, done = librarian.tenant_id, Refreshed()
    async with librarian.sessions(tenant_id) as session:
        standing = await session.get(SweepCursor, (tenant_id, CURSOR))
        start_s = int(standing.cursor or 0) if standing is not None else 0
    while True:
        page = await asyncio.to_thread(changed_articles, librarian.zendesk, start_s)
        async with librarian.sessions(tenant_id) as session:
            for article in page.articles:
                done = await _take_in(session, librarian, article, done)
            await _stand_at(session, librarian, page.end_time_s)
        start_s = page.end_time_s
        if page.is_last:
            return done


async def _take_in(session: AsyncSession, librarian: Librarian, article: ArticleView, done: Refreshed) -> Refreshed:
    try:
        documents = list(article_documents(article))
    except DocumentError as error:
        return replace(done, articles=done.articles + 1, unreadable=(*done.unreadable, str(error)))
    source = article_source(article.article_id)
    return replace(await _bring_in(session, librarian, source, documents, done), articles=done.articles + 1)


async def _bring_in(
    session: AsyncSession, librarian: Librarian, source: str, documents: Sequence[ParsedDocument], done: Refreshed
) -> Refreshed:
    """Make these documents all that the source holds."""
    tenant_id, now = librarian.tenant_id, librarian.now()
    report = await ingest(
        session, tenant_id=tenant_id, source=source, documents=documents, embed=librarian.embed, now=now
    )
    kept = [document.document_id for document in documents]
    gone = await retire_missing(session, tenant_id=tenant_id, source=source, kept=kept, now=now)
    await _tell(session, librarian, source, report, gone)
    return replace(
        done,
        added=done.added + report.added,
        retired=done.retired + report.retired,
        embedded=done.embedded + report.embedded,
        documents_retired=done.documents_retired + gone,
    )


async def _gone(librarian: Librarian, done: Refreshed) -> Refreshed:
    """Retire what is archived. Articles written since the list was read are not among the known sources."""
    tenant_id = librarian.tenant_id
    async with librarian.sessions(tenant_id) as session:
        known = await sources_below(session, tenant_id=tenant_id, prefix=_ARTICLES)
    there = {article_source(article_id) for article_id in await asyncio.to_thread(article_ids, librarian.zendesk)}
    for source in sorted(known - there):
        async with librarian.sessions(tenant_id) as session:
            done = await _bring_in(session, librarian, source, [], done)
    return done


async def _macros(librarian: Librarian, done: Refreshed) -> Refreshed:
    macros = await asyncio.to_thread(librarian.zendesk.macros)
    documents = [document for document in map(macro_document, macros) if document is not None]
    async with librarian.sessions(librarian.tenant_id) as session:
        return await _bring_in(session, librarian, MACROS, documents, done)


async def _tell(
    session: AsyncSession, librarian: Librarian, source: str, report: IngestReport, documents_retired: int
) -> None:
    if not report.added and not report.retired and not documents_retired:
        return
    body = {
        "source": source,
        "sections_added": report.added,
        "sections_retired": report.retired,
        "documents_retired": documents_retired,
    }
    await append(
        session,
        tenant_id=librarian.tenant_id,
        at=librarian.now(),
        kind="knowledge.changed",
        actor=librarian.actor,
        new_id=librarian.new_id,
        body=body,
    )


async def _stand_at(session: AsyncSession, librarian: Librarian, end_time_s: int) -> None:
    row = {"tenant_id": librarian.tenant_id, "source": CURSOR, "cursor": str(end_time_s), "swept_at": librarian.now()}
    statement = insert(SweepCursor).values(row)
    changed = {name: row[name] for name in ("cursor", "swept_at")}
    await session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "source"], set_=changed))
