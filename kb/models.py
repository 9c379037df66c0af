"""Tables of the knowledge base: documents, their sections in every version, and the word counts that ranking needs.

Promises: a section version that was ever citable stays readable with the bytes it had; the current one is marked;
every table begins its key with the tenant. Refuses to hold text without a document, and to hold two versions under one
number. The extension `vector` must exist before these tables are created.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from pgvector.sqlalchemy import Vector
from sqlalchemy import Column, Computed, DateTime, ForeignKeyConstraint, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlmodel import Field, SQLModel

EMBEDDING_SIZE: Final = 384
"""Numbers in one vector of all-MiniLM-L6-v2."""

TEXT_SEARCH_CONFIGURATIONS: Final = {
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}
"""Languages whose word forms PostgreSQL knows; any other is indexed by `simple`, word by word as written.

https://www.postgresql.org/docs/current/textsearch-dictionaries.html
"""


def text_search_configuration(language: str) -> str:
    """Name of PostgreSQL's text search configuration for an ISO 639-1 language, `simple` where it has none."""
    return TEXT_SEARCH_CONFIGURATIONS.get(language, "simple")


def _search_expression() -> str:
    """SQL of the generated column: constants of type regconfig keep it immutable, as a generated column must be."""
    cases = " ".join(f"WHEN '{code}' THEN '{name}'::regconfig" for code, name in TEXT_SEARCH_CONFIGURATIONS.items())
    configuration = f"CASE language {cases} ELSE 'simple'::regconfig END"
    return f"to_tsvector({configuration}, context || E'\\n' || text)"


class Document(SQLModel, table=True):
    """One source document. `document_id` is a slug (`refund-policy`) or the id its source gave it.

    `source` names the folder, file or help centre it was read from: re-reading a whole source marks as deleted what is
    gone from it. `deleted_at` is set then; its sections stay readable.
    """

    __tablename__ = "kb_document"

    tenant_id: str = Field(primary_key=True, sa_type=Text)
    document_id: str = Field(primary_key=True, sa_type=Text)
    title: str = Field(sa_type=Text)
    url: str | None = Field(default=None, sa_type=Text)
    language: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text, index=True)
    labels: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(Text), nullable=False, server_default="{}"))
    effective_from: date | None = None
    effective_to: date | None = None
    content_hash: str = Field(sa_type=Text)
    ingested_at: datetime = Field(sa_type=DateTime(timezone=True))
    deleted_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Section(SQLModel, table=True):
    """One version of one citable section.

    `text` is the source's bytes between two headings, without the heading and without blank lines around it. `context`
    is the title and the headings above it, joined; it is searched and embedded with the text, never quoted.
    `is_current` is true from ingestion until the section is replaced or removed (`retired_at`); only current ones are
    searched. A version written ahead of its `effective_from` is current beside the one it will replace.
    Effective dates are inclusive at `effective_from` and exclusive at `effective_to`.
    `labels` are access labels: none means everybody, else a reader needs one of them.
    `embedding` is stored inside the row (migration 0022): the planner does not see what fetching it elsewhere costs.
    """

    __tablename__ = "kb_section"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "document_id"], ["kb_document.tenant_id", "kb_document.document_id"]),
        Index("ix_kb_section_document", "tenant_id", "document_id"),
        Index("ix_kb_section_current", "tenant_id", postgresql_where=text("is_current")),
        Index("ix_kb_section_content_hash", "tenant_id", "content_hash"),
        # Partial: old versions are read by key only, and would otherwise crowd the graph and the posting lists.
        Index(
            "ix_kb_section_embedding",
            "embedding",
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "vector_cosine_ops"},
            postgresql_with={"m": 16, "ef_construction": 64},
            postgresql_where=text("is_current"),
        ),
        Index("ix_kb_section_search", "search", postgresql_using="gin", postgresql_where=text("is_current")),
    )

    tenant_id: str = Field(primary_key=True, sa_type=Text)
    section_id: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True)
    is_current: bool
    document_id: str = Field(sa_type=Text)
    heading: str = Field(sa_type=Text)
    heading_path: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    ordinal: int
    context: str = Field(sa_type=Text)
    text: str = Field(sa_type=Text)
    content_hash: str = Field(sa_type=Text)
    embedding: Any = Field(sa_column=Column(Vector(EMBEDDING_SIZE), nullable=False))
    search: Any = Field(
        default=None, sa_column=Column(TSVECTOR, Computed(_search_expression(), persisted=True), nullable=True)
    )
    language: str = Field(sa_type=Text)
    labels: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(Text), nullable=False, server_default="{}"))
    url: str | None = Field(default=None, sa_type=Text)
    effective_from: date | None = None
    effective_to: date | None = None
    ingested_at: datetime = Field(sa_type=DateTime(timezone=True))
    retired_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Term(SQLModel, table=True):
    """In how many current sections of a tenant a lexeme occurs. Kept by ingestion; ranking weighs rare words by it."""

    __tablename__ = "kb_term"

    tenant_id: str = Field(primary_key=True, sa_type=Text)
    lexeme: str = Field(primary_key=True, sa_type=Text)
    sections: int


class Corpus(SQLModel, table=True):
    """How many current sections a tenant has."""

    __tablename__ = "kb_corpus"

    tenant_id: str = Field(primary_key=True, sa_type=Text)
    sections: int


USE_FULL_TEXT_INDEX: Final = """
DO $$ BEGIN
    ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'full-text search will not use its index: ask a superuser to mark ts_match_vq as leakproof';
END $$
"""
"""Statement a migration runs once in each database, so that full-text search uses its index.

Row-level security is checked before any condition whose function might tell what it saw, so under it a GIN index is
used only if the match of a tsvector with a tsquery counts as leakproof. It tells nothing but its answer, yet PostgreSQL
does not say so, and only a superuser may. Without the right, search reads every section of the tenant: slower.
https://www.postgresql.org/docs/current/sql-createfunction.html
"""
