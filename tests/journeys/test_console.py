"""The ops lead's pages at a real browser: a threshold that two people publish, a broken edit, a switch that stops."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from app.identity.roles import Role
from evals.bench.kept_history import keep_history
from graph.rulebook import deciding, load_policy
from policies.parse import parse_policy
from policies.shelf import library, shipped_text
from tests.app.web.people import Person, a_person
from tests.journeys.browsing import NEEDS_BROWSER, PHONE, browsing, is_well
from tests.journeys.shop import Shop, charged_twice

pytestmark = [pytest.mark.journey, NEEDS_BROWSER]
DESK: Any = {"width": 1280, "height": 900}


async def an_ops_lead(shop: Shop, name: str) -> Person:
    person = await a_person(
        shop.database.tenant, shop.tenant, Role.OPS_LEAD, email=f"{name}@shop.example", now=shop.clock.now()
    )
    async with shop.database.tenant(shop.tenant) as session:
        (await session.get_one(type(person.account), (shop.tenant, person.account.account_id))).name = name.capitalize()
    return person


async def decides(shop: Shop) -> str:
    async with shop.database.tenant(shop.tenant) as session:
        return str((await deciding(session, shop.tenant)).published)


async def alone_up_to(shop: Shop, tier: str = "auto") -> int:
    async with shop.database.tenant(shop.tenant) as session:
        policy = await load_policy(session, shop.tenant, await decides(shop))
    return dict(policy.tiers[tier].at_most or {})["usd"]


def at(shop: Shop) -> str:
    return str(shop.web.base_url).rstrip("/")


def moved_cases(cases: str) -> str:
    """The cases with their bound where the new version has it."""
    was = "{name: 50.01 USD, situation: duplicate, with: {action.amount_minor: 5001}"
    assert was in cases
    return cases.replace(was, "{name: 60.01 USD, situation: duplicate, with: {action.amount_minor: 6001}")


async def test_a_threshold_is_moved_over_real_refunds_and_published_by_two_people(shop: Shop) -> None:
    policy = parse_policy(shipped_text(), name="shipped")
    await keep_history(shop.database, shop.tenant, policy, count=800, until=shop.clock.now())
    ada, ben = await an_ops_lead(shop, "ada"), await an_ops_lead(shop, "ben")
    before = await decides(shop)
    async with browsing(at(shop), locale="en-US") as browser:
        page = browser.page
        await page.set_viewport_size(DESK)
        await browser.is_for(ada)
        await browser.opens(f"/t/{shop.tenant}/thresholds")
        figures = page.locator("#figures")
        await expect(figures).to_contain_text("as it is now")
        await page.get_by_label("Auto up to").focus()
        for _ in range(2):
            await page.keyboard.press("ArrowRight")
        await expect(figures).to_contain_text("pays more alone: needs a second person")
        await page.get_by_label("Amount, USD").fill("60")
        await expect(figures.locator(".moved")).to_contain_text("$50.00 → $60.00")
        await expect(figures).to_contain_text("asked → alone")
        # What is shown is what the API says, and each ticket leads to its run.
        said = await page.evaluate(
            "() => fetch('/api/v1/thresholds/auto/usd?at_most_minor=6000').then((answer) => answer.json())"
        )
        assert said["turned_tickets"] > 0
        await expect(figures.locator("summary").first).to_contain_text(f"{said['turned_tickets']} ticket")
        assert await figures.locator("tbody a").first.get_attribute("href") == (
            f"/t/{shop.tenant}/runs/{said['turned'][0]['run_id']}"
        )

        await page.get_by_label("Why").fill("people agree up to here")
        await page.get_by_role("button", name="Publish").click()
        # It loosens: stored, and what it still needs is said. Nothing decides otherwise.
        await expect(page.get_by_role("heading", name="It loosens what decides now")).to_be_visible()
        await expect(page.get_by_text("a second person, who did not write it")).to_be_visible()
        await expect(page.locator(".regions")).to_contain_text("50.01 to 60.00 USD")
        await expect(page.get_by_role("button", name="Approve as the second person")).to_have_count(0)
        assert await decides(shop) == before
        version = page.url.partition("?")[0].removeprefix(browser.url)
        # The bound is moved on purpose, so the cases at it expect otherwise; the others still hold.
        await page.get_by_text("The cases that it must answer as expected").click()
        cases = (library() / "refunds.cases.yaml").read_text(encoding="utf-8")
        await page.locator("#cases").fill(moved_cases(cases))
        await page.get_by_role("button", name="Run the gates").click()
        await expect(page.locator(".checks")).to_contain_text("gate cases passed")
        await expect(page.locator(".checks")).to_contain_text("gate analysis passed")

        await browser.is_for(ben)
        await browser.opens(version)
        await page.get_by_label("Why").fill("I looked at the tickets that change")
        await page.get_by_role("button", name="Approve as the second person").click()
        await expect(page.locator(".checks")).to_contain_text("approved by Ben")
        assert await decides(shop) == before
        await page.get_by_label("Why").fill("as agreed")
        await page.get_by_role("button", name="Publish").click()
        await expect(page.get_by_text("This version decides since")).to_be_visible()
        assert await alone_up_to(shop) == 6000
        # Only the one number of the file is another one.
        file = await page.locator(".lines").last.text_content()
        assert file == shipped_text().replace("at_most: {usd: 50,", "at_most: {usd: 60,", 1)

        # Back in one action, by one person.
        await browser.opens(f"/t/{shop.tenant}/policy")
        await page.get_by_text("Roll back in one action").click()
        await page.locator("#why-back").fill("an exercise")
        await page.get_by_role("button", name="Let the version before decide again").click()
        await expect(page.get_by_text("It decides from now on.")).to_be_visible()
        assert await decides(shop) == before

        # One intent of one segment gets an amount of its own, which is lower, so nobody else is needed.
        await browser.opens(f"/t/{shop.tenant}/thresholds?intent=duplicate_charge&segment=vip&at_most=20")
        await expect(figures.locator(".moved")).to_contain_text("$50.00 → $20.00")
        await expect(page.get_by_text("a tier of their own")).to_contain_text("auto-duplicate_charge-vip")
        await page.get_by_label("Why").fill("vips wrote to the shop")
        await page.get_by_role("button", name="Publish").click()
        await expect(page.get_by_role("status")).to_be_visible()
        await expect(figures.locator(".moved")).to_contain_text("as it is now")
        assert (await alone_up_to(shop), await alone_up_to(shop, "auto-duplicate_charge-vip")) == (5000, 2000)
        # People decide for wholesale, so no amount can be moved there, and the page says so.
        await browser.opens(f"/t/{shop.tenant}/thresholds?of=auto.usd&intent=duplicate_charge&segment=wholesale")
        await expect(page.get_by_text("lines of the matrix overlap")).to_be_visible()
        await expect(page.get_by_role("button", name="Publish")).to_have_count(0)
    told = [
        row["kind"] for row in await shop.rows("SELECT kind FROM audit_event WHERE kind LIKE 'policy.%' ORDER BY seq")
    ]
    assert told[1:] == [
        "policy.drafted",
        "policy.gate",
        "policy.gate",
        "policy.approved",
        "policy.published",
        "policy.rolled_back",
        "policy.drafted",
        "policy.published",
    ]
    await shop.balanced()


async def types_over(page: Page, was: str, becomes: str) -> None:
    """Mark the first `was` of the policy's text, and type something else instead."""
    await page.locator("#text").evaluate(
        "(area, was) => { const at = area.value.indexOf(was);"
        " area.focus(); area.setSelectionRange(at, at + was.length); }",
        was,
    )
    await page.keyboard.insert_text(becomes)


