"""Documents into sections: only what changed is embedded, nothing citable is lost.

Promises: a section whose words did not change keeps its version; one that changed gets the next version and the old one
stays readable; one that is gone is retired. Ingesting the same documents twice changes nothing. Refuses one section id
in two documents. The caller owns the transaction: everything here happens in it or not at all, and one ingestion of a
tenant runs at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import col

from kb.documents import ParsedDocument, ParsedSection
from kb.errors import DocumentError
from kb.models import Document, Section
from kb.terms import SectionKey, recount
from kb.vectors import Embed, section_vectors

EMBEDDED_AT_ONCE: Final = 16
"""Sections in one call of the model: enough to fill its batches, few enough that a question asked meanwhile waits for
about a second, and to show progress."""

_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('kb.ingest:' || :tenant_id, 0))")
_METADATA: Final = ("ordinal", "labels", "url", "effective_from", "effective_to")


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingestion did, in sections except for `documents`. `embedded` counts those the model had to read."""

    documents: int
    added: int
    unchanged: int
    retired: int
    embedded: int


@dataclass(slots=True)
class _Plan:
    """What is to be written, collected before anything is."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    retired: list[SectionKey] = field(default_factory=list)
    ending: list[dict[str, Any]] = field(default_factory=list)
    touched: list[dict[str, Any]] = field(default_factory=list)
    unchanged: int = 0


async def ingest(
    session: AsyncSession,
    *,
    tenant_id: str,
    source: str,
    documents: Sequence[ParsedDocument],
    embed: Embed,
    now: datetime,
    progress: Callable[[int], None] | None = None,
) -> IngestReport:
    """Bring the knowledge base in step with these documents.

    Documents of the source that are not among them are left alone: a source is read in portions, and `retire_missing`
    ends it. A version that takes effect later than `now` stands beside the current one until then.

    Args:
        session: of the tenant; the caller commits.
        tenant_id: whose knowledge it is.
        source: the folder, file or help centre they come from.
        documents: distinct ids; a few hundred at a time keep memory small.
        embed: the embedding model.
        now: aware time of this ingestion.
        progress: called with the number of sections done since the last call.

    Raises:
        DocumentError: a section id is used by two documents.
    """
    connection = await session.connection()
    await connection.execute(_ONE_AT_A_TIME, {"tenant_id": tenant_id})
    known = await _known_sections(connection, tenant_id, documents)
    plan = _Plan()
    owners: dict[str, str] = {}
    for document in documents:
        for section in document.sections:
            other = owners.setdefault(section.section_id, document.document_id)
            if other != document.document_id:
                raise _two_owners(section.section_id, other, document.document_id)
        _plan_document(plan, document, known, tenant_id, now)
    embedded = await _add_vectors(connection, tenant_id, plan.rows, embed, progress or _no_progress)
    if progress is not None:
        progress(plan.unchanged)
    await _write_documents(connection, tenant_id, source, documents, now)
    await _write_sections(connection, tenant_id, plan, now)
    return IngestReport(len(documents), len(plan.rows), plan.unchanged, len(plan.retired), embedded)


async def retire_missing(
    session: AsyncSession, *, tenant_id: str, source: str, kept: Collection[str], now: datetime
) -> int:
    """Mark the documents of a source that it no longer holds as deleted, and retire their sections.

    Args:
        session: of the tenant; the caller commits.
        tenant_id: whose knowledge it is.
        source: as given to `ingest`.
        kept: ids of all the documents the source holds now.
        now: aware time of this ingestion.

    Returns:
        How many documents were retired.
    """
    connection = await session.connection()
    await connection.execute(_ONE_AT_A_TIME, {"tenant_id": tenant_id})
    there = await connection.scalars(
        select(col(Document.document_id)).where(
            col(Document.tenant_id) == tenant_id, col(Document.source) == source, col(Document.deleted_at).is_(None)
        )
    )
    gone = sorted(set(there) - set(kept))
    if not gone:
        return 0
    sections = await connection.execute(
        select(col(Section.section_id), col(Section.version)).where(
            col(Section.tenant_id) == tenant_id, col(Section.document_id).in_(gone), col(Section.is_current)
        )
    )
    plan = _Plan(retired=[SectionKey(*row) for row in sections])
    await _write_sections(connection, tenant_id, plan, now)
    await connection.execute(
        update(Document)
        .where(col(Document.tenant_id) == tenant_id, col(Document.document_id).in_(gone))
        .values(deleted_at=now)
    )
    return len(gone)


async def sources_below(session: AsyncSession, *, tenant_id: str, prefix: str) -> set[str]:
    """Names of the sources that begin so and still hold a document."""
    found = await session.scalars(
        select(col(Document.source))
        .where(
            col(Document.tenant_id) == tenant_id,
            col(Document.source).startswith(prefix, autoescape=True),
            col(Document.deleted_at).is_(None),
        )
        .distinct()
    )
    return set(found)


class _Stored(NamedTuple):
    """What is compared of a current section."""

    section_id: str
    version: int
    document_id: str
    content_hash: str
    ordinal: int
    labels: list[str]
    url: str | None
    effective_from: date | None
    effective_to: date | None


@dataclass(slots=True)
class _Known:
    """What the database has of one section id, the current ones in the order of their versions."""

    document_id: str = ""
    last_version: int = 0
    current: list[_Stored] = field(default_factory=list)


async def _known_sections(
    connection: AsyncConnection, tenant_id: str, documents: Sequence[ParsedDocument]
) -> dict[str, _Known]:
    section_ids = [section.section_id for document in documents for section in document.sections]
    document_ids = [document.document_id for document in documents]
    mine = (col(Section.tenant_id) == tenant_id) & (
        col(Section.document_id).in_(document_ids) | col(Section.section_id).in_(section_ids)
    )
    known: dict[str, _Known] = defaultdict(_Known)
    newest = select(col(Section.section_id), func.max(col(Section.version))).where(mine)
    for section_id, version in await connection.execute(newest.group_by(col(Section.section_id))):
        known[section_id].last_version = version
    columns = [getattr(Section, name) for name in _Stored._fields]
    current = select(*columns).where(mine, col(Section.is_current)).order_by(col(Section.version))
    for row in await connection.execute(current):
        stored = _Stored(*row)
        known[stored.section_id].document_id = stored.document_id
        known[stored.section_id].current.append(stored)
    return known


def _plan_document(
    plan: _Plan, document: ParsedDocument, known: dict[str, _Known], tenant_id: str, now: datetime
) -> None:
    present = {section.section_id for section in document.sections}
    for section_id, old in known.items():
        if old.document_id == document.document_id and section_id not in present:
            plan.retired += [SectionKey(section_id, section.version) for section in old.current]
    for ordinal, section in enumerate(document.sections):
        old = known.get(section.section_id, _Known())
        if old.current and old.document_id != document.document_id:
            raise _two_owners(section.section_id, old.document_id, document.document_id)
        row = _row(document, section, ordinal, tenant_id, now)
        if old.current and old.current[-1].content_hash == row["content_hash"]:
            plan.unchanged += 1
            _plan_metadata(plan, old.current[-1], row)
            continue
        plan.rows.append(row | {"version": old.last_version + 1})
        for section_before in old.current:
            _plan_succession(plan, section_before, row, now)


def _plan_metadata(plan: _Plan, before: _Stored, row: dict[str, Any]) -> None:
    """Labels, dates, address and place may change without a new version: they are not quoted."""
    if any(getattr(before, name) != row[name] for name in _METADATA):
        key = {"section_id": before.section_id, "version": before.version}
        plan.touched.append(key | {name: row[name] for name in _METADATA})


def _plan_succession(plan: _Plan, before: _Stored, row: dict[str, Any], now: datetime) -> None:
    starts = row["effective_from"]
    key = SectionKey(before.section_id, before.version)
    is_later = starts is not None and starts > now.date()
    if is_later and (before.effective_from is None or before.effective_from < starts):
        ends = min(starts, before.effective_to or starts)
        plan.ending.append(key._asdict() | {"effective_to": ends})
    else:
        plan.retired.append(key)


def _row(
    document: ParsedDocument, section: ParsedSection, ordinal: int, tenant_id: str, now: datetime
) -> dict[str, Any]:
    context = "\n".join(filter(None, (document.title, *section.heading_path)))
    quoted = f"{document.language}\0{context}\0{section.text}"
    return {
        "tenant_id": tenant_id,
        "section_id": section.section_id,
        "is_current": True,
        "document_id": document.document_id,
        "heading": section.heading,
        "heading_path": list(section.heading_path),
        "ordinal": ordinal,
        "context": context,
        "text": section.text,
        "content_hash": hashlib.sha256(quoted.encode()).hexdigest(),
        "language": document.language,
        "labels": list(document.labels),
        "url": document.url,
        "effective_from": document.effective_from,
        "effective_to": document.effective_to,
        "ingested_at": now,
        "retired_at": None,
    }


async def _add_vectors(
    connection: AsyncConnection,
    tenant_id: str,
    rows: Sequence[dict[str, Any]],
    embed: Embed,
    progress: Callable[[int], None],
) -> int:
    """Give every row its vector; words seen before, under whatever id, take the vector they had."""
    had = await connection.execute(
        select(col(Section.content_hash), col(Section.embedding)).where(
            col(Section.tenant_id) == tenant_id, col(Section.content_hash).in_([row["content_hash"] for row in rows])
        )
    )
    vectors: dict[str, NDArray[np.float32]] = {content_hash: vector for content_hash, vector in had}  # noqa: C416  # rows, not pairs
    new = list({row["content_hash"]: row for row in rows if row["content_hash"] not in vectors}.values())
    progress(len(rows) - len(new))
    for start in range(0, len(new), EMBEDDED_AT_ONCE):
        batch = new[start : start + EMBEDDED_AT_ONCE]
        texts, contexts = [row["text"] for row in batch], [row["context"] for row in batch]
        # In a thread: an event loop that keeps leases alive must not wait for a model.
        found = await asyncio.to_thread(section_vectors, embed, texts, contexts)
        vectors |= {row["content_hash"]: vector for row, vector in zip(batch, found, strict=True)}
        progress(len(batch))
    for row in rows:
        row["embedding"] = vectors[row["content_hash"]]
    return len(new)


async def _write_documents(
    connection: AsyncConnection, tenant_id: str, source: str, documents: Iterable[ParsedDocument], now: datetime
) -> None:
    rows = [
        {
            "tenant_id": tenant_id,
            "document_id": document.document_id,
            "title": document.title,
            "url": document.url,
            "language": document.language,
            "source": source,
            "labels": list(document.labels),
            "effective_from": document.effective_from,
            "effective_to": document.effective_to,
            "content_hash": _document_hash(document),
            "ingested_at": now,
            "deleted_at": None,
        }
        for document in documents
    ]
    if not rows:
        return
    statement = upsert(Document)
    replaced = {name: statement.excluded[name] for name in rows[0] if name not in {"tenant_id", "document_id"}}
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["tenant_id", "document_id"], set_=replaced), rows
    )


async def _write_sections(connection: AsyncConnection, tenant_id: str, plan: _Plan, now: datetime) -> None:
    if plan.rows:
        await connection.execute(insert(Section), plan.rows)
    for key in plan.retired:
        await _update_section(connection, tenant_id, key._asdict() | {"is_current": False, "retired_at": now})
    for change in (*plan.ending, *plan.touched):
        await _update_section(connection, tenant_id, change)
    added = [SectionKey(row["section_id"], row["version"]) for row in plan.rows]
    await recount(connection, tenant_id=tenant_id, added=added, retired=plan.retired)


async def _update_section(connection: AsyncConnection, tenant_id: str, change: dict[str, Any]) -> None:
    await connection.execute(
        update(Section)
        .where(
            col(Section.tenant_id) == tenant_id,
            col(Section.section_id) == change["section_id"],
            col(Section.version) == change["version"],
        )
        .values({name: value for name, value in change.items() if name not in {"section_id", "version"}})
    )


def _document_hash(document: ParsedDocument) -> str:
    words = (document.title, *(part for section in document.sections for part in (section.section_id, section.text)))
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def _two_owners(section_id: str, one: str, other: str) -> DocumentError:
    return DocumentError(f"section {section_id!r} is in {one!r} and in {other!r}: give one of them another id")


def _no_progress(_done: int) -> None:
    """Nobody watches."""
