"""Master keys come from a file, the settings or KMS; a rotated one opens what it did, a revoked one opens nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.ambient import vault_of
from app.db import Database
from app.errors import SettingsError
from app.keys.credentials import tell_of_credentials
from app.keys.ring import CONTEXT, FILE, FileRing, KmsRing, masters_of, own_master_of
from app.keys.sealed import open_all, seal
from app.keys.settings import KmsSettings
from app.settings import Settings, load_settings
from app.tenants import StripeSettings, TenantSettings
from connectors.kms import KmsKey
from graph.vault import MasterKeyWithheld, UnknownMasterKey, Vault, wrapped_under
from tests.app.terminal import NOW, Terminal, new_id
from tests.connectors.kms_double import Kms, kms
from tests.connectors.witness.test_witnesses import client, s3

__all__ = ["client", "s3"]
PURPOSE = "artifact/a1"
SECRET = "rk_test_0123456789abcdef"
NAME = "tenants.acme.stripe.api_key"


async def sealed(database: Database, vault: Vault, *, subject: str = "s1", content: bytes = b"Ana") -> bytes:
    async with database.tenant("demo") as session:
        return await vault.seal(
            session, tenant_id="demo", subject_id=subject, purpose=PURPOSE, plaintext=content, now=NOW
        )


async def opens(database: Database, vault: Vault, value: bytes, *, subject: str = "s1") -> bytes:
    async with database.tenant("demo") as session:
        return await vault.open(session, tenant_id="demo", subject_id=subject, purpose=PURPOSE, sealed=value)


async def test_a_rotation_wraps_every_data_key_anew_under_the_feet_of_a_process_that_runs(terminal: Terminal) -> None:
    ring = FileRing(load_settings().data_dir / FILE)
    running, before = Vault(ring), ring.current
    values = {f"s{number}": await sealed(terminal.database, running, subject=f"s{number}") for number in range(3)}
    assert (await terminal.run("keys", "list", "--json")).json == {"current": before, "data_keys": {before: 3}}
    done = await terminal.run("keys", "rotate")
    fresh = FileRing(load_settings().data_dir / FILE)
    assert (done.status, done.out) == (0, f"3 data keys of demo are wrapped by {fresh.current}\n")
    for subject, value in values.items():
        assert await opens(terminal.database, running, value, subject=subject) == b"Ana"
    async with terminal.database.tenant("demo") as session:
        assert await wrapped_under(session, "demo") == {fresh.current: 3}
    # The old key is not needed for them any more, and without any key of theirs nothing opens.
    file = load_settings().data_dir / FILE
    new_line, old_line = file.read_text().split()
    file.write_text(new_line)
    assert await opens(terminal.database, Vault(FileRing(file)), values["s1"]) == b"Ana"
    file.write_text(old_line)
    with pytest.raises(UnknownMasterKey, match=fresh.current):
        await opens(terminal.database, Vault(FileRing(file)), values["s1"])
    events = [json.loads(line) for line in (await terminal.run("audit", "export")).out.splitlines()]
    assert events[0]["kind"] == "key.rotated"
    assert events[0]["body"] == {"before": before, "after": fresh.current, "data_keys": 3}


async def test_what_was_sealed_before_keys_had_ids_still_opens_and_is_wrapped_anew(terminal: Terminal) -> None:
    settings = load_settings()
    key = FileRing(settings.data_dir / FILE)
    old = Vault({"primary": key.ask(key.current)}, "primary")
    value = await sealed(terminal.database, old)
    assert await opens(terminal.database, Vault(masters_of(settings)), value) == b"Ana"
    assert (await terminal.run("keys", "rotate", "--rewrap-only")).out.startswith("1 data keys")
    assert await opens(terminal.database, Vault(masters_of(settings)), value) == b"Ana"


@pytest.fixture(scope="module")
def revocable() -> Iterator[Kms]:
    with kms() as double:
        yield double


@pytest.mark.parametrize("by", ["moto", "double"])
async def test_a_key_that_kms_has_wrapped_seals_and_opens_for_its_context_only(
    database: Database, client: Any, s3: str, revocable: Kms, tmp_path: Path, by: str
) -> None:
    del client  # for the credentials
    url, key_id = (revocable.url, "alias/countersign") if by == "double" else (s3, "")
    if by == "moto":
        key_id = boto3.client("kms", endpoint_url=s3, region_name="us-east-1").create_key()["KeyMetadata"]["KeyId"]
    service = KmsKey(key_id, "us-east-1", url, CONTEXT)
    ring = KmsRing(tmp_path / "master.kms", service, 300)
    value = await sealed(database, Vault(ring))
    again = KmsRing(tmp_path / "master.kms", service, 300)  # another process, from the same file
    assert await opens(database, Vault(again), value) == b"Ana"
    ring.add()
    async with database.tenant("demo") as session:
        assert await Vault(ring).rewrap(session, "demo", limit=10) == 1
    assert await opens(database, Vault(again), value) == b"Ana"
    stranger = KmsRing(tmp_path / "master.kms", KmsKey(key_id, "us-east-1", url, {"countersign": "other"}), 300)
    with pytest.raises(MasterKeyWithheld, match="InvalidCiphertextException"):
        await opens(database, Vault(stranger), value)
    assert "Plaintext" not in repr((ring, Vault(ring)))


async def test_a_key_that_was_disabled_at_kms_closes_everything_when_its_time_is_over(
    database: Database, client: Any, revocable: Kms, tmp_path: Path
) -> None:
    del client
    time = [0.0]
    service = KmsKey("alias/countersign", "us-east-1", revocable.url, CONTEXT)
    ring = KmsRing(tmp_path / "master.kms", service, 300, ticks=lambda: time[0])
    vault = Vault(ring)
    value = await sealed(database, vault)
    asked = revocable.opened
    revocable.is_enabled = False
    time[0] = 299
    assert await opens(database, vault, value) == b"Ana"
    assert revocable.opened == asked  # within the time nobody is asked
    time[0] = 301
    for attempt in (opens(database, vault, value), sealed(database, vault), sealed(database, vault, subject="s2")):
        with pytest.raises(MasterKeyWithheld, match="DisabledException"):
            await attempt
    settings = Settings(data_dir=tmp_path / "new", kms=KmsSettings(key_id="k", endpoint_url=revocable.url, region="x"))
    with pytest.raises(SettingsError, match=r"KMS gives no new key of 'k' \(DisabledException\)"):
        masters_of(settings)
    revocable.is_enabled = True
    assert await opens(database, vault, value) == b"Ana"


async def test_a_tenants_own_key_is_rotated_and_revoked_without_another_tenant(
    terminal: Terminal, client: Any, revocable: Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    del client
    database, stripe = terminal.database, {"stripe": {"api_key": SECRET}}
    before = Vault(masters_of(load_settings()))
    old = await sealed(database, before, subject="earlier")  # under the installation's key
    own = {"key_id": "alias/demo", "endpoint_url": revocable.url, "region": "us-east-1", "keep_s": 0}
    monkeypatch.setenv("COUNTERSIGN_TENANTS__DEMO", json.dumps({**stripe, "kms": own}))
    monkeypatch.setenv("COUNTERSIGN_TENANTS__OTHER", json.dumps(stripe))
    settings = load_settings()
    vault = vault_of(settings)
    new = await sealed(database, vault)
    for subject, value in (("earlier", old), ("s1", new)):
        assert await opens(database, vault, value, subject=subject) == b"Ana"
    with pytest.raises(UnknownMasterKey):
        await opens(database, before, new)  # the installation's key does not open what is its own
    of_demo = ("--tenant", "demo", "keys")
    note = next(one for one in (await terminal.run("doctor", "--json")).json["checks"] if "data keys" in one["subject"])
    assert note["found"].startswith("1 data keys are not under its present master key")
    moved = await terminal.run(*of_demo, "rotate", "--own", "--rewrap-only")
    assert moved.out.startswith("1 data keys of demo are wrapped by kms-")
    rotated = await terminal.run(*of_demo, "rotate", "--own")
    assert rotated.out.startswith("2 data keys of demo are wrapped by kms-")
    listed = (await terminal.run(*of_demo, "list", "--json")).json
    assert listed["data_keys"] == {listed["current"]: 2}
    shared = await terminal.run("keys", "rotate")
    assert [line.split()[4] for line in shared.out.splitlines()] == ["other"]  # demo's are not the installation's
    refused = await terminal.run("--tenant", "other", "keys", "rotate", "--own")
    assert "other has no master key of its own: set tenants.other.kms" in str(refused.error)

    revocable.is_enabled = False
    try:
        for attempt in (
            opens(database, vault, new),
            opens(database, vault, old, subject="earlier"),
            sealed(database, vault),
        ):
            with pytest.raises(MasterKeyWithheld, match="DisabledException"):
                await attempt
        async with database.tenant("other") as session:
            assert await vault.seal(
                session, tenant_id="other", subject_id="s1", purpose=PURPOSE, plaintext=b"x", now=NOW
            )
        # A start goes on with the other tenant, and the doctor says which one is closed.
        told = await tell_of_credentials(database.tenant, vault_of(settings), settings, lambda: NOW, new_id)
        assert told == ["stripe.api_key"]
        checks = (await terminal.run("doctor", "--json")).json["checks"]
        found = {one["subject"]: one["state"] for one in checks if one["subject"].endswith(("master key", "data keys"))}
        assert found == {"master key": "ok", "demo master key": "wrong"}
    finally:
        revocable.is_enabled = True
    assert await opens(database, vault, old, subject="earlier") == b"Ana"
    # The file of another tenant opens nothing: KMS binds the tenant to what it wraps.
    (settings.data_dir / "master.other.kms").write_bytes((settings.data_dir / "master.demo.kms").read_bytes())
    (settings.data_dir / "master.other.kms").chmod(0o600)
    stranger = own_master_of(settings.data_dir, "other", KmsSettings(**own))
    with pytest.raises(MasterKeyWithheld, match="InvalidCiphertextException"):
        stranger.ask(stranger.current)


def test_a_sealed_secret_opens_for_its_setting_and_for_nobody_else(tmp_path: Path) -> None:
    masters = FileRing(tmp_path / FILE)
    written = seal(masters, NAME, SECRET)
    assert SECRET not in written
    assert written != seal(masters, NAME, SECRET)

    def given(value: str, *, name: str = "api_key") -> dict[str, Any]:
        return {"data_dir": str(tmp_path), "tenants": {"acme": {"stripe": {name: value, "list": [value, "plain"]}}}}

    opened = open_all({**given(written), "tenants": {"acme": {"stripe": {"api_key": written}}}})
    assert opened["tenants"]["acme"]["stripe"] == {"api_key": SECRET}
    for broken in (
        given(written, name="other"),
        given(written[:-8] + "AAAAAAA="),
        given("sealed:"),
        given("sealed:AQ=="),
    ):
        with pytest.raises(SettingsError, match="is sealed and does not open: it is damaged, or was sealed for"):
            open_all(broken)
    (tmp_path / FILE).unlink()
    with pytest.raises(SettingsError, match="which is not configured: restore it"):
        open_all(given(written))


async def test_settings_take_a_secret_that_was_sealed_for_them(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await terminal.run("keys", "seal", NAME, typed=f"{SECRET}\n")
    monkeypatch.setenv("COUNTERSIGN_TENANTS__ACME__STRIPE__API_KEY", done.out.strip())
    stripe = load_settings().tenants["acme"].stripe
    assert stripe is not None
    assert stripe.api_key.get_secret_value() == SECRET


async def test_a_credential_that_changed_is_told_once_and_never_shown(database: Database) -> None:
    vault = Vault({"k": b"m" * 32}, "k")

    async def starts(key: str, *hooks: str) -> list[str]:
        stripe = StripeSettings(api_key=SecretStr(key), webhook_secrets=tuple(map(SecretStr, hooks)))
        settings = Settings(tenants={"demo": TenantSettings(stripe=stripe)})
        return await tell_of_credentials(database.tenant, vault, settings, lambda: NOW, new_id)

    both = ["stripe.api_key", "stripe.webhook_secrets"]
    assert await starts(SECRET, "whsec_one") == both
    assert await starts(SECRET, "whsec_one") == []
    assert await starts(SECRET, "whsec_one", "whsec_two") == both[1:]
    assert await starts("rk_test_another_one_00") == both
    async with database.tenant("demo") as session:
        found = await session.execute(text("SELECT kind, body FROM audit_event ORDER BY seq"))
        rows = [(row.kind, row.body) for row in found]
    assert {kind for kind, _ in rows} == {"credential.changed"}
    assert rows[0][1]["after"] == rows[3][1]["before"]
    assert rows[4][1]["after"] is None
    assert SECRET not in str(rows)