async def test_a_broken_edit_never_publishes_and_loses_nothing(shop: Shop) -> None:
    ada = await an_ops_lead(shop, "ada")
    before = await decides(shop)
    async with browsing(at(shop), locale="en-US") as browser:
        page = browser.page
        await page.set_viewport_size(DESK)
        await browser.is_for(ada)
        await browser.opens(f"/t/{shop.tenant}/policy")
        text = page.locator("#text")
        published = await text.input_value()
        assert published.strip() == shipped_text().strip()
        # While it is typed, the error stands at its line; the button then stores nothing, and the text is still there.
        broken = published.replace("effect: allow", "effect: alow", 1)
        line = broken[: broken.index("effect: alow")].count("\n") + 1
        await types_over(page, "effect: allow", "effect: alow")
        problem = page.locator(".problems li").first
        await expect(problem).to_contain_text(f"Line {line}, column")
        await expect(problem).to_contain_text("did you mean allow?")
        await expect(page.locator(".gutter .wrong")).to_have_text(f"{line}\n")
        await page.get_by_role("button", name="Store as a draft").click()
        await expect(page.get_by_role("alert")).to_contain_text("Nothing was stored")
        assert (await text.input_value()).strip() == broken.strip()
        assert browser.complaints.pop().startswith("Failed to load resource: the server responded with a status of 422")
        # A window that is left and opened again still has it.
        await browser.opens(f"/t/{shop.tenant}/policy")
        await page.get_by_role("button", name="Show it").click()
        assert (await text.input_value()).strip() == broken.strip()

        # A number is changed in its field: the text changes at this one place, and checking says what that means.
        await types_over(page, "effect: alow", "effect: allow")
        await expect(page.locator(".problems")).to_have_count(0)
        field = page.locator("input[name='v.autonomy.tiers.auto.at_most.usd']")
        await field.fill("40")
        await field.press("Tab")
        await expect(text).to_have_value(published.replace("at_most: {usd: 50,", "at_most: {usd: 40,", 1))
        await page.get_by_role("button", name="Check").click()
        await expect(page.get_by_role("heading", name="What changes, case by case")).to_be_visible()
        await expect(page.locator(".regions .way").first).to_have_text("tightens")
        assert [row["state"] for row in await shop.rows("SELECT state FROM policy_version")] == ["published"]
        # What tightens needs nobody else.
        await page.get_by_role("button", name="Store as a draft").click()
        await expect(page.get_by_text("what loosens nothing needs nobody else")).to_be_visible()
        await page.get_by_label("Why").fill("a quiet week")
        await page.get_by_role("button", name="Publish").click()
        await expect(page.get_by_text("This version decides since")).to_be_visible()
        assert await alone_up_to(shop) == 4000
    assert await decides(shop) != before
    await shop.balanced()


