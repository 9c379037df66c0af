from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from app.db import Database
from graph.vault import SubjectErased, UnknownMasterKey, Vault, VaultError

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ONE, TWO = b"1" * 32, b"2" * 32


@pytest.fixture
def vault() -> Vault:
    return Vault({"k1": ONE}, "k1")


async def _seal(
    database: Database, vault: Vault, plaintext: bytes = b"Ana", *, subject: str = "s1", tenant: str = "demo"
) -> bytes:
    async with database.tenant(tenant) as session:
        return await vault.seal(
            session, tenant_id=tenant, subject_id=subject, purpose="note", plaintext=plaintext, now=NOW
        )


async def _open(
    database: Database,
    vault: Vault,
    sealed: bytes,
    *,
    subject: str = "s1",
    tenant: str = "demo",
    purpose: str = "note",
) -> bytes:
    async with database.tenant(tenant) as session:
        return await vault.open(session, tenant_id=tenant, subject_id=subject, purpose=purpose, sealed=sealed)


async def _erase(database: Database, vault: Vault, subject: str = "s1") -> bool:
    async with database.tenant("demo") as session:
        return await vault.erase(session, tenant_id="demo", subject_id=subject, now=NOW)


async def test_what_is_sealed_opens_again(database: Database, vault: Vault) -> None:
    sealed = await _seal(database, vault)
    assert b"Ana" not in sealed
    assert await _open(database, vault, sealed) == b"Ana"
    assert sealed != await _seal(database, vault)


async def test_it_opens_only_for_its_purpose_person_and_tenant(database: Database, vault: Vault) -> None:
    sealed = await _seal(database, vault)
    await _seal(database, vault, subject="s2")
    await _seal(database, vault, tenant="other")
    with pytest.raises(VaultError):
        await _open(database, vault, sealed, purpose="comment")
    with pytest.raises(VaultError):
        await _open(database, vault, sealed, subject="s2")
    with pytest.raises(VaultError):
        await _open(database, vault, sealed, tenant="other")


async def test_every_flipped_bit_is_noticed(database: Database, vault: Vault) -> None:
    sealed = await _seal(database, vault)
    async with database.tenant("demo") as session:
        key = await vault.key(session, tenant_id="demo", subject_id="s1", now=NOW)
    for place in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[place // 8] ^= 1 << place % 8
        with pytest.raises(VaultError):
            key.open("note", bytes(altered))
    for end in range(len(sealed)):
        with pytest.raises(VaultError):
            key.open("note", sealed[:end])


async def test_erasing_a_person_is_final_for_every_process(database: Database, vault: Vault) -> None:
    sealed = await _seal(database, vault)
    kept = await _seal(database, vault, subject="s2")
    elsewhere = Vault({"k1": ONE}, "k1")
    assert await _open(database, elsewhere, sealed) == b"Ana"
    assert await _erase(database, vault)
    for process in (vault, elsewhere):
        with pytest.raises(SubjectErased):
            await _open(database, process, sealed)
        with pytest.raises(SubjectErased):
            await _seal(database, process)
    assert not await _erase(database, vault)
    assert await _open(database, vault, kept, subject="s2") == b"Ana"


async def test_a_person_without_a_key_can_be_erased_beforehand(database: Database, vault: Vault) -> None:
    assert not await _erase(database, vault, "s9")
    with pytest.raises(SubjectErased):
        await _seal(database, vault, subject="s9")


async def test_nothing_opens_for_a_person_who_never_had_a_key(database: Database, vault: Vault) -> None:
    with pytest.raises(SubjectErased, match="no data key"):
        await _open(database, vault, b"\x01" + b"x" * 40, subject="s9")


async def test_processes_that_make_a_key_at_once_agree_on_one(database: Database) -> None:
    vaults = [Vault({"k1": ONE}, "k1") for _ in range(8)]
    sealed = await asyncio.gather(*(_seal(database, vault, b"x") for vault in vaults))
    assert [await _open(database, vaults[0], value) for value in sealed] == [b"x"] * 8


async def test_a_new_master_key_leaves_the_old_values_readable(database: Database, vault: Vault) -> None:
    sealed = await _seal(database, vault)
    rotated = Vault({"k1": ONE, "k2": TWO}, "k2")
    assert await _open(database, rotated, sealed) == b"Ana"
    other = await _seal(database, rotated, subject="s2")
    with pytest.raises(UnknownMasterKey, match="k2"):
        await _open(database, vault, other, subject="s2")


async def test_a_wrong_master_key_opens_nothing(database: Database, vault: Vault) -> None:
    sealed = await _seal(database, vault)
    with pytest.raises(VaultError, match="does not unwrap"):
        await _open(database, Vault({"k1": TWO}, "k1"), sealed)


async def test_a_key_moved_to_another_person_does_not_unwrap(database: Database, vault: Vault, admin_url: str) -> None:
    await _seal(database, vault)
    sealed = await _seal(database, vault, subject="s2")
    with psycopg.connect(admin_url) as admin:
        admin.execute(
            "UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE subject_id = 's1')"
            " WHERE subject_id = 's2'"
        )
    with pytest.raises(VaultError, match="does not unwrap"):
        await _open(database, vault, sealed, subject="s2")


@pytest.mark.parametrize(
    ("keys", "current"),
    [({}, "k1"), ({"k1": b"short"}, "k1"), ({"": ONE, "k1": ONE}, "k1"), ({"x" * 256: ONE}, "x" * 256)],
)
def test_malformed_master_keys_are_refused(keys: dict[str, bytes], current: str) -> None:
    with pytest.raises(VaultError):
        Vault(keys, current)


def test_a_vault_does_not_show_its_keys(vault: Vault) -> None:
    assert repr(vault) == "Vault(HeldKeys(current='k1', keys=1))"


def test_a_commitment_needs_a_real_salt(vault: Vault) -> None:
    assert len(vault.new_salt()) == 32
    assert Vault.commit(b"a", b"s" * 32) != Vault.commit(b"a", b"t" * 32)
    with pytest.raises(VaultError, match="too weak"):
        Vault.commit(b"a", b"salt")
