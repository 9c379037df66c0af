"""The doctor says what is wrong and what to do, finds nothing wrong in a healthy place, and changes nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from app.doctor import State, examine
from app.settings import Settings, load_settings
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.composition import SandboxConfig, create_sandbox
from connectors.sandbox.faults import Faults
from connectors.sandbox.server import RunningServer, serve
from tests.app.terminal import Terminal

BOT = "bot@example.com"
CLAUDE_KEY = "sk-ant-sandbox"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningServer]:
    config = SandboxConfig(
        stripe_keys={"rk_test_all": frozenset({"*"}), "rk_test_none": frozenset({"customers_read"})},
        stripe_webhook_secret="whsec_sandbox",
        zendesk_subdomain="demo",
        zendesk_oauth_clients={"countersign": ("secret", BOT)},
        zendesk_webhook_secret="hook",
        orders_token="orders",
        claude_keys=frozenset({CLAUDE_KEY}),
    )
    app = create_sandbox(config, SandboxClock(tmp_path / "clock.json"), Faults())
    app.state.sandbox.doubles.zendesk.add_user(name="Countersign", email=BOT, role="admin")
    with serve(app) as server:
        yield server


def a_tenant(address: str, **changes: object) -> dict[str, object]:
    return {
        "zendesk": {
            "subdomain": "demo",
            "base_url": address,
            "client_id": "countersign",
            "client_secret": "secret",
            "webhook_secrets": ["hook"],
            "timeout_s": 5,
        },
        "stripe": {"api_key": "rk_test_all", "base_url": address, "webhook_secrets": ["whsec_sandbox"], "timeout_s": 5},
        "orders": {"base_url": address, "token": "orders", "timeout_s": 5},
    } | changes


def found(settings: Settings, state: State = State.WRONG) -> dict[str, str]:
    """What is wrong (or of another state), by subject."""
    checks = examine(settings, now=lambda: datetime.now(UTC))
    return {check.subject: f"{check.found} -> {check.next_step}" for check in checks if check.state is state}


def test_a_fresh_place_has_nothing_wrong_and_the_doctor_makes_nothing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "d", port=0)
    assert found(settings) == {}
    assert set(found(settings, State.NOTE)) == {"master key", "log key", "log sinks", "database", "tenants"}
    assert not (tmp_path / "d").exists()


def test_a_healthy_place_is_all_well(tmp_path: Path, sandbox: RunningServer, database_url: str, admin_url: str) -> None:
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "port": 0,
            "database_url": database_url,
            "database_admin_url": admin_url,
            "models": {"provider": "claude", "api_key": CLAUDE_KEY, "base_url": sandbox.url},
            "tenants": {"demo": a_tenant(sandbox.url)},
        }
    )
    assert found(settings) == {}
    notes = found(settings, State.NOTE)
    assert set(notes) == {"master key", "log key", "log sinks"}, notes
    healthy = {"database", "database tenants", "models", "demo zendesk", "demo stripe", "demo orders", "demo policy"}
    assert healthy <= set(found(settings, State.OK))


def test_vendors_that_cannot_be_reached_are_named_each(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "port": 0, "tenants": {"demo": a_tenant("http://127.0.0.1:1", policy="missing.yaml")}}
    )
    assert set(found(settings)) == {"demo zendesk", "demo stripe", "demo orders", "demo policy"}


def test_a_key_without_permissions_names_what_it_lacks(tmp_path: Path, sandbox: RunningServer) -> None:
    stripe = {"api_key": "rk_test_none", "base_url": sandbox.url, "webhook_secrets": ["whsec_sandbox"]}
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "port": 0, "tenants": {"demo": a_tenant(sandbox.url, stripe=stripe)}}
    )
    assert "the key may not:" in found(settings)["demo stripe"]


def test_missing_parts_of_a_tenant_are_named(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "port": 0, "tenants": {"demo": {}}})
    assert {"demo zendesk", "demo stripe"} <= set(found(settings))


def test_a_broken_policy_file_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("rules: [\n")
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "port": 0, "tenants": {"demo": {"policy": str(tmp_path / "own.yaml")}}}
    )
    assert "own.yaml:" in found(settings)["demo policy"]


def test_a_port_in_use_is_noticed(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(data_dir=tmp_path, port=taken.getsockname()[1])
        assert "is in use" in found(settings, State.NOTE)["web"]


def test_an_address_that_is_not_ours_is_wrong(tmp_path: Path) -> None:
    assert "cannot be used" in found(Settings(data_dir=tmp_path, host="192.0.2.1", port=0))["web"]


def test_the_embedded_server_is_wrong_in_production(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "port": 0, "environment": "prod"})
    assert "trusts its socket" in found(settings)["database"]


def test_an_unreachable_database_is_wrong(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "port": 0, "database_url": "postgresql://x@127.0.0.1:1/x"}
    )
    assert "cannot be used" in found(settings)["database"]


@pytest.mark.parametrize(
    ("damage", "subject"),
    [
        ("UPDATE alembic_version SET version_num = '0000'", "database schema"),
        ("ALTER TABLE effect NO FORCE ROW LEVEL SECURITY", "database tenants"),
        ("ALTER TABLE effect OWNER TO countersign_app", "database role"),
        ("DROP EXTENSION vector CASCADE", "database pgvector"),
    ],
)
def test_a_damaged_database_is_named(tmp_path: Path, admin_url: str, damage: str, subject: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as owner:
        owner.execute(damage.encode())
    settings = Settings.model_validate({"data_dir": tmp_path, "port": 0, "database_url": admin_url})
    assert subject in found(settings)


def test_a_master_key_that_others_can_read_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "master.key").write_text("x")
    (tmp_path / "master.key").chmod(0o644)
    assert "open to others" in found(Settings(data_dir=tmp_path, port=0))["master key"]


async def test_a_log_that_is_not_signed_any_more_is_wrong(terminal: Terminal, tmp_path: Path) -> None:
    await terminal.log("run.woken")
    await terminal.run("audit", "checkpoint")
    with psycopg.connect(terminal.admin_url) as owner:
        owner.execute("UPDATE audit_event SET actor = 'nobody'")
    await terminal.log("run.woken")
    await terminal.run("audit", "checkpoint")
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "port": 0,
            "database_url": load_settings().database_url,
            "database_admin_url": terminal.admin_url,
            "tenants": {terminal.tenant: {}},
        }
    )
    told = await asyncio.to_thread(found, settings)
    assert "nothing more is signed: event 0 is altered" in told["demo log"]
