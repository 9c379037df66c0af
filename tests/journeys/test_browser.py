"""A person at a real browser: signs in, reads a run, approves, signs out. Needs Chromium; `.ci/run` installs it.

The server is a real one over HTTP, so that cookies, `Origin`, the policy of the page and its nonces are what a browser
makes of them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Page, async_playwright, expect

from app.db import Database
from app.identity.models import Account
from app.identity.passwords import hash_password
from app.web.app import create_app
from connectors.sandbox.server import RunningServer, serve
from tests.app.web.door import TENANT, Door, settings_of
from tests.app.web.people import a_person
from tests.app.web.waiting import EVIL, a_waiting_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
IS_REQUIRED = os.environ.get("REQUIRE_BROWSER") == "1"
"""Set by `.ci/run`, so that a missing browser is a failure there and not a test that is left out."""
PASSWORD = "seven green kettles"
PHONE = {"width": 360, "height": 780}

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(CHROMIUM is None and not IS_REQUIRED, reason="no Chromium here; `apt-get install chromium`"),
]


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> FastAPI:
    return create_app(settings_of(tmp_path), database_url)


@pytest.fixture
def web(app: FastAPI) -> Iterator[RunningServer]:
    with serve(app) as running:
        yield running


@dataclass
class Browser:
    """One page of a browser, and everything that it complained about."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    async def opens(self, path: str) -> None:
        await self.page.goto(f"{self.url}{path}")

    async def signs_in(self, password: str = PASSWORD) -> None:
        await self.page.get_by_label("E-mail address").fill("lead@shop.example")
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()


@pytest.fixture
async def browser(web: RunningServer) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        flags = ["--no-sandbox"] if os.getuid() == 0 else []
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = await chromium.new_page()
        opened = Browser(page, web.url)
        page.on("dialog", lambda dialog: opened.complaints.append(f"a script ran: {dialog.message}"))
        page.on("console", lambda said: opened.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.set_default_timeout(20_000)
        yield opened
        await chromium.close()
    assert opened.complaints == []


@pytest.fixture
async def desk(database: Database, app: FastAPI, web: RunningServer, tmp_path: Path) -> AsyncIterator[Door]:
    """A lead with a password, and a run of a hostile customer that waits for them."""
    lead = await a_person(database.tenant, TENANT)
    async with database.tenant(TENANT) as session:
        account = await session.get_one(Account, (TENANT, lead.account.account_id))
        account.password_hash = hash_password(PASSWORD)
    async with httpx.AsyncClient(base_url=web.url, trust_env=False) as client:
        door = Door(client, app, database)
        await a_waiting_run(door, tmp_path, EVIL)
        yield door


async def test_a_person_signs_in_reads_approves_and_signs_out(browser: Browser, desk: Door) -> None:
    page = browser.page
    await browser.opens("/")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await browser.signs_in()
    await page.get_by_role("link", name="7", exact=True).click()
    await expect(page.locator("blockquote").first).to_have_text(EVIL)
    await page.get_by_role("button", name="Approve and send").click()
    await expect(page.get_by_role("heading", name="Decided by a person")).to_be_visible()
    await expect(page.get_by_text("approved by Lea Lead")).to_be_visible()
    (row,) = await desk.rows("SELECT state, decided_by FROM approval")
    (lead,) = await desk.rows("SELECT account_id FROM account")
    assert row == {"state": "approved", "decided_by": f"account:{lead['account_id']}"}
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_the_words_of_a_customer_stay_text_and_no_script_of_theirs_runs(browser: Browser, desk: Door) -> None:
    await browser.opens(f"/t/{TENANT}/runs/run_1")
    await browser.signs_in()
    for path in (f"/t/{TENANT}/runs", f"/t/{TENANT}/runs/run_1"):
        await browser.opens(path)
        assert EVIL[:25] in await browser.page.inner_text("main")
        for tag in ("script", "img", "svg"):
            assert await browser.page.locator(f"main {tag}").count() == 0
    # And if one ever slipped through, the policy of the page would stop it.
    done = await browser.page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        " document.body.append(s); return window.ran === undefined; }"
    )
    assert done
    assert len(browser.complaints) == 1
    assert "Content Security Policy" in browser.complaints.pop()
    assert (await desk.rows("SELECT state FROM approval"))[0]["state"] == "pending"


async def test_a_phone_and_a_keyboard_are_enough(browser: Browser, desk: Door) -> None:
    page = browser.page
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await browser.opens(f"/t/{TENANT}/runs/run_1")
    await page.keyboard.type("lead@shop.example")  # the first field has the focus
    await page.keyboard.press("Tab")
    await page.keyboard.type("the wrong one")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    browser.complaints.clear()  # the browser notes the 401 of the wrong password
    await page.keyboard.type(PASSWORD)  # the address is still there, and the password has the focus
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Ticket 7")).to_be_visible()
    wide = await page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"the page is {wide} px wider than a phone"
    assert (await desk.rows("SELECT state FROM approval"))[0]["state"] == "pending"
