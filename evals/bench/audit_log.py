"""Rows `audit_append` and `audit_verify`: the log against what it cannot do without.

Appending: transactions a second of three events each, against bare transactions that insert the same three rows with
the same hashes and nothing else, into the same server with fsync on. Checking: events a second, with leaves, tree and
checkpoints, against one process that only computes SHA-256 over the same bytes, which lie in memory: each leaf and each
node of the tree. The ratio to hashing the leaves only is shown beside it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

import psycopg
from psycopg.types.json import Json

from app.db import Database
from evals.bench.place import TENANT, Place, opened_place
from evals.bench.rows import Row, Sample
from graph.audit.canonical import canonical_json
from graph.audit.log import Leaf, NewEvent, append_all
from graph.audit.note import SigningKey
from graph.audit.sequence import Signer, sequence
from graph.audit.verify import verify

APPEND_GOAL: Final = 0.5
VERIFY_GOAL: Final = 0.3
EVENTS_OF_A_STEP: Final = 3
READERS: Final = 3
BATCH: Final = 1000
SIGNED_EVERY: Final = 5 * BATCH
NOW: Final = datetime(2026, 11, 21, 9, tzinfo=UTC)
SIGNER: Final = Signer("countersign-bench", SigningKey.from_seed(b"b" * 32))

_BARE_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS event (
      tenant_id text, seq bigint, event_id text, at timestamptz, kind text, actor text, run_id text, ticket_id text,
      body json, commitments json, leaf_hash bytea, PRIMARY KEY (tenant_id, seq))
"""
_BARE_INSERT: Final = "INSERT INTO event VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


