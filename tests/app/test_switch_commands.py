"""A switch changed at the command line is what the next effect reads, and an event."""

from __future__ import annotations

from app.errors import UsageError
from graph.settlement.models import Switch
from graph.settlement.switches import read_switch
from tests.app.terminal import Terminal


async def stopped(terminal: Terminal, tenant: str, tool: str = "stripe.refund") -> Switch | None:
    async with terminal.database.tenant(tenant) as session:
        return await read_switch(session, tenant, tool)


async def test_a_switch_without_a_tenant_stops_everybody_and_is_in_the_log_of_everybody(terminal: Terminal) -> None:
    done = await terminal.run("switch", "off", "stripe.refund", "--reason", "wrong amounts")
    assert (done.status, done.out) == (0, "stripe.refund is off for every tenant\n")
    for tenant in ("demo", "another"):
        switch = await stopped(terminal, tenant)
        assert switch is not None
        assert (switch.tenant_id, switch.reason) == ("*", "wrong amounts")
    log = await terminal.run("--tenant", "*", "audit", "verify", "--json")
    assert (log.status, log.json["events"]) == (0, 1)


async def test_a_switch_of_one_tenant_leaves_the_others_alone(terminal: Terminal) -> None:
    await terminal.run("switch", "off", "stripe.refund", "--tenant", "demo", "--reason", "audit")
    assert await stopped(terminal, "demo") is not None
    assert await stopped(terminal, "another") is None
    done = await terminal.run("switch", "on", "stripe.refund", "--tenant", "demo", "--reason", "done", "--json")
    assert done.json == {"tool": "stripe.refund", "tenant": "demo", "off": False, "changed": True}
    assert await stopped(terminal, "demo") is None
    log = await terminal.run("audit", "verify", "--json")
    assert log.json["events"] == 2


async def test_a_change_that_changes_nothing_leaves_no_event(terminal: Terminal) -> None:
    done = await terminal.run("--tenant", "demo", "switch", "on", "stripe.read", "--reason", "why not")
    assert done.out == "stripe.read was on for tenant demo already\n"
    log = await terminal.run("audit", "verify", "--json")
    assert log.json["events"] == 0


async def test_the_list_names_who_stopped_what_and_why(terminal: Terminal) -> None:
    await terminal.run("switch", "off", "zendesk.reply", "--reason", "odd \x1b[31mreplies")
    done = await terminal.run("--tenant", "demo", "switch", "list")
    line = next(line for line in done.out.splitlines() if line.startswith("zendesk.reply"))
    assert "OFF for every tenant" in line
    assert "odd \N{REPLACEMENT CHARACTER}[31mreplies" in line
    assert "stripe.refund                on" in done.out
    listed = await terminal.run("switch", "list", "--json")
    assert [(row["tool"], row["tenant"], row["off"]) for row in listed.json["switches"]] == [
        ("zendesk.reply", "*", True)
    ]


async def test_an_unknown_tool_is_refused_with_the_nearest_one(terminal: Terminal) -> None:
    done = await terminal.run("switch", "off", "stripe.refnd", "--reason", "x")
    assert isinstance(done.error, UsageError)
    assert str(done.error) == "unknown tool 'stripe.refnd'; did you mean 'stripe.refund'?"


async def test_a_switch_needs_a_reason(terminal: Terminal) -> None:
    assert (await terminal.run("switch", "off", "stripe.refund")).status == 2
    blank = await terminal.run("switch", "off", "stripe.refund", "--reason", "  ")
    assert isinstance(blank.error, UsageError)
