"""What every table holds about a customer, and what becomes of it when they are erased. A test knows every table.

A new table is put here or the build fails; one with sealed columns, or with the id of a person, can only be `TAKEN_OUT`
or say why it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Holding(StrEnum):
    """What becomes of a table's rows when a customer is erased."""

    TAKEN_OUT = "taken out"  # what is theirs is deleted, or emptied where events name the row
    BOOKS = "stays: the books"  # amounts, codes and vendors' ids; no text, no name, no address
    STAFF = "stays: people who work here"  # accounts and what they do; a customer is not among them
    SHOP = "stays: the shop's own"  # its policies, documents, switches and settings
    MACHINERY = "stays: machinery"  # leases, cursors, counts and hashes


HOLDINGS: Final[Mapping[str, Holding]] = {
    "approval": Holding.TAKEN_OUT,
    "artifact": Holding.TAKEN_OUT,
    "audit_private": Holding.TAKEN_OUT,
    "candidate_scenario": Holding.TAKEN_OUT,  # names nobody, and was made from their ticket
    "checkpoint_blobs": Holding.TAKEN_OUT,
    "checkpoint_writes": Holding.TAKEN_OUT,
    "checkpoints": Holding.TAKEN_OUT,
    "data_key": Holding.TAKEN_OUT,
    "effect": Holding.TAKEN_OUT,
    "model_answer": Holding.TAKEN_OUT,
    "preference": Holding.TAKEN_OUT,
    "seen_picture": Holding.TAKEN_OUT,
    "audit_event": Holding.BOOKS,
    "charge_ledger": Holding.BOOKS,
    "decision": Holding.BOOKS,
    "foreign_refund": Holding.BOOKS,
    "inbox_event": Holding.BOOKS,  # ids of tickets, comments and users, and flags; `sealed_body` is never filled
    "legal_hold": Holding.BOOKS,  # there is none when somebody is erased
    "reservation": Holding.BOOKS,
    "run": Holding.BOOKS,  # the id of the requester's Zendesk user stays, which says who was erased
    "account": Holding.STAFF,
    "account_session": Holding.STAFF,
    "one_time_token": Holding.STAFF,
    "review_check": Holding.STAFF,
    "review_claim": Holding.STAFF,
    "service_token": Holding.STAFF,
    "sign_in_pace": Holding.STAFF,
    "alert": Holding.SHOP,  # figures of rules and ids of connectors, breakers and versions
    "autonomy_cell": Holding.SHOP,
    "autonomy_move": Holding.SHOP,
    "breaker": Holding.SHOP,
    "connector_check": Holding.SHOP,
    "connector_state": Holding.SHOP,
    "correction_proposal": Holding.SHOP,  # codes and ids of tickets
    "gate_result": Holding.SHOP,
    "incident": Holding.SHOP,  # colleagues' words, redacted before they are kept
    "kb_corpus": Holding.SHOP,
    "kb_document": Holding.SHOP,
    "kb_section": Holding.SHOP,
    "kb_term": Holding.SHOP,
    "policy_approval": Holding.SHOP,
    "policy_schedule": Holding.SHOP,
    "policy_version": Holding.SHOP,
    "promotion_evidence": Holding.SHOP,
    "switch": Holding.SHOP,
    "tenant": Holding.SHOP,
    "alembic_version": Holding.MACHINERY,
    "audit_block": Holding.MACHINERY,
    "audit_checkpoint": Holding.MACHINERY,
    "audit_head": Holding.MACHINERY,
    "audit_publication": Holding.MACHINERY,
    "audit_tree": Holding.MACHINERY,
    "checkpoint_migrations": Holding.MACHINERY,
    "measure_count": Holding.MACHINERY,
    "measure_cursor": Holding.MACHINERY,
    "measure_day": Holding.MACHINERY,
    "measure_run": Holding.MACHINERY,
    "notice_cursor": Holding.MACHINERY,
    "pace": Holding.MACHINERY,
    "pgqueuer": Holding.MACHINERY,
    "pgqueuer_log": Holding.MACHINERY,
    "pgqueuer_schedules": Holding.MACHINERY,
    "pgqueuer_statistics": Holding.MACHINERY,
    "security_event": Holding.MACHINERY,
    "sweep_cursor": Holding.MACHINERY,
    "tally": Holding.MACHINERY,
    "ticket_lease": Holding.MACHINERY,
}
