"""Every table is known for what it holds about customers, so that none is forgotten when somebody is erased."""

from __future__ import annotations

import psycopg

from app.tables import metadata
from graph.erasure.holdings import HOLDINGS, Holding

NOT_SEALED = {"audit_block.root", "audit_event.leaf_hash", "audit_tree.frontier"}
"""Hashes."""
SEALED_BUT_NEVER_FILLED = {"inbox_event.sealed_body"}
NAMES_THE_PERSON = {"run", "legal_hold"}
"""What says who was erased, and who may not be."""


def test_every_table_of_the_database_is_known(admin_url: str) -> None:
    with psycopg.connect(admin_url) as owner:
        rows = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert {str(row[0]) for row in rows} == set(HOLDINGS)


def test_what_is_sealed_or_has_the_id_of_a_person_is_taken_out() -> None:
    stays = {name for name, holding in HOLDINGS.items() if holding is not Holding.TAKEN_OUT}
    columns = [(table.name, column) for table in metadata().tables.values() for column in table.columns]
    sealed = {f"{table}.{column.name}" for table, column in columns if column.type.python_type is bytes}
    assert {one for one in sealed if one.split(".")[0] in stays} == NOT_SEALED | SEALED_BUT_NEVER_FILLED
    assert {table for table, column in columns if column.name == "subject_id" and table in stays} == NAMES_THE_PERSON
