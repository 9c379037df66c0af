"""Documents, their sections with vectors, and the word counts that ranking needs.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import VECTOR
from sqlalchemy.dialects import postgresql

from app.migrations.protection import CHANGE, protect
from kb.models import USE_FULL_TEXT_INDEX

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SEARCH = (
    "to_tsvector(CASE language"
    " WHEN 'da' THEN 'danish'::regconfig"
    " WHEN 'de' THEN 'german'::regconfig"
    " WHEN 'en' THEN 'english'::regconfig"
    " WHEN 'es' THEN 'spanish'::regconfig"
    " WHEN 'fr' THEN 'french'::regconfig"
    " WHEN 'it' THEN 'italian'::regconfig"
    " WHEN 'nl' THEN 'dutch'::regconfig"
    " WHEN 'no' THEN 'norwegian'::regconfig"
    " WHEN 'pt' THEN 'portuguese'::regconfig"
    " WHEN 'ru' THEN 'russian'::regconfig"
    " WHEN 'sv' THEN 'swedish'::regconfig"
    " WHEN 'tr' THEN 'turkish'::regconfig"
    " ELSE 'simple'::regconfig END, context || E'\\n' || text)"
)


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    op.execute(USE_FULL_TEXT_INDEX)
    _kb_corpus()
    _kb_document()
    _kb_term()
    _kb_section()


def _kb_corpus() -> None:
    op.create_table(
        "kb_corpus",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("sections", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    protect("kb_corpus", CHANGE)


def _kb_document() -> None:
    op.create_table(
        "kb_document",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("labels", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=True),
        sa.Column("effective_to", sa.Date(), nullable=True),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("ingested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "document_id"),
    )
    op.create_index(op.f("ix_kb_document_source"), "kb_document", ["source"], unique=False)
    protect("kb_document", CHANGE)


def _kb_term() -> None:
    op.create_table(
        "kb_term",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("lexeme", sa.Text(), nullable=False),
        sa.Column("sections", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "lexeme"),
    )
    protect("kb_term", CHANGE)


def _kb_section() -> None:
    op.create_table(
        "kb_section",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("section_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("heading_path", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("embedding", VECTOR(384), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), sa.Computed(SEARCH, persisted=True), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("labels", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("effective_from", sa.Date(), nullable=True),
        sa.Column("effective_to", sa.Date(), nullable=True),
        sa.Column("ingested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "document_id"],
            ["kb_document.tenant_id", "kb_document.document_id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "section_id", "version"),
    )
    op.create_index("ix_kb_section_content_hash", "kb_section", ["tenant_id", "content_hash"], unique=False)
    op.create_index(
        "ix_kb_section_current", "kb_section", ["tenant_id"], unique=False, postgresql_where=sa.text("is_current")
    )
    op.create_index("ix_kb_section_document", "kb_section", ["tenant_id", "document_id"], unique=False)
    op.create_index(
        "ix_kb_section_embedding",
        "kb_section",
        ["embedding"],
        unique=False,
        postgresql_using="hnsw",
        postgresql_ops={"embedding": "vector_cosine_ops"},
        postgresql_with={"m": 16, "ef_construction": 64},
        postgresql_where=sa.text("is_current"),
    )
    op.create_index(
        "ix_kb_section_search",
        "kb_section",
        ["search"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("is_current"),
    )
    protect("kb_section", CHANGE)
