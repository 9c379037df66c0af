"""The packet says what this installation is, names a proof for each claim, and holds no secret."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path
from typing import Any

import cyclonedx.schema
import jsonschema_rs
import pytest

from app.packet.controls import CONTROLS
from app.packet.sbom import bill_of_materials
from app.settings import load_settings
from app.setup import publish_initial_policies
from policies.vocabulary import Tool
from tests.app.terminal import NOW, Terminal

ROOT = Path(__file__).parents[3]
SECRETS = ("sk_live_canary0123456789", "secret-canary", "sk-ant-canary")
TENANT = {
    "title": "Acme",
    "policy": "shipped",
    "zendesk": {"subdomain": "acme", "client_id": "cs", "client_secret": SECRETS[1], "webhook_secrets": [SECRETS[1]]},
    "stripe": {"api_key": SECRETS[0], "webhook_secrets": [SECRETS[1]]},
    "exports": {"siem": {"url": "https://siem.example/in", "authorization": f"Splunk {SECRETS[1]}"}},
}


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_control_names_a_file_that_is_there_and_tests_that_exist() -> None:
    assert len({control.name for control in CONTROLS}) == len(CONTROLS) >= 15
    for control in CONTROLS:
        assert (ROOT / control.held_by).exists(), control.name
        assert control.tests, control.name
        for test in control.tests:
            path, _, name = test.partition("::")
            assert name in names_in(path), test


async def test_the_packet_is_what_the_configuration_is(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COUNTERSIGN_TENANTS__DEMO", json.dumps(TENANT))
    monkeypatch.setenv("COUNTERSIGN_MODELS__PROVIDER", "claude")
    monkeypatch.setenv("COUNTERSIGN_MODELS__API_KEY", SECRETS[2])
    await publish_initial_policies(terminal.database, load_settings(), lambda: NOW)
    await terminal.run("switch", "off", "stripe.cancel_payment", "--reason", "audit")
    done = await terminal.run("packet", "--out", str(tmp_path))
    assert done.status == 0, done.error
    page = (tmp_path / "packet.html").read_text("utf-8")
    made = json.loads((tmp_path / "packet.json").read_text("utf-8"))
    whole = page + json.dumps(made) + (tmp_path / "sbom.cdx.json").read_text("utf-8")
    assert [secret for secret in SECRETS if secret in whole] == []

    tenant = made["tenants"]["demo"]
    able = {one["tool"] for one in tenant["can"]}
    assert {"stripe.refund", "zendesk.reply"} <= able
    assert "stripe.cancel_payment" not in able
    assert "stripe.cancel_payment: switched off" in tenant["cannot"]
    assert any("nothing automatic at stripe: a secret key" in one for one in tenant["cannot"])
    assert any(one.startswith("locked.remaining") for one in tenant["cannot"])
    assert made["sub_processors"] == ["Anthropic", "Zendesk (demo)", "Stripe (demo)", "export siem (demo)"]
    assert all(one["region"] and one["retention"] and one["training"] for one in made["data_flows"])
    assert {one["tool"] for one in made["contract"]["tools"]} == set(Tool)
    refund = next(one for one in made["contract"]["tools"] if one["tool"] == "stripe.refund")
    assert refund["parameters"] == ["amount", "charge", "metadata[intent_id]", "reason"]
    assert all(one["way_back"] and one["errors"] for one in made["contract"]["tools"])
    assert made["contract"]["models_answer"].keys() == {"triage", "plan", "draft", "summarise", "safety"}
    assert len(made["roles"]) > 40
    for heading in ("What it cannot do", "Where data goes", "The task contract", "Who may use what"):
        assert heading in page


def test_the_bill_of_materials_is_one_by_the_schema() -> None:
    bill = bill_of_materials(NOW)
    schemas = Path(cyclonedx.schema.__path__[0]) / "_res"

    def schema(address: str) -> Any:
        return json.loads((schemas / address.rpartition("/")[2]).read_text("utf-8"))

    jsonschema_rs.validator_for(schema("bom-1.6.SNAPSHOT.schema.json"), retriever=schema).validate(json.loads(bill))
    names = {one["name"] for one in json.loads(bill)["components"]}
    assert {"stripe", "zenpy", "langgraph", "cryptography", "torch"} <= names
    assert "pytest" not in names
