"""Erasing people, and trying to guess them back: `python -m evals.erasures [--people N]`.

Each person's e-mail address and name are committed to by an event of a log in a real database, signed, and proved by an
inclusion proof. Then each is erased. Somebody who has the whole database, and a list in which every address stands,
tries all of them against every commitment, looks for a salt that is left, and for the addresses and names in the bytes
of every table. Prints one JSON object; exit status 1 where the log or a proof fails, or an address is found.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Final

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import text

from app.db import Database
from evals.bench.audit_log import SIGNER
from evals.bench.place import TENANT, Place, opened_place
from graph.audit.canonical import canonical_json
from graph.audit.log import NewEvent, append_all
from graph.audit.note import opened
from graph.audit.proof import inclusion_proofs
from graph.audit.sequence import sequence
from graph.audit.tree import includes
from graph.audit.verify import verify
from graph.erasure.erase import Erased, erase
from graph.vault import SALT_BYTES, Vault

NOW: Final = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
BATCH: Final = 100
GUESSES_EACH: Final = 20
"""Addresses of nobody that are tried besides each right one, as a list from elsewhere would have them."""


_NEWEST: Final = text("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1")
_LEAVES: Final = text("SELECT seq, leaf_hash FROM audit_event")


def email(number: int, guess: int = 0) -> str:
    """The address of a person, or one like it that is nobody's."""
    return f"customer.{number}@{'shop' if not guess else f'mail-{guess}'}.example"


async def work(database: Database, admin_url: str, people: int) -> dict[str, object]:
    """Everything; what was erased, what still holds, and what was found."""
    vault, numbers, started = Vault({"k": b"m" * 32}, "k"), count(), time.perf_counter()

    def new_id(prefix: str) -> str:
        return f"{prefix}_{next(numbers)}"

    for first in range(0, people, BATCH):
        async with database.tenant(TENANT) as session:
            await append_all(
                session, TENANT, [_told(one) for one in range(first, min(first + BATCH, people))], vault=vault
            )
    note = await _signed(database)
    erased = 0
    for first in range(0, people, BATCH):
        async with database.tenant(TENANT) as session:
            for number in range(first, min(first + BATCH, people)):
                done = await erase(
                    session, TENANT, f"person/{number}", vault=vault, actor="evals", now=NOW, new_id=new_id
                )
                erased += isinstance(done, Erased) and done.gone.log_values == 2  # noqa: PLR2004 - address and name
    await _signed(database)
    async with database.tenant(TENANT) as session:
        whole = await verify(session, TENANT, keys=SIGNER.keys(TENANT))
    proved = await _proved(database, note, people)
    left, found = await asyncio.to_thread(_guessed, admin_url, people)
    return {
        "erased": erased,
        "log_holds": whole.holds,
        "events": whole.events,
        "proofs_that_hold": proved,
        "guesses": people * (GUESSES_EACH + 1),
        "salts_left": left,
        "recovered": found,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _told(number: int) -> NewEvent:
    private = {"email": email(number), "name": f"Customer Number{number}"}
    return NewEvent(f"evt_{number}", NOW, "run.waiting", "agent", private=private, subject_id=f"person/{number}")


async def _signed(database: Database) -> str:
    async with database.tenant(TENANT) as session:
        done = await sequence(session, TENANT, SIGNER, at_once=True)
    assert done.checkpoint is not None, done.problem
    async with database.tenant(TENANT) as session:
        return str((await session.execute(_NEWEST)).scalar_one())


async def _proved(database: Database, note: str, people: int) -> int:
    """How many people's events the checkpoint from before the erasures still proves."""
    checkpoint, _ = opened(note, SIGNER.keys(TENANT))
    async with database.tenant(TENANT) as session:
        proofs = await inclusion_proofs(session, TENANT, range(people), checkpoint.size)
        leaves = {row.seq: bytes(row.leaf_hash) for row in await session.execute(_LEAVES)}
    return sum(
        includes(leaf=leaves[seq], index=seq, size=checkpoint.size, root=checkpoint.root, proof=proofs[seq])
        for seq in range(people)
    )


def _guessed(admin_url: str, people: int) -> tuple[int, list[str]]:
    """How many salts or keys are left, and the addresses that who has the whole database and a list of them finds."""
    with psycopg.connect(admin_url) as owner:
        rows = owner.execute("SELECT commitments::text FROM audit_event").fetchall()
        committed = {value for row in rows for value in json.loads(row[0]).values()}
        stored = b"\n".join(_bytes_of(owner))
        left = owner.execute(
            "SELECT (SELECT count(*) FROM audit_private) + (SELECT count(*) FROM data_key WHERE wrapped IS NOT NULL)"
        ).fetchone()
    found = []
    for number in range(people):
        for guess in range(GUESSES_EACH + 1):
            address = email(number, guess)
            written = (address.encode(), canonical_json(address))
            if any(
                hashlib.sha256(salt + one).hexdigest() in committed
                for salt in (b"", bytes(SALT_BYTES))
                for one in written
            ):
                found.append(address)
        if email(number).encode() in stored or f"Number{number}".encode() in stored:
            found.append(email(number))
    return (int(left[0]) if left is not None else -1), found


def _bytes_of(owner: psycopg.Connection[tuple[object, ...]]) -> Iterator[bytes]:
    """Every value of every table."""
    for (table,) in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
        for row in owner.execute(SQL("SELECT * FROM {}").format(Identifier(str(table)))):
            for value in row:
                yield bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()


async def _in(place: Place, people: int) -> dict[str, object]:
    database = Database(place.storage.app_url, pool_size=2)
    try:
        return await work(database, place.storage.admin_url, people)
    finally:
        await database.close()


def holds(found: dict[str, object], people: int) -> bool:
    """Whether everybody is erased, everything still proves, and nobody was found."""
    return (
        found["erased"] == people == found["proofs_that_hold"]
        and found["log_holds"] is True
        and found["recovered"] == []
    )


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description="Erase people and try to guess them back.")
    parser.add_argument("--people", type=int, default=1000)
    given = parser.parse_args()
    with opened_place() as place:
        found = asyncio.run(_in(place, given.people))
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if holds(found, given.people) else 1


if __name__ == "__main__":
    sys.exit(main())
