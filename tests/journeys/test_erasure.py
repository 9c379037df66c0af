"""After an erasure no sealed byte of the customer is left in any table, after its days none of a run's; proofs hold."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from app.retaining import Retaining
from app.trace.reading import read_trace
from graph.erasure import holds
from graph.erasure.erase import Erased, Unfinished, erase
from graph.erasure.holdings import HOLDINGS, Holding
from graph.runs.artifacts import load
from graph.vault import SubjectErased
from tests.graph.audit.logs import SIGNER, check, signed
from tests.journeys.shop import Shop, charged_twice

LEAST_BYTES = 29
"""A format, a nonce and a tag: shorter bytes are no sealed value."""


def stored_bytes(admin_url: str) -> Iterator[tuple[str, bytes]]:
    """Every value of bytes in every table that holds something of customers, with its column."""
    with psycopg.connect(admin_url) as owner:
        for table in sorted(name for name, holding in HOLDINGS.items() if holding is Holding.TAKEN_OUT):
            cursor = owner.execute(SQL("SELECT * FROM {}").format(Identifier(table)))
            names = [column.name for column in cursor.description or ()]
            for row in cursor:
                for name, value in zip(names, row, strict=True):
                    if isinstance(value, bytes | memoryview) and len(bytes(value)) >= LEAST_BYTES:
                        yield f"{table}.{name}", bytes(value)


async def test_an_erased_customer_is_gone_from_every_table_and_the_log_still_proves(shop: Shop, admin_url: str) -> None:
    ticket = await shop.arrives(charged_twice())
    run = await shop.run(ticket)
    subject, vault = str(run["subject_id"]), shop.runtime.vault
    before = await signed(shop.database, shop.tenant)

    async def erased() -> object:
        async with shop.database.tenant(shop.tenant) as session:
            return await erase(
                session,
                shop.tenant,
                subject,
                vault=vault,
                actor="account:acc_1",
                now=shop.clock.now(),
                new_id=shop.runtime.new_id,
            )

    refused = await erased()  # the refund waits out its hold
    assert isinstance(refused, Unfinished)
    assert "is held" in " ".join(refused.pieces)
    (told,) = await shop.rows("SELECT actor, body FROM audit_event WHERE kind = 'person.not_erased'")
    assert (told["actor"], told["body"]["why"]) == ("account:acc_1", "work_under_way")
    await shop.passes(minutes=11)
    assert await shop.outcome(ticket) == ("resolved", None)
    artifacts = [row["artifact_id"] for row in await shop.rows("SELECT artifact_id FROM artifact")]
    columns = {column for column, _ in stored_bytes(admin_url)}
    assert {"artifact.sealed", "data_key.wrapped", "effect.sealed_body", "checkpoint_writes.blob"} <= columns

    done = await erased()
    assert isinstance(done, Erased)
    assert (done.had_key, done.tickets) == (True, (ticket,))
    assert done.gone.artifacts == len(artifacts) > 0
    assert min(done.gone.messages, done.gone.checkpoints) > 0
    assert list(stored_bytes(admin_url)) == []
    assert await shop.rows("SELECT 1 AS one FROM checkpoints") == []
    for artifact_id in artifacts:
        with pytest.raises(SubjectErased):
            async with shop.database.tenant(shop.tenant) as session:
                await load(session, vault, shop.tenant, artifact_id, object)

    after = await signed(shop.database, shop.tenant)
    assert after.size > before.size
    assert (await check(shop.database, shop.tenant)).holds
    await shop.balanced()
    async with shop.database.tenant(shop.tenant) as session:
        trace = await read_trace(session, vault, shop.tenant, str(run["run_id"]), SIGNER)
    assert trace is not None
    assert trace.story.is_erased
    assert all(one.is_erased for one in trace.stored.values())
    again = await erased()
    assert isinstance(again, Erased)
    assert (again.had_key, set(asdict(again.gone).values())) == (False, {0})

    # Who writes again is a person's to answer: nothing is sealed for them, and nothing is left behind.
    await shop.customer_writes(ticket, "Where is my money?")
    assert await shop.outcome(ticket) == ("ignored", "out_of_scope")
    left = list(stored_bytes(admin_url))
    assert {column.split("_")[0] for column, _ in left} == {"checkpoint"}  # ids of the run that has ended at once
    assert not any(b"Where is my money" in value for _, value in left)


async def test_checkpoints_go_when_a_run_has_ended_and_its_content_after_the_policys_days(
    shop: Shop, admin_url: str
) -> None:
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    assert await shop.outcome(ticket) == ("resolved", None)
    run, now, vault = await shop.run(ticket), shop.clock.now(), shop.runtime.vault

    async def looked(later: timedelta) -> set[str]:
        """The columns that hold anything, after retention has looked so much later."""
        retaining = Retaining(
            shop.database.tenant, [shop.tenant], lambda: now + later, shop.runtime.new_id, asyncio.Event()
        )
        await retaining.look(shop.tenant)
        return {column for column, _ in stored_bytes(admin_url)}

    content = {"artifact.sealed", "effect.sealed_body", "data_key.wrapped"}
    checkpoints = {"checkpoint_blobs.blob", "checkpoint_writes.blob"}
    assert await looked(timedelta(minutes=30)) >= content | checkpoints
    left = await looked(timedelta(hours=2))
    assert (left & checkpoints, left & content) == (set(), content)
    assert await looked(timedelta(days=364)) >= content
    async with shop.database.tenant(shop.tenant) as session:
        await holds.place(
            session,
            shop.tenant,
            str(run["subject_id"]),
            reason="case 1",
            actor="account:acc_1",
            now=now,
            new_id=shop.runtime.new_id,
        )
    assert await looked(timedelta(days=366)) >= content  # what a case needs stays
    async with shop.database.tenant(shop.tenant) as session:
        await holds.lift(
            session,
            shop.tenant,
            str(run["subject_id"]),
            reason="case 1",
            actor="account:acc_1",
            now=now,
            new_id=shop.runtime.new_id,
        )
    assert await looked(timedelta(days=368)) & content == {"data_key.wrapped"}

    told = await shop.rows("SELECT body FROM audit_event WHERE kind = 'runs.emptied'")
    assert [(one["body"]["days"], one["body"]["runs"]) for one in told] == [(365, 1)]
    await signed(shop.database, shop.tenant)
    assert (await check(shop.database, shop.tenant)).holds
    await shop.balanced()
    async with shop.database.tenant(shop.tenant) as session:
        trace = await read_trace(session, vault, shop.tenant, str(run["run_id"]), SIGNER)
    assert trace is not None
    assert trace.story.is_erased
