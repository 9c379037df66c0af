"""What a policy file says holds while a ticket is worked on: budgets, tools, domains, shadow, fields."""

from __future__ import annotations

import pytest

from connectors.sandbox.world.model import Setting
from graph.rulebook import publish
from policies.shelf import from_library, shipped_text
from tests.journeys.shop import Shop, a_setting, charged_twice

WITHOUT_HOLD = shipped_text().replace("hold: 600s", "hold: 0s")
UNCLEAR = a_setting(
    "My order still has not arrived. The tracking has not moved. I would like my money back please.",
    charges=[{"key": "one", "amount": "24.90", "order": "1042"}, {"key": "two", "amount": "31", "order": "1077"}],
)


async def decides(shop: Shop, text: str) -> None:
    async with shop.database.tenant(shop.tenant) as session:
        await publish(session, shop.tenant, text, author="test", now=shop.clock.now())


@pytest.mark.parametrize("setting", [charged_twice(), UNCLEAR], ids=["a refund", "a question"])
async def test_a_new_tenant_in_shadow_leaves_no_trace_outside(shop: Shop, setting: Setting) -> None:
    starter = from_library("starter.yaml")
    assert starter is not None
    await decides(shop, starter)
    ticket = await shop.arrives(setting)
    assert (await shop.outcome(ticket))[0] == "handed_off"
    assert [shop.said(ticket, public=public) for public in (True, False)] == [[], []]
    assert shop.refunds() == []
    (run,) = await shop.rows("SELECT is_shadow FROM run")
    assert run["is_shadow"]


async def test_a_run_that_used_up_its_calls_is_handed_over_with_a_note(shop: Shop) -> None:
    await decides(shop, WITHOUT_HOLD.replace("tool_calls: 120", "tool_calls: 4"))
    ticket = await shop.arrives(charged_twice())
    assert await shop.outcome(ticket) == ("handed_off", "budget_exhausted")
    (note,) = shop.said(ticket, public=False)
    assert "4 of 4 tool calls" in note
    assert shop.refunds() == []


async def test_a_reply_that_needs_approval_holds_back_the_refund_it_tells_of(shop: Shop) -> None:
    await decides(
        shop, WITHOUT_HOLD.replace("  expire_after: 72h\n", "  expire_after: 72h\n  external_email.send: required\n")
    )
    ticket = await shop.arrives(charged_twice())
    assert await shop.outcome(ticket) == ("waiting_for_review", "needs_approval")
    assert shop.refunds() == []


async def test_a_system_that_the_policy_closes_is_not_read(shop: Shop) -> None:
    await decides(shop, f"{WITHOUT_HOLD}\ntools: {{deny: [billing.read]}}\n")
    ticket = await shop.arrives(charged_twice())
    assert await shop.outcome(ticket) == ("handed_off", "policy_denied")
    run = (await shop.run(ticket))["run_id"]
    calls = await shop.rows("SELECT body FROM audit_event WHERE kind = 'tool.called' AND run_id = :run", run=run)
    assert [one["body"]["decision"] for one in calls if one["body"]["tool"] == "stripe.read"] == ["refused:policy"]


async def test_nothing_is_answered_to_an_address_that_is_not_permitted(shop: Shop) -> None:
    await decides(shop, WITHOUT_HOLD.replace("domains:\n", "domains:\n  recipients: [shop.example]\n"))
    ticket = await shop.arrives(charged_twice())
    assert await shop.outcome(ticket) == ("handed_off", "verification_failed")
    assert shop.said(ticket, public=True) == []
    assert shop.refunds() == []


async def test_what_is_never_logged_and_never_read_stays_out(shop: Shop) -> None:
    keeps = (
        "privacy: {never_log: [call.reference, request.language], never_read: [charge.metadata, charge.description]}"
    )
    await decides(shop, f"{WITHOUT_HOLD}\n{keeps}\n")
    ticket = await shop.arrives(charged_twice())
    run = (await shop.run(ticket))["run_id"]
    events = await shop.rows("SELECT kind, body FROM audit_event WHERE run_id = :run", run=run)
    references = {one["body"]["reference"] for one in events if one["kind"] == "tool.called"}
    assert references == {"withheld"}
    languages = {one["body"].get("language") for one in events if one["body"].get("node") == "triage"}
    assert languages == {"withheld"}
    # Without descriptions and metadata the charges cannot be told to be of one order, so which is meant is asked.
    assert (await shop.outcome(ticket))[0] != "resolved"
