"""The queue by keyboard and the trace, at a real browser: what a reviewer's hands do all day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import expect

from app.db import Database
from app.identity.roles import Role
from connectors.sandbox.server import RunningServer
from tests.app.waiting.questions import a_question
from tests.app.web.door import TENANT, Door
from tests.app.web.people import a_person
from tests.app.web.waiting import EVIL
from tests.journeys.browsing import is_well
from tests.journeys.test_browser import PHONE, Browser, app, browser, pytestmark, web

__all__ = ["app", "browser", "pytestmark", "web"]


@pytest.fixture
async def desk(
    database: Database, app: FastAPI, web: RunningServer, browser: Browser, tmp_path: Path
) -> AsyncIterator[Door]:
    """A lead at the browser, and three questions, one of a hostile customer."""
    lead = await a_person(database.tenant, TENANT, Role.CS_LEAD, Role.ADMIN)
    cookies = [{"name": name, "value": value, "url": web.url} for name, value in lead.cookies.items()]
    await browser.page.context.add_cookies(cookies)  # type: ignore[arg-type]
    async with httpx.AsyncClient(base_url=web.url, trust_env=False) as client:
        door = Door(client, app, database)
        for number, customer in enumerate(("Ana Ruiz", "Ben Cole", EVIL), start=1):
            await a_question(door, tmp_path, number, customer=customer, amount_minor=1000 * number)
        yield door


async def states(desk: Door) -> dict[str, str]:
    rows = await desk.rows("SELECT approval_id, state FROM approval")
    return {row["approval_id"]: row["state"] for row in rows}


async def test_a_queue_is_worked_by_keyboard_alone(browser: Browser, desk: Door) -> None:
    page = browser.page
    await browser.opens(f"/t/{TENANT}/queue")
    chosen, heading = page.locator("tr.chosen a.open"), page.get_by_role("heading", name="A person must decide")
    await expect(chosen).to_have_text("1")
    await page.keyboard.press("j")
    await expect(chosen).to_have_text("2")
    await page.keyboard.press("k")
    await expect(chosen).to_have_text("1")
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()
    await page.keyboard.press("c")
    await expect(page.get_by_text("You have it until")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator("#card")).to_be_focused()

    # The letter alone moves no money; the button says how much, and Enter presses it.
    await page.keyboard.press("a")
    await expect(page.get_by_role("button", name="Approve $10.00")).to_be_focused()
    assert set((await states(desk)).values()) == {"pending"}
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Approved")
    await expect(chosen).to_have_text("2")
    assert (await states(desk))["apr_1"] == "approved"

    # A no asks for its reason first; what is typed into a field is text and no key.
    await page.keyboard.press("r")
    await page.keyboard.type("The amount")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Reject")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(chosen).to_have_text("3")
    (row,) = await desk.rows("SELECT state, reason_code FROM approval WHERE approval_id = 'apr_2'")
    assert row == {"state": "rejected", "reason_code": "wrong_amount"}

    await page.keyboard.press("/")
    await page.keyboard.type("jjj")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Nothing that waits is like this")).to_be_visible()
    await expect(heading).to_have_count(0)


@pytest.mark.usefixtures("desk")
async def test_a_hostile_name_is_text_and_every_page_of_the_desk_is_for_everybody_and_any_width(
    browser: Browser,
) -> None:
    page = browser.page
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    pages = ("queue", "runs/run_3/trace?step=0&again=1", "runs", "runs/run_3", "accounts", "account", "tickets/3")
    for path in pages:
        await browser.opens(f"/t/{TENANT}/{path}")
        await is_well(page)
        assert await page.locator("main script, main img").count() == 0
    await browser.opens(f"/t/{TENANT}/queue?item=apr_3")
    assert EVIL[:25] in await page.inner_text("main")


@pytest.mark.usefixtures("desk")
async def test_a_trace_is_walked_and_copied(browser: Browser) -> None:
    page = browser.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await browser.opens(f"/t/{TENANT}/runs/run_1/trace")
    await expect(page.get_by_role("heading", name="Waits for a person")).to_be_visible()
    await expect(page.locator(".proof")).to_contain_text("Not signed yet")
    await page.get_by_role("button", name="Copy as JSON").click()
    await expect(page.locator("[data-said]")).to_have_text("Copied.")
    copied = await page.evaluate("() => navigator.clipboard.readText().then(JSON.parse)")
    assert copied["run_id"] == "run_1"
    assert [step["name"] for step in copied["steps"]] == ["approval.requested"]
