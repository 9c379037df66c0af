"""Erased people cannot be guessed back from the log, and the log still proves all it proved before."""

from __future__ import annotations

import hashlib
from itertools import count

import psycopg
import pytest
from sqlalchemy import text

from app.db import Database
from graph.audit.canonical import canonical_json
from graph.audit.log import append_all, private_purpose
from graph.erasure.erase import Erased, Gone, erase
from graph.vault import SubjectErased, Vault
from tests.graph.audit.logs import NOW, check, events, signed, write

PEOPLE = 250  # a thousand take the same way and four times as long
VAULT = Vault({"k1": b"m" * 32}, "k1")


def email(number: int) -> str:
    return f"customer.{number}@shop.example"


async def test_after_erasures_all_verifies_and_no_address_is_guessed(
    database: Database, tenant: str, admin_url: str
) -> None:
    numbers = count()
    for first in range(0, PEOPLE, 250):
        async with database.tenant(tenant) as session:
            told = [
                one
                for number in range(first, first + 250)
                for one in events(number, 1, private={"email": email(number)}, subject_id=f"person/{number}")
            ]
            await append_all(session, tenant, told, vault=VAULT)
    before = await signed(database, tenant)
    for first in range(0, PEOPLE, 250):
        async with database.tenant(tenant) as session:
            for number in range(first, first + 250):
                done = await erase(
                    session,
                    tenant,
                    f"person/{number}",
                    vault=VAULT,
                    actor="cli:test",
                    now=NOW,
                    new_id=lambda prefix: f"{prefix}_{next(numbers)}",
                )
                assert done == Erased(had_key=True, keys=1, gone=Gone(log_values=1))
    await signed(database, tenant)

    verification = await check(database, tenant)
    assert verification.holds
    assert (verification.events, verification.checkpoints, before.size) == (2 * PEOPLE, 2, PEOPLE)

    with psycopg.connect(admin_url) as owner:  # who has the whole database, and knows every address
        commitments = {
            str(row[0]) for row in owner.execute("SELECT commitments ->> 'email' FROM audit_event") if row[0]
        }
        left = owner.execute("SELECT count(*) FROM audit_private").fetchone()
        keys = owner.execute("SELECT count(*) FROM data_key WHERE wrapped IS NOT NULL").fetchone()
        leaves = [str(row[0]) for row in owner.execute("SELECT body::text || commitments::text FROM audit_event")]
    guesses = {
        hashlib.sha256(salt + content).hexdigest()
        for number in range(PEOPLE)
        for content in (email(number).encode(), canonical_json(email(number)))
        for salt in (b"", b"\0" * 32)
    }
    assert len(commitments) == PEOPLE
    assert (len(commitments & guesses), left, keys) == (0, (0,), (0,))
    assert not any("@shop.example" in leaf for leaf in leaves)


async def test_nothing_is_sealed_for_an_erased_person_and_nothing_opens(database: Database, tenant: str) -> None:
    (event,) = events(0, 1, private={"email": email(0)}, subject_id="ana")
    async with database.tenant(tenant) as session:
        await append_all(session, tenant, [event], vault=VAULT)
        sealed = (await session.execute(text("SELECT sealed FROM audit_private"))).scalar_one()
    for expected in (Erased(had_key=True, keys=1, gone=Gone(log_values=1)), Erased(had_key=False, keys=0, gone=Gone())):
        async with database.tenant(tenant) as session:
            done = await erase(session, tenant, "ana", vault=VAULT, actor="x", now=NOW, new_id=str)
            assert done == expected
    with pytest.raises(SubjectErased):
        async with database.tenant(tenant) as session:
            await append_all(session, tenant, events(1, 1, private={"email": "a"}, subject_id="ana"), vault=VAULT)
    with pytest.raises(SubjectErased):
        async with database.tenant(tenant) as session:
            await VAULT.open(
                session,
                tenant_id=tenant,
                subject_id="ana",
                purpose=private_purpose("evt_0", "email"),
                sealed=bytes(sealed),
            )
    await write(database, tenant, events(5, 1))
    assert (await check(database, tenant)).holds
