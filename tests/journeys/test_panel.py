"""Reviewers at a real browser, three hundred and twenty pixels wide: from a webhook to a refund, and every way out.

The web process, the vendors' doubles and the database are real; the worker is moved by hand, so that each state can be
looked at. Needs Chromium; `.ci/run` installs it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from playwright.async_api import expect

from app.identity.models import Account
from app.identity.roles import Role
from graph.rulebook import publish
from policies.shelf import shipped_text
from tests.app.web.people import a_person, signed_in
from tests.app.web.waiting import EVIL
from tests.journeys.browsing import NEEDS_BROWSER, PHONE, Browser, browsing, is_well
from tests.journeys.shop import Shop, a_setting, charged_twice

pytestmark = [pytest.mark.journey, NEEDS_BROWSER]

HELD_AFTER_YES = (
    shipped_text()
    .replace("    approve:\n      mode: approve\n", "    approve:\n      mode: approve\n      hold: 60s\n")
    .replace("        - cancel_subscription\n      tier: auto", "        - cancel_subscription\n      tier: approve")
)
"""Refunds wait for a person, and after their yes for a minute."""


@pytest.fixture
async def browser(shop: Shop) -> AsyncIterator[Browser]:
    async with browsing(str(shop.web.base_url).rstrip("/"), locale="en-US", timezone_id="Europe/Berlin") as opened:
        await opened.is_for(await signed_in(shop.database.tenant, shop.reviewer, shop.clock.now()))
        yield opened


async def test_from_the_webhook_to_the_refund(shop: Shop, browser: Browser) -> None:
    page = browser.page
    async with shop.database.tenant(shop.tenant) as session:
        await publish(session, shop.tenant, HELD_AFTER_YES, author="test", now=shop.clock.now())
    await browser.opens(f"/t/{shop.tenant}/tickets/1")
    await expect(page.get_by_text("Nothing yet")).to_be_visible()
    ticket = await shop.arrives(charged_twice("24.90"))
    # The page is the same one: the card fills in by itself.
    await expect(page.get_by_text("Waiting for you")).to_be_visible()
    await expect(page.get_by_role("heading", name="Duplicate charge · $24.90")).to_be_visible()
    await expect(page.locator(".will .money")).to_have_text("$24.90")
    paid = shop.clock.now() - timedelta(days=3)
    facts = [f"{paid:%B} {paid.day}, {paid.year}", "$24.90", "Visa ending in 4242"]
    await expect(page.locator("#reply-text mark")).to_have_text(facts)
    await is_well(page)
    # What the customer prefers is remembered, shown, changed and forgotten where it stands.
    await page.get_by_text("Remember a preference").click()
    await page.locator("#value-remedy").select_option("replacement")
    await page.locator("form.remember").nth(1).get_by_role("button").click()
    await expect(page.locator(".liking")).to_contain_text("Would rather have replacement by Lea Lead, until")
    await page.get_by_text("Change what is remembered").click()
    await expect(page.locator("#value-remedy")).to_have_value("replacement")
    await page.get_by_role("button", name="Forget").click()
    await expect(page.locator(".liking")).to_have_count(0)
    # Edit, and see what was changed against the agent's words.
    await page.keyboard.press("e")
    reply = page.get_by_label("Reply to the customer")
    await expect(reply).to_be_focused()
    await reply.fill((await reply.input_value()).replace("You were right", "You are right, sorry"))
    await expect(page.locator("#diff del").first).to_have_text("were")
    await expect(page.locator("#diff ins").first).to_have_text("are")
    # The checks say at once what may not leave, and what the agent would not have been let write.
    looked, edited = page.locator("#looked li"), await reply.input_value()
    await reply.fill(f"{edited}\nYou also get a voucher: https://evil.example/v")
    await expect(looked).to_contain_text(["may not leave: a link to 'evil.example'", "something is offered"])
    await reply.fill(f"{edited}\nYou also get a voucher.")
    await expect(looked).to_contain_text(["would not be let write this: something is offered"])
    await page.get_by_role("button", name="Approve edited").click()
    await expect(page.get_by_role("status")).to_contain_text("Approved. It is being carried out. The agent would not")
    await shop.work()
    # The hold: a countdown, and nothing has left.
    await expect(page.get_by_text("Held: can still be stopped")).to_be_visible()
    await expect(page.locator(".count")).to_have_text(re.compile(r"1:00|0:5\d"))
    assert shop.refunds() == []
    await shop.passes(seconds=61)
    await expect(page.get_by_text("Resolved")).to_be_visible()
    await expect(page.get_by_text("Lea Lead approved it after editing the reply.")).to_be_visible()
    assert shop.refunds() == [("second", 2490, "usd")]
    (said,) = shop.said(ticket, public=True)
    assert "You are right, sorry" in said
    # What an update changed can be put back; what cannot says so.
    await expect(page.get_by_text("cannot be undone: the customer has it")).to_be_visible()
    await page.get_by_role("button", name="Undo tags, status and note").click()
    await expect(page.get_by_text("is being undone")).to_be_visible()
    await shop.looks_out()
    await expect(page.get_by_text("undone", exact=True)).to_be_visible()
    assert "refunded" not in shop.ticket(ticket)["tags"]
    await is_well(page)
    await shop.balanced()


async def test_a_stop_in_the_hold_a_rejection_with_its_reason_and_a_draft_that_a_comment_outdates(
    shop: Shop, browser: Browser
) -> None:
    page = browser.page
    held = await shop.arrives(charged_twice("20.00"))
    await browser.opens(f"/t/{shop.tenant}/tickets/{held}")
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("status")).to_contain_text("Stopped before anything was sent")
    await shop.work()
    await expect(page.locator(".tone")).to_contain_text("Handed over")
    await expect(page.get_by_text("A person took the ticket over")).to_be_visible()
    assert shop.refunds() == []
    # A new message makes the draft stale while somebody is writing: their words stay, their yes is refused.
    outdated = await shop.arrives(charged_twice("90.00"))
    await browser.opens(f"/t/{shop.tenant}/tickets/{outdated}")
    await page.keyboard.press("e")
    await page.get_by_label("Reply to the customer").fill("Hello Ana, this is on its way.")
    # The browser does not hear of it in time: what it sends is refused all the same.
    await page.route("**/card", lambda route: route.abort())
    async with page.expect_response(lambda answer: answer.url.endswith("/answer")) as answered:
        await shop.customer_writes(outdated, "Please wait: was it the other card that was charged twice? Order 1042.")
        await page.get_by_role("button", name="Approve edited").click()
    assert (await answered.value).status == 409
    await page.unroute("**/card")
    await page.reload()
    browser.complaints.clear()  # the browser notes the refusal, and the card that it was kept from
    assert shop.refunds() == []
    await expect(page.get_by_text("Hello Ana, this is on its way.")).not_to_be_visible()
    # Reject, by keyboard alone, with a reason and a word for colleagues.
    third = await shop.arrives(charged_twice("95.00"))
    await browser.opens(f"/t/{shop.tenant}/tickets/{third}")
    await page.keyboard.press("r")
    await expect(page.get_by_label("Why")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.type("They have a contract of their own.")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Rejected")
    await shop.work()
    await expect(page.get_by_text("Lea Lead said no: the amount is wrong.")).to_be_visible()
    await expect(page.get_by_text("They have a contract of their own.")).to_be_visible()
    assert shop.refunds() == []
    await shop.balanced()


async def test_two_who_click_at_once_make_one_refund_and_a_phone_is_wide_enough(shop: Shop, browser: Browser) -> None:
    page = browser.page
    other = await a_person(
        shop.database.tenant, shop.tenant, Role.OPS_LEAD, email="ops@shop.example", now=shop.clock.now()
    )
    ticket = await shop.arrives(charged_twice("90.00"))
    async with browsing(browser.url) as second:
        await second.is_for(other)
        for one in (browser, second):
            await one.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
            await one.opens(f"/t/{shop.tenant}/tickets/{ticket}")
        await is_well(page)
        await asyncio.gather(*(one.page.get_by_role("button", name="Approve").click() for one in (browser, second)))
        for one in (browser, second):
            await expect(one.page.locator("#said")).not_to_be_empty()
        said = sorted([await one.page.locator("#said").inner_text() for one in (browser, second)])
        assert said[0].startswith("Approved.")
        assert said[1].startswith("Nothing was changed.")
        assert sum(len(one.complaints) for one in (browser, second)) == 1
        browser.complaints.clear()
        second.complaints.clear()
    await shop.work()
    assert shop.refunds() == [("second", 9000, "usd")]
    await expect(page.get_by_text("Resolved")).to_be_visible()
    await shop.balanced()


async def test_what_a_customer_writes_stays_text(shop: Shop, browser: Browser) -> None:
    page = browser.page
    evil = a_setting(
        f"I was charged twice for order 1042, please refund it. {EVIL}",
        charges=[{"key": "one", "amount": "90.00", "order": "1042", "description": EVIL[:60]}],
        subject=EVIL,
    )
    ticket = await shop.arrives(evil)
    await browser.opens(f"/t/{shop.tenant}/tickets/{ticket}")
    await expect(page.locator(".message")).to_contain_text(EVIL[:40])
    await expect(page.locator(".subject")).to_contain_text(EVIL[:40])
    for tag in ("#panel script", "#panel img", "#panel svg", "#panel [onerror]", "#panel [onload]"):
        assert await page.locator(tag).count() == 0, tag
    # Fetched anew by the script it is text, too.
    await shop.customer_writes(ticket, f"Hello? {EVIL}")
    await expect(page.locator(".message")).to_contain_text("Hello?")
    assert await page.locator("#panel svg").count() == 0
    assert await page.evaluate("() => window.ran === undefined")


async def test_the_app_in_zendesks_frame_needs_no_cookie_and_shows_what_zendesk_shows_its_agent(
    shop: Shop, browser: Browser
) -> None:
    """The frame's parent is another origin, the sandbox's; the browser has no cookie of ours."""
    page, doubles = browser.page, shop.sandbox.doubles
    ticket = await shop.arrives(charged_twice("90.00"))
    await browser.context.clear_cookies()
    await page.set_viewport_size({"width": 1100, "height": 900})
    agent_id = doubles.agent_id()
    async with shop.database.tenant(shop.tenant) as session:
        account = await session.get_one(Account, (shop.tenant, shop.reviewer.account_id))
        account.zendesk_user_id = str(agent_id)
    await page.goto(f"{shop.vendor_url}/agent/tickets/{ticket}")
    frame = page.frame_locator("iframe")
    await expect(frame.get_by_text("Waiting for you")).to_be_visible()
    assert await browser.context.cookies() == []
    assert await page.frames[1].evaluate("() => document.querySelector('[data-bearer]')") is None
    await frame.get_by_role("button", name="Reject").click()
    await frame.get_by_label("Why").select_option("wrong_tone")
    await frame.get_by_role("button", name="Reject and hand over").click()
    await expect(frame.get_by_role("status")).to_contain_text("Rejected")
    await shop.work()
    await expect(frame.get_by_text("What to do next")).to_be_visible()
    await frame.get_by_role("button", name="Insert into the reply box").click()
    await expect(page.get_by_label("Reply")).to_have_value(re.compile("Hello Ana"))
    # The agent is now shown only what is assigned to them: the same panel on the same ticket is refused.
    doubles.zendesk.restrict_agent(agent_id, "assigned")
    shop.clock.advance(301)
    await page.goto(f"{shop.vendor_url}/agent/tickets/{ticket}")
    await expect(frame.get_by_role("status")).to_contain_text("cannot be shown")
    browser.complaints.clear()
    assert shop.refunds() == []
    await shop.balanced()
