"""What is signed is the log as it was written, and a log that was touched afterwards is not signed again."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from app.db import Database
from graph.audit.note import opened
from graph.audit.sequence import SOON, sequence
from graph.audit.tree import root_of
from graph.audit.verify import Mismatch, verify
from tests.graph.audit.logs import FORGER, SIGNER, as_owner, check, events, sign, signed, write


async def _notes(database: Database, tenant: str) -> list[str]:
    async with database.tenant(tenant) as session:
        return list((await session.execute(text("SELECT note FROM audit_checkpoint ORDER BY size"))).scalars())


async def test_checkpoints_are_signed_roots_over_all_leaf_hashes(database: Database, tenant: str) -> None:
    for first, count in ((0, 5), (5, 251), (256, 1), (257, 700), (957, 67)):
        await write(database, tenant, events(first, count))
        checkpoint = await signed(database, tenant)
        assert checkpoint.size == first + count
    async with database.tenant(tenant) as session:
        hashes = (await session.execute(text("SELECT leaf_hash FROM audit_event ORDER BY seq"))).scalars().all()
    for note in await _notes(database, tenant):
        checkpoint, _ = opened(note, SIGNER.keys(tenant))
        assert checkpoint.root == root_of([bytes(one) for one in hashes[: checkpoint.size]])
    verification = await check(database, tenant)
    assert verification.holds
    assert (verification.events, verification.checkpoints, verification.root) == (1024, 5, checkpoint.root)


async def test_nothing_new_is_not_signed_twice(database: Database, tenant: str) -> None:
    assert (await sign(database, tenant)).checkpoint is None
    await write(database, tenant, events(0, 1))
    await signed(database, tenant)
    assert (await sign(database, tenant)).checkpoint is None


async def test_few_events_wait_a_second_and_many_do_not(database: Database, tenant: str) -> None:
    async def look() -> int | None:
        async with database.tenant(tenant) as session:
            done = await sequence(session, tenant, SIGNER)
            return done.checkpoint.size if done.checkpoint else None

    await write(database, tenant, events(0, 3))
    assert await look() == 3
    await write(database, tenant, events(3, 1))
    assert await look() is None
    await write(database, tenant, events(4, SOON - 1))
    assert await look() == 3 + SOON


async def test_processes_that_sign_at_once_do_it_once(database: Database, tenant: str) -> None:
    await write(database, tenant, events(0, 300))
    done = await asyncio.gather(*(sign(database, tenant) for _ in range(4)))
    assert [one.problem for one in done] == [None] * 4
    assert len(await _notes(database, tenant)) == 1
    assert (await check(database, tenant)).holds


@pytest.mark.parametrize(
    ("touch", "why"),
    [
        ("UPDATE audit_event SET actor = 'x' WHERE seq = 270", "event 270 is altered"),
        ("DELETE FROM audit_event WHERE seq = 301", "event 301 is missing"),
        ("UPDATE audit_head SET size = 200", "it was cut"),
        ("DELETE FROM audit_checkpoint", "the checkpoint at 290 is gone"),
        ("UPDATE audit_tree SET frontier = decode(repeat('00', 32), 'hex')", "is not the one that was signed"),
        ("UPDATE audit_tree SET frontier = ''", "the frontier at 290 was changed"),
    ],
)
async def test_a_log_that_was_touched_is_not_signed_and_says_why(
    database: Database, tenant: str, admin_url: str, touch: str, why: str
) -> None:
    await write(database, tenant, events(0, 290))
    await signed(database, tenant)
    await write(database, tenant, events(290, 20))
    as_owner(admin_url, touch)
    done = await sign(database, tenant)
    assert done.checkpoint is None
    assert why in str(done.problem)
    async with database.tenant(tenant) as session:
        assert (await session.execute(text("SELECT problem FROM audit_tree"))).scalar_one() == done.problem


async def test_a_rewritten_beginning_with_fitting_hashes_is_not_signed(
    database: Database, tenant: str, admin_url: str
) -> None:
    await write(database, tenant, events(0, 20))
    await signed(database, tenant)
    as_owner(admin_url, "DELETE FROM audit_event", "UPDATE audit_head SET size = 0")
    await write(database, tenant, events(0, 30, actor="somebody else"))
    assert "not the one that was signed" in str((await sign(database, tenant)).problem)


async def test_a_key_that_is_not_ours_signs_nothing_that_is_believed(
    database: Database, tenant: str, admin_url: str
) -> None:
    await write(database, tenant, events(0, 20))
    await signed(database, tenant)
    published = (await _notes(database, tenant))[0]
    as_owner(
        admin_url,
        "DELETE FROM audit_event",
        "DELETE FROM audit_checkpoint",
        "DELETE FROM audit_tree",
        "UPDATE audit_head SET size = 0",
    )
    await write(database, tenant, events(0, 20, actor="somebody else"))
    await signed(database, tenant, FORGER)
    assert (await check(database, tenant)).mismatches == (Mismatch(20, "forged", "database"),)
    assert Mismatch(20, "forked", "a folder") in (await check(database, tenant, published)).mismatches


async def test_a_log_that_was_cut_is_found_by_a_checkpoint_that_was_published(
    database: Database, tenant: str, admin_url: str
) -> None:
    await write(database, tenant, events(0, 300))
    await signed(database, tenant)
    (published,) = await _notes(database, tenant)
    as_owner(
        admin_url,
        "DELETE FROM audit_event WHERE seq >= 280",
        "UPDATE audit_head SET size = 280",
        "DELETE FROM audit_checkpoint",
        "DELETE FROM audit_tree",
        "DELETE FROM audit_block",
    )
    assert (await check(database, tenant)).holds  # the database alone cannot know
    assert (await check(database, tenant, published)).mismatches == (Mismatch(300, "cut", "a folder", 280),)


async def test_what_was_rewritten_is_named_by_the_checkpoints_around_it(
    database: Database, tenant: str, admin_url: str
) -> None:
    for first in (0, 10, 20):
        await write(database, tenant, events(first, 10))
        await signed(database, tenant)
    as_owner(admin_url, "DELETE FROM audit_event WHERE seq >= 15", "UPDATE audit_head SET size = 15")
    await write(database, tenant, events(15, 15, actor="somebody else"))
    verification = await check(database, tenant)
    assert verification.broken == ()
    assert verification.mismatches == (Mismatch(20, "forked", "database", 10),)


async def test_a_changed_block_of_the_tree_is_found(database: Database, tenant: str, admin_url: str) -> None:
    await write(database, tenant, events(0, 600))
    await signed(database, tenant)
    as_owner(admin_url, "UPDATE audit_block SET root = decode(repeat('ab', 32), 'hex') WHERE number = 1")
    assert (await check(database, tenant)).mismatches == (Mismatch(512, "forked", "tree", 256),)


async def test_several_sessions_read_what_one_reads(database: Database, tenant: str) -> None:
    await write(database, tenant, events(0, 5000))
    async with database.tenant(tenant) as one, database.tenant(tenant) as two, database.tenant(tenant) as three:
        alone, together = await verify(one, tenant), await verify(one, tenant, others=(two, three))
    assert alone == together
    assert together.events == 5000
