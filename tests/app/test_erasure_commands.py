"""Customers are erased, held and released from the command line, by admins only."""

from __future__ import annotations

import json

import psycopg

from tests.app.terminal import Terminal

PASSWORD = "correct horse battery staple"
HOLD = ("hold", "place", "--customer", "77", "--reason", "case 12/2026")


async def test_a_held_customer_is_not_erased_until_the_hold_is_lifted(terminal: Terminal) -> None:
    for changed in (True, False):
        assert (await terminal.run(*HOLD, "--json")).json["changed"] is changed
    assert [one["reason"] for one in (await terminal.run("hold", "list", "--json")).json["holds"]] == ["case 12/2026"]
    refused = await terminal.run("erase", "--customer", "77")
    assert refused.status == 1
    assert "legal hold" in str(refused.error)
    assert "case 12/2026" in str(refused.error)
    with psycopg.connect(terminal.admin_url) as owner:
        assert owner.execute("SELECT count(*) FROM data_key").fetchone() == (0,)
    assert (await terminal.run("hold", "lift", "--customer", "77", "--reason", "settled")).status == 0
    done = await terminal.run("erase", "--customer", "77", "--json")
    assert (done.status, done.json["subject_id"], done.json["had_key"]) == (0, "zendesk/user/77", False)
    log = [line["kind"] for line in map(json.loads, (await terminal.run("audit", "export")).out.splitlines())]
    assert log == ["hold.placed", "person.not_erased", "hold.lifted", "person.erased", "log.exported"]
    assert (await terminal.run("audit", "verify")).status == 0


async def test_only_admins_erase_where_there_are_any(terminal: Terminal) -> None:
    for email, role in (("ada@shop.example", "admin"), ("eve@shop.example", "ops_lead")):
        await terminal.run("account", "create", email, "--role", role, "--stdin", typed=f"{PASSWORD}\n")
    erase = ("erase", "--customer", "77")
    assert "name yours with --as EMAIL" in str((await terminal.run(*erase)).error)
    eve = await terminal.run(*erase, "--as", "eve@shop.example", "--stdin", typed=f"{PASSWORD}\n")
    assert "people are erased and held by admin" in str(eve.error)
    ada = await terminal.run(*erase, "--as", "ada@shop.example", "--stdin", typed=f"{PASSWORD}\n")
    assert (ada.status, "zendesk/user/77 is erased" in ada.out) == (0, True)
    with psycopg.connect(terminal.admin_url) as owner:
        row = owner.execute("SELECT actor FROM audit_event WHERE kind = 'person.erased'").fetchone()
    assert row is not None
    assert str(row[0]).startswith("account:")


async def test_a_customer_is_named_by_a_number(terminal: Terminal) -> None:
    assert "number of a Zendesk user" in str((await terminal.run("erase", "--customer", "ana@shop.example")).error)