def events(first: int, count: int) -> list[NewEvent]:
    """Events of the size that a node leaves."""
    return [
        NewEvent(
            event_id=f"evt_{number:032x}",
            at=NOW + timedelta(milliseconds=number),
            kind="node.completed",
            actor="agent",
            run_id=f"run_{number // 30:032x}",
            ticket_id=str(number // 30),
            body={
                "node": "decide",
                "cycle": 1,
                "goto": "draft",
                "latency_ms": number % 97,
                "outputs": {"verdicts": f"{number:064x}"},
                "policy_hash": "c" * 64,
                "worker": "host/0a1b2c3d",
            },
        )
        for number in range(first, first + count)
    ]


def audit_append(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Transactions a second that append a step's events."""
    rounds, count = (2, 40) if is_quick else (7, 300)
    with opened_place() as place:
        ours, theirs = asyncio.run(_append_rounds(place, rounds, count, say))
    parts = {"events_of_a_transaction": float(EVENTS_OF_A_STEP)}
    return [Row("audit_append", Sample.of(ours), "transactions/s", Sample.of(theirs), APPEND_GOAL, parts=parts)]


async def _append_rounds(
    place: Place, rounds: int, count: int, say: Callable[[str], None]
) -> tuple[list[float], list[float]]:
    database = Database(place.storage.app_url, pool_size=1)
    ours, theirs, made = [], [], 0
    try:
        async with await psycopg.AsyncConnection.connect(place.bare_url) as bare:
            await bare.execute(_BARE_TABLE.encode())
            await bare.commit()
            for number in range(-1, rounds):  # the first one warms both up
                steps = [events(made + at * EVENTS_OF_A_STEP, EVENTS_OF_A_STEP) for at in range(count)]
                started = time.perf_counter()
                for at, step in enumerate(steps):
                    await _bare_append(bare, made + at * EVENTS_OF_A_STEP, step)
                between = time.perf_counter()
                for step in steps:
                    async with database.tenant(TENANT) as session:
                        await append_all(session, TENANT, step)
                ended = time.perf_counter()
                made += count * EVENTS_OF_A_STEP
                if number < 0:
                    continue
                theirs.append(count / (between - started))
                ours.append(count / (ended - between))
                say(f"audit_append round {number + 1} of {rounds}: {ours[-1]:.0f}/s against {theirs[-1]:.0f}/s")
    finally:
        await database.close()
    return ours, theirs


async def _bare_append(bare: psycopg.AsyncConnection[tuple[object, ...]], first: int, step: Sequence[NewEvent]) -> None:
    """The same rows with the same hashes, and nothing besides."""
    rows = []
    for seq, event in enumerate(step, start=first):
        leaf = Leaf(
            TENANT,
            seq,
            event.event_id,
            event.at,
            event.kind,
            event.actor,
            event.run_id,
            event.ticket_id,
            event.body,
            {},
        )
        columns = [getattr(leaf, name) for name in leaf.__slots__[:8]]
        rows.append([*columns, Json(event.body), Json({}), leaf.digest()])
    async with bare.cursor() as cursor:
        await cursor.executemany(_BARE_INSERT, rows)
    await bare.commit()


def audit_verify(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Events a second of a whole log."""
    rounds, count = (2, 5 * BATCH) if is_quick else (7, 60 * BATCH)
    with opened_place() as place:
        return [asyncio.run(_verify_rounds(place, rounds, count, say))]


async def _verify_rounds(place: Place, rounds: int, count: int, say: Callable[[str], None]) -> Row:
    database = Database(place.storage.app_url, pool_size=READERS)
    try:
        checkpoints = await _fill(database, count)
        leaves, nodes = _inputs(count)
        ours, theirs, leaves_only = [], [], []
        for number in range(rounds):
            alone = _hash_all(leaves)
            leaves_only.append(count / alone)
            theirs.append(count / (alone + _hash_all(nodes)))
            ours.append(count / await _verified(database, count))
            say(f"audit_verify round {number + 1} of {rounds}: {ours[-1]:.0f}/s against {theirs[-1]:.0f}/s")
    finally:
        await database.close()
    figure = Sample.of(ours)
    parts = {
        "events": float(count),
        "checkpoints": float(checkpoints),
        "mean_leaf_bytes": sum(map(len, leaves)) / count,
        "ratio_to_hashing_leaves_only": figure.median / Sample.of(leaves_only).median,
    }
    return Row("audit_verify", figure, "events/s", Sample.of(theirs), VERIFY_GOAL, parts=parts)


async def _fill(database: Database, count: int) -> int:
    checkpoints = 0
    for first in range(0, count, BATCH):
        async with database.tenant(TENANT) as session:
            await append_all(session, TENANT, events(first, BATCH))
        if (first + BATCH) % SIGNED_EVERY == 0:
            async with database.tenant(TENANT) as session:
                await sequence(session, TENANT, SIGNER, at_once=True)
            checkpoints += 1
    return checkpoints


async def _verified(database: Database, count: int) -> float:
    async with AsyncExitStack() as stack:
        one, *others = [await stack.enter_async_context(database.tenant(TENANT)) for _ in range(READERS)]
        started = time.perf_counter()
        found = await verify(one, TENANT, keys=SIGNER.keys(TENANT), others=others)
        seconds = time.perf_counter() - started
    if not found.holds or found.events != count:
        raise RuntimeError(f"the bench's log does not hold: {found}")
    return seconds


def _inputs(count: int) -> tuple[list[bytes], list[bytes]]:
    """What is hashed: the content of each leaf, and both hashes below each node."""
    leaves = []
    for seq, event in enumerate(events(0, count)):
        fields = {name: getattr(event, name) for name in ("event_id", "kind", "actor", "run_id", "ticket_id", "body")}
        at = event.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        leaves.append(
            b"\x00" + canonical_json({**fields, "at": at, "seq": seq, "tenant_id": TENANT, "commitments": {}, "v": 1})
        )
    level, nodes = [sha256(leaf).digest() for leaf in leaves], []
    while len(level) > 1:
        pairs = [b"\x01" + left + right for left, right in zip(level[::2], level[1::2], strict=False)]
        nodes += pairs
        level = [*(sha256(pair).digest() for pair in pairs), *level[len(pairs) * 2 :]]
    return leaves, nodes


def _hash_all(inputs: Sequence[bytes]) -> float:
    """Seconds to hash them in one process."""
    started = time.perf_counter()
    for one in inputs:
        sha256(one).digest()
    return time.perf_counter() - started
