"""Tampering with a whole log, and counting what the check finds: `python -m evals.log_tampering [--events N]`.

A log is appended and signed in a real database. Every bit of every stored field of every event is turned, one by one,
and judged as the check judges it, by the leaf that the columns then give (in memory: millions of turns); some hundred
turns, and events that are deleted, inserted, swapped, cut off, forked or signed anew with another key, are made in the
database itself and judged by the check as it is. Prints one JSON object; exit status 1 where anything was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from app.db import Database
from evals.bench.audit_log import SIGNER, events
from evals.bench.place import TENANT, Place, opened_place
from graph.audit.log import append_all, spelled
from graph.audit.note import Checkpoint, SigningKey
from graph.audit.sequence import sequence
from graph.audit.tree import leaf_hash
from graph.audit.verify import Verification, verify

STEP: Final = 50
"""Events between two checkpoints."""

FIELDS: Final = ("actor", "at", "body", "commitments", "event_id", "kind", "run_id", "seq", "tenant_id", "ticket_id")
_ESCAPED: Final = {byte: json.dumps(chr(byte))[1:-1].encode() for byte in [*range(0x20), 0x22, 0x5C]}


@dataclass(slots=True)
class Tally:
    """How often each kind of tampering was tried, and what was not found or not named."""

    tried: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    def note(self, kind: str, what: str, *, found: bool) -> None:
        """Count one attempt."""
        self.tried[kind] += 1
        if not found:
            self.missed.append(f"{kind}: {what}")


def turned(row: dict[str, Any], stored: bytes) -> Iterator[tuple[str, int, bool]]:
    """Every bit of one event's fields turned: the field, the bit, and whether the leaf or its hash shows it."""
    pieces = _pieces(row)
    content = b"".join(piece for _, piece, _ in pieces)
    assert leaf_hash(content) == stored
    before = b""
    for at, (name, piece, text) in enumerate(pieces):
        after = b"".join(one for _, one, _ in pieces[at + 1 :])
        if name:
            for bit in range(len(text) * 8):
                changed = _written(name, _flipped(text, bit))
                yield name, bit, leaf_hash(before + changed + after) != stored
        before += piece
    for bit in range(len(stored) * 8):
        yield "leaf_hash", bit, leaf_hash(content) != _flipped(stored, bit)


def _pieces(row: dict[str, Any]) -> list[tuple[str, bytes, bytes]]:
    """The canonical leaf in pieces: the field's name or nothing, the piece, and the bytes as they are stored."""
    pieces: list[tuple[str, bytes, bytes]] = []
    for number, name in enumerate(FIELDS):
        pieces.append(("", f'{"," if number else "{"}"{name}":'.encode(), b""))
        value = row[name]
        if value is None:
            pieces.append(("", b"null", b""))
        else:
            stored = value if isinstance(value, bytes) else str(value).encode()
            pieces.append((name, _written(name, stored), stored))
    return [*pieces, ("", b',"v":1}', b"")]


def _written(name: str, stored: bytes) -> bytes:
    """A stored value as the leaf spells it."""
    if name in {"body", "commitments", "seq"}:
        return stored
    return b'"%b"' % b"".join(_ESCAPED.get(byte, bytes([byte])) for byte in stored)