async def test_switching_refunds_off_stops_a_held_one_and_another_window_shows_it_unasked(shop: Shop) -> None:
    ada = await an_ops_lead(shop, "ada")
    ticket = await shop.arrives(charged_twice())
    async with browsing(at(shop), locale="en-US") as browser:
        page = browser.page
        await page.set_viewport_size(DESK)
        await browser.is_for(ada)
        await browser.opens(f"/t/{shop.tenant}/controls")
        refunds = page.locator("[data-tool='stripe.refund']")
        await expect(refunds).to_contain_text("1 held in 1 run · $24.90")
        beside = await browser.context.new_page()
        await beside.goto(page.url)
        await refunds.locator("summary").click()
        await refunds.get_by_label("Why").fill("Stripe looks wrong")
        await refunds.get_by_role("button", name="Switch off").click()
        await expect(beside.locator("[data-tool='stripe.refund'] .state")).to_have_text("off")
        await expect(page.get_by_role("status")).to_have_text("Refunds: off. 1 held effect was stopped.")
        await expect(refunds).to_contain_text("by Ada: Stripe looks wrong")
        await expect(refunds).to_contain_text("Nothing is held")
        (effect,) = await shop.rows("SELECT state, reason FROM effect WHERE kind = 'refund'")
        assert effect == {"state": "stopped", "reason": "switched_off"}
        await shop.work()
        assert await shop.outcome(ticket) == ("handed_off", "kill_switch")

        await refunds.locator("summary").click()
        await refunds.get_by_label("Why").fill("it was a rumour")
        await refunds.get_by_role("button", name="Switch on").click()
        await expect(refunds.locator(".state")).to_have_text("on")
        await expect(refunds).to_contain_text("On again")
        await beside.close()

        await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        for path in ("controls", "thresholds", "policy", f"policy/{await decides(shop)}"):
            await browser.opens(f"/t/{shop.tenant}/{path}")
            await is_well(page)
    assert shop.refunds() == []
    told = await shop.rows("SELECT kind, actor FROM audit_event WHERE kind LIKE 'switch.%' ORDER BY seq")
    assert told == [{"kind": kind, "actor": ada.account.actor} for kind in ("switch.off", "switch.on")]
    await shop.balanced()
