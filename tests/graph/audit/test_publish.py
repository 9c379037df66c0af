"""Checkpoints reach those who keep them, and a log that shrank or changed is noticed there."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from app.db import Database
from connectors.errors import VendorUnavailable
from connectors.witness.folder import WitnessFolder
from connectors.witness.service import WitnessService
from graph.audit.note import opened, read, split
from graph.audit.publish import PublicationResult, Sink, publish
from graph.audit.standing import standing
from graph.audit.tree import continues
from tests.connectors.witness.test_witnesses import witness
from tests.graph.audit.logs import NOW, SIGNER, as_owner, events, signed, write


async def _publish(database: Database, tenant: str, sink: Sink, *, at_once: bool = True) -> PublicationResult | None:
    return await publish(database.tenant, tenant, SIGNER, sink, now=NOW, at_once=at_once)


async def test_the_newest_checkpoint_is_kept_once(database: Database, tenant: str, tmp_path: Path) -> None:
    sink = WitnessFolder("worm", tmp_path)
    assert await _publish(database, tenant, sink) is None
    for first in (0, 300):
        await write(database, tenant, events(first, 300))
        await signed(database, tenant)
        assert await _publish(database, tenant, sink) == PublicationResult(first + 300)
        assert await _publish(database, tenant, sink) is None
    notes = split(sink.path(SIGNER.origin(tenant)).read_text())
    assert [opened(note, SIGNER.keys(tenant))[0].size for note in notes] == [300, 600]


async def test_a_sink_is_not_given_more_than_it_wishes(database: Database, tenant: str, tmp_path: Path) -> None:
    sink = WitnessFolder("worm", tmp_path, every_s=60)
    for number in range(2):
        await write(database, tenant, events(number, 1))
        await signed(database, tenant)
        done = await _publish(database, tenant, sink, at_once=False)
        assert (done is None) == (number == 1)


async def test_what_failed_is_kept_in_the_database_and_tried_again(
    database: Database, tenant: str, tmp_path: Path
) -> None:
    blocked = tmp_path / "worm"
    blocked.write_text("in the way")
    sink = WitnessFolder("worm", blocked)
    await write(database, tenant, events(0, 5))
    await signed(database, tenant)
    for attempt in (1, 2):
        done = await _publish(database, tenant, sink)
        assert done is not None
        assert "cannot be used" in str(done.problem)
        async with database.tenant(tenant) as session:
            stands = await standing(session, tenant, ["worm"])
        assert (stands.is_well, stands.sinks[0].attempts, stands.sinks[0].size) == (False, attempt, 0)
    blocked.unlink()
    assert await _publish(database, tenant, sink, at_once=False) is None  # it is waited a moment longer each time
    assert await _publish(database, tenant, sink) == PublicationResult(5)
    async with database.tenant(tenant) as session:
        assert (await standing(session, tenant, ["worm"])).is_well


@pytest.mark.parametrize(
    ("rewrite", "why"),
    [
        (["DELETE FROM audit_event WHERE seq >= 200", "UPDATE audit_head SET size = 200"], "the log was cut"),
        (["DELETE FROM audit_event", "UPDATE audit_head SET size = 0"], "the log was rewritten"),
    ],
)
async def test_a_log_that_is_not_the_one_that_was_kept_is_not_published(
    database: Database, tenant: str, admin_url: str, tmp_path: Path, rewrite: Sequence[str], why: str
) -> None:
    sink = WitnessFolder("worm", tmp_path)
    await write(database, tenant, events(0, 300))
    await signed(database, tenant)
    await _publish(database, tenant, sink)
    forgotten = [f"DELETE FROM {name}" for name in ("audit_checkpoint", "audit_tree", "audit_block")]
    as_owner(admin_url, *rewrite, *forgotten)
    if why == "the log was rewritten":
        await write(database, tenant, events(0, 400, actor="somebody else"))
    await signed(database, tenant)
    done = await _publish(database, tenant, sink)
    assert done is not None
    assert why in str(done.problem)
    assert read(str(sink.newest(SIGNER.origin(tenant)))).size == 300


@dataclass(slots=True)
class Cosigner:
    """A witness as https://c2sp.org/tlog-witness describes it: it accepts what provably continues what it saw."""

    size: int = 0
    root: bytes = b""
    refused: list[str] = field(default_factory=list)

    def answer(self, body: bytes) -> tuple[int, str]:
        head, _, note = body.decode().partition("\n\n")
        first, *proof = head.split("\n")
        checkpoint, _ = opened(note, SIGNER.keys("demo"))
        if int(first.removeprefix("old ")) != self.size:
            self.refused.append(first)
            return 409, f"{self.size}\n"
        hashes = [base64.b64decode(line) for line in proof]
        if self.size and not continues(
            old=self.size, old_root=self.root, new=checkpoint.size, new_root=checkpoint.root, proof=hashes
        ):
            return 422, ""
        self.size, self.root = checkpoint.size, checkpoint.root
        return 200, ""


async def test_a_witness_follows_the_log_by_consistency_proofs(database: Database, tenant: str) -> None:
    cosigner = Cosigner()
    with witness(cosigner.answer) as (url, _):
        sink = WitnessService("w", url, lambda: NOW)
        for first, count in ((0, 3), (3, 253), (256, 300), (556, 1), (557, 600)):
            await write(database, tenant, events(first, count))
            await signed(database, tenant)
            assert await _publish(database, tenant, sink) == PublicationResult(first + count)
    assert (cosigner.size, cosigner.refused) == (1157, [])


async def test_a_witness_that_saw_less_is_given_the_proof_from_there(database: Database, tenant: str) -> None:
    cosigner = Cosigner()
    with witness(cosigner.answer) as (url, _):
        sink = WitnessService("w", url, lambda: NOW)
        await write(database, tenant, events(0, 300))
        first = await signed(database, tenant)
        await _publish(database, tenant, sink)
        async with database.tenant(tenant) as session:
            await session.execute(text("UPDATE audit_publication SET size = 17"))
        await write(database, tenant, events(300, 300))
        await signed(database, tenant)
        assert (await _publish(database, tenant, sink)) == PublicationResult(
            first.size, "the witness has seen 300 events: prove from there"
        )
        assert await _publish(database, tenant, sink) == PublicationResult(600)
    assert cosigner.refused == ["old 17"]


@dataclass(frozen=True, slots=True)
class Away:
    """A sink that is away, and looks meanwhile for transactions that wait for it."""

    admin_url: str
    waiting: list[object] = field(default_factory=list)
    name: str = "away"
    every_s: float = 1.0

    def newest(self, origin: str) -> str | None:
        del origin
        return None

    def keep(self, note: str, *, origin: str, old: int, proof: Sequence[bytes]) -> None:
        del note, origin, old, proof
        with psycopg.connect(self.admin_url) as admin:
            found = admin.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
            ).fetchall()
        self.waiting.extend(found)
        raise VendorUnavailable("it is away")


async def test_no_transaction_is_open_while_a_sink_is_talked_to(
    database: Database, tenant: str, admin_url: str
) -> None:
    await write(database, tenant, events(0, 5))
    await signed(database, tenant)
    sink = Away(admin_url)
    assert await _publish(database, tenant, sink) == PublicationResult(0, "it is away")
    assert sink.waiting == []