def _flipped(raw: bytes, bit: int) -> bytes:
    return raw[: bit // 8] + bytes([raw[bit // 8] ^ (1 << bit % 8)]) + raw[bit // 8 + 1 :]


class Log:
    """A log in a real database, its rows, and ways to change it that are undone afterwards."""

    def __init__(self, admin_url: str, database: Database, size: int) -> None:
        self.size = size
        self._admin_url = admin_url
        self._database = database
        self.notes: list[str] = []

    async def fill(self) -> None:
        """Append and sign."""
        for first in range(0, self.size, STEP):
            async with self._database.tenant(TENANT) as session:
                await append_all(session, TENANT, events(first, min(STEP, self.size - first)))
            async with self._database.tenant(TENANT) as session:
                await sequence(session, TENANT, SIGNER, at_once=True)
        with psycopg.connect(self._admin_url) as admin:
            rows = admin.execute("SELECT note FROM audit_checkpoint ORDER BY size").fetchall()
        self.notes = [str(note) for (note,) in rows]

    def rows(self) -> list[tuple[dict[str, Any], bytes]]:
        """Every event as it is stored, and its hash."""
        with psycopg.connect(self._admin_url) as admin:
            found = admin.execute(
                "SELECT actor, at, body::text, commitments::text, event_id, kind, run_id, seq, tenant_id, ticket_id,"
                " leaf_hash FROM audit_event ORDER BY seq"
            ).fetchall()
        return [({**dict(zip(FIELDS, row[:-1], strict=True)), "at": spelled(row[1])}, bytes(row[-1])) for row in found]

    async def after(self, *statements: tuple[str, Sequence[Any]]) -> Verification:
        """What the check says after statements of the database's owner, which are taken back."""
        with psycopg.connect(self._admin_url) as admin:
            kept = ("audit_event", "audit_head", "audit_checkpoint", "audit_tree", "audit_block")
            for name in kept:
                admin.execute(f"CREATE TEMP TABLE kept_{name} AS TABLE {name}".encode())
            for statement, values in statements:
                admin.execute(statement.encode(), values)
            admin.commit()
            async with self._database.tenant(TENANT) as session:
                found = await verify(session, TENANT, keys=SIGNER.keys(TENANT), published=())
            for name in kept:
                admin.execute(f"DELETE FROM {name}".encode())  # noqa: S608 - names of this function
                admin.execute(f"INSERT INTO {name} TABLE kept_{name}".encode())
        return found


async def tamper(log: Log, tally: Tally, chance: random.Random, times: int) -> None:
    """Every kind of tampering in the database, at places drawn by chance."""
    for _ in range(times):
        first, second = chance.sample(range(log.size), 2)
        await _one_each(log, tally, first, second)
    await _all_at_once(log, tally)


async def _one_each(log: Log, tally: Tally, first: int, second: int) -> None:
    await _named(log, tally, "delete", first, ("DELETE FROM audit_event WHERE seq = %s", [first]))
    column = ("actor", "kind", "event_id", "run_id", "ticket_id")[first % 5]
    await _named(
        log,
        tally,
        "alter",
        first,
        (f"UPDATE audit_event SET {column} = {column} || 'x' WHERE seq = %s", [first]),  # noqa: S608
    )
    await _named(
        log,
        tally,
        "insert",
        log.size,
        (
            """
            INSERT INTO audit_event SELECT tenant_id, %s, event_id, at, kind, actor, run_id, ticket_id, body,
                                           commitments, leaf_hash FROM audit_event WHERE seq = %s
            """,
            [log.size, first],
        ),
    )
    swap = [(a, b) for a, b in ((first, -1), (second, first), (-1, second))]
    await _named(
        log,
        tally,
        "swap",
        first,
        *[("UPDATE audit_event SET seq = %s WHERE seq = %s", [new, old]) for old, new in swap],
    )
    cut = [
        ("DELETE FROM audit_event WHERE seq >= %s", [first]),
        ("UPDATE audit_head SET size = %s", [first]),
    ]
    found = await log.after(*cut)
    tally.note("truncate", f"at {first}", found=any(one.why == "cut" for one in found.mismatches))
    await _fork(log, tally, first)


async def _named(log: Log, tally: Tally, kind: str, seq: int, *statements: tuple[str, Sequence[Any]]) -> None:
    found = await log.after(*statements)
    tally.note(kind, f"event {seq}", found=any(one.seq == seq for one in found.broken))


async def _fork(log: Log, tally: Tally, seq: int) -> None:
    """One event written anew with a hash that fits: only the checkpoints know, and they name the stretch it lies in."""
    row, _ = log.rows()[seq]
    pieces = _pieces({**row, "actor": "somebody else"})
    hashed = leaf_hash(b"".join(piece for _, piece, _ in pieces))
    found = await log.after(
        ("UPDATE audit_event SET actor = 'somebody else', leaf_hash = %s WHERE seq = %s", [hashed, seq])
    )
    named = [one for one in found.mismatches if one.where == "database" and one.why == "forked"]
    tally.note("fork", f"event {seq}", found=any(one.after <= seq < one.size for one in named))


async def _all_at_once(log: Log, tally: Tally) -> None:
    """Every checkpoint signed anew with another key, over the same log."""
    forger = SigningKey.from_seed(b"f" * 32)
    with_other_key = []
    for note in log.notes:
        origin, size, root = note.split("\n")[:3]
        signed = forger.sign(Checkpoint(origin, int(size), base64.b64decode(root)))
        with_other_key.append(("UPDATE audit_checkpoint SET note = %s WHERE size = %s", [signed, int(size)]))
    found = await log.after(*with_other_key)
    tally.note("re-sign", "all", found=len([one for one in found.mismatches if one.why == "forged"]) == len(log.notes))


async def work(place: Place, size: int, times: int, seed: int) -> dict[str, object]:
    """Everything; what was tried and what was missed."""
    tally, started = Tally(), time.perf_counter()
    database = Database(place.storage.app_url, pool_size=2)
    try:
        log = Log(place.storage.admin_url, database, size)
        await log.fill()
        for row, stored in log.rows():
            for name, bit, found in turned(row, stored):
                tally.note("bit", f"{bit} of {name} of event {row['seq']}", found=found)
        await tamper(log, tally, random.Random(seed), times)  # noqa: S311 - places, not secrets
        whole = await log.after()
    finally:
        await database.close()
    return {
        "events": size,
        "holds_untouched": whole.holds,
        "tried": dict(tally.tried),
        "missed": tally.missed[:20],
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description="Tamper with a log and count what the check finds.")
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--times", type=int, default=25, help="places for each kind of tampering in the database")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with opened_place() as place:
        found = asyncio.run(work(place, given.events, given.times, given.seed))
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if found["holds_untouched"] and not found["missed"] else 1


if __name__ == "__main__":
    sys.exit(main())
