"""A log to test with: some events, a signer, and what the owner of the database can do to both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from app.db import Database
from graph.audit.log import NewEvent, append_all
from graph.audit.note import Checkpoint, SigningKey
from graph.audit.sequence import Sequenced, Signer, sequence
from graph.audit.verify import Published, Verification, verify

NOW = datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=UTC)
SIGNER = Signer("countersign-test", SigningKey.from_seed(b"k" * 32))
FORGER = Signer("countersign-test", SigningKey.from_seed(b"f" * 32))


def events(first: int, count: int, **changes: Any) -> list[NewEvent]:
    """Events as runs leave them."""
    return [
        NewEvent(
            **{
                "event_id": f"evt_{number}",
                "at": NOW + timedelta(seconds=number),
                "kind": "run.waiting",
                "actor": "agent",
                "run_id": f"run_{number // 30}",
                "ticket_id": str(number // 30),
                "body": {"wait_for": "settlement", "waits_on": [f"eff_{number}"], "until": None},
                **changes,
            },
        )
        for number in range(first, first + count)
    ]


async def write(database: Database, tenant: str, new: Sequence[NewEvent]) -> None:
    async with database.tenant(tenant) as session:
        await append_all(session, tenant, new)


async def sign(database: Database, tenant: str, signer: Signer = SIGNER) -> Sequenced:
    async with database.tenant(tenant) as session:
        return await sequence(session, tenant, signer, at_once=True)


async def signed(database: Database, tenant: str, signer: Signer = SIGNER) -> Checkpoint:
    done = await sign(database, tenant, signer)
    assert done.checkpoint is not None, done.problem
    return done.checkpoint


async def check(database: Database, tenant: str, *published: str) -> Verification:
    async with database.tenant(tenant) as session:
        return await verify(
            session,
            tenant,
            keys=SIGNER.keys(tenant),
            published=[Published(note, "a folder") for note in published],
        )


def as_owner(admin_url: str, *statements: str) -> None:
    """What whoever owns the database can do."""
    with psycopg.connect(admin_url) as admin:
        for statement in statements:
            admin.execute(statement.encode())
