"""A credential of another stage is refused; one that may do too much does nothing by itself until it is replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.doctor import examine
from app.errors import SettingsError
from app.runtime import tenant_of
from app.scopes import hold_back, over_scoped
from app.settings import Environment, Settings
from app.tenants import TenantSettings
from tests.app.terminal import NOW, Terminal, new_id

OAUTH = {"subdomain": "acme", "client_id": "countersign", "client_secret": "secret"}
TOKEN = {"subdomain": "acme", "email": "bot@example.com", "token": "secret"}


def tenant(key: str = "rk_test_1", zendesk: dict[str, str] = OAUTH, **stripe: str) -> TenantSettings:
    return TenantSettings.model_validate({"zendesk": zendesk, "stripe": {"api_key": key, **stripe}})


@pytest.mark.parametrize("kind", ["rk", "sk"])
def test_a_key_works_in_its_own_stage_and_in_no_other(kind: str, tmp_path: Path) -> None:
    live, test = tenant(f"{kind}_live_1"), tenant(f"{kind}_test_1")
    for environment in Environment:
        refused, fits = (test, live) if environment is Environment.PROD else (live, test)
        tenant_of("acme", fits, lambda: NOW, environment)
        with pytest.raises(SettingsError, match=f"key of Stripe's in environment '{environment.value}'"):
            tenant_of("acme", refused, lambda: NOW, environment)
        settings = Settings(data_dir=tmp_path, port=0, environment=environment, tenants={"acme": refused})
        told = [one.found for one in examine(settings, now=lambda: NOW) if one.subject == "acme stripe"]
        assert any("key of Stripe's in environment" in one for one in told)
    with pytest.raises(SettingsError, match="live key"):
        tenant_of("acme", live, lambda: NOW)  # who does not say where it is gets no live key
    sandboxed = tenant("rk_test_1", base_url="http://127.0.0.1:9900")
    tenant_of("acme", sandboxed, lambda: NOW, Environment.PROD)


@pytest.mark.parametrize(
    ("found", "wide"),
    [
        (tenant(), set()),
        (tenant("sk_test_1"), {"stripe"}),
        (tenant(zendesk=TOKEN), {"zendesk"}),
        (tenant("sk_test_1", {**OAUTH, "scope": "read write"}), {"stripe", "zendesk"}),
        (tenant(zendesk={**OAUTH, "scope": "read impersonate"}), {"zendesk"}),
        (TenantSettings(), set()),
    ],
)
def test_what_may_do_more_than_is_needed_is_known(found: TenantSettings, wide: set[str]) -> None:
    assert over_scoped(found).keys() == wide


async def test_an_over_scoped_credential_is_draft_only_until_it_is_replaced(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def starts(with_key: str) -> dict[str, Any]:
        monkeypatch.setenv("COUNTERSIGN_TENANTS__DEMO__STRIPE__API_KEY", with_key)
        await hold_back(terminal.database.tenant, {"demo": tenant(with_key)}, lambda: NOW, new_id)
        rows = (await terminal.run("connectors", "list", "--json")).json["connectors"]
        return {row["connector"]: (row["mode"], row["reason"]) for row in rows}

    held = (await starts("sk_test_1"))["stripe"]
    assert held == ("draft_only", "over-scoped: a secret key may do everything; make a restricted key (rk_...)")
    assert "stays draft-only" in str((await terminal.run("connectors", "restore", "stripe")).error)
    assert (await starts("sk_test_1"))["stripe"] == held
    assert (await starts("rk_test_1"))["stripe"] == ("normal", None)
    exported = (await terminal.run("audit", "export")).out
    assert [exported.count(kind) for kind in ("connector.draft_only", "connector.restored")] == [1, 1]
