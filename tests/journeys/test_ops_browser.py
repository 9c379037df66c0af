"""The ops lead's pages at a real browser: a canary that a fault takes back, and its alert from beginning to end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import expect

from app.alerts.raising import look
from app.alerts.rules import RULES
from app.ambient import new_id
from app.db import Database
from app.identity.accounts import Act
from app.identity.roles import Role
from connectors.sandbox.server import RunningServer
from graph.lifecycle.canary import watch_canary
from tests.app.web.door import TENANT, Door
from tests.app.web.people import a_person
from tests.graph.lifecycle.test_canary import canary_of
from tests.graph.lifecycle.test_canary import ran as ran_under
from tests.graph.lifecycle.versions import Office
from tests.journeys.test_browser import PHONE, Browser, app, browser, pytestmark, web

__all__ = ["app", "browser", "pytestmark", "web"]
NOW = datetime.now(UTC)


@pytest.fixture
async def ops(database: Database, app: FastAPI, web: RunningServer, browser: Browser) -> AsyncIterator[Door]:
    """An ops lead at the browser."""
    person = await a_person(database.tenant, TENANT, Role.OPS_LEAD)
    cookies = [{"name": name, "value": value, "url": web.url} for name, value in person.cookies.items()]
    await browser.page.context.add_cookies(cookies)  # type: ignore[arg-type]
    async with httpx.AsyncClient(base_url=web.url, trust_env=False) as client:
        yield Door(client, app, database)


async def looks(ops: Door, rule: str, at: datetime) -> None:
    async with ops.database.tenant(TENANT) as session:
        await look(session, TENANT, RULES[rule], Act("alerts", at, new_id))


async def test_a_fault_takes_the_canary_back_and_its_alert_is_raised_taken_and_resolved(
    browser: Browser, ops: Door
) -> None:
    page, office = browser.page, Office(ops.database, TENANT, moment=NOW)
    stable, canary = await canary_of(office)
    # Stripe refuses what the canary asks for: a quarter of its runs end in an error of the tool.
    await ran_under(office, stable, NOW, *[None] * 60)
    await ran_under(office, canary, NOW, *[None] * 15, *["tool_error"] * 5)
    sessions = partial(ops.database.tenant, TENANT)
    assert await watch_canary(sessions, TENANT, now=NOW, new_id=office.new_id) == "errors"
    await looks(ops, "canary", NOW)

    await browser.opens(f"/t/{TENANT}/alerts")
    await expect(page.get_by_text("1 open")).to_be_visible()
    open_one = page.get_by_role("region", name="Alert")
    await expect(open_one).to_contain_text("more errors: 5 of 20 runs of the canary, 0 of 60 beside it")
    rollbacks = page.get_by_role("heading", name="Canaries that were taken back")
    await expect(rollbacks).to_be_visible()
    await expect(page.locator("ul.steps")).to_contain_text(canary[:12])
    await page.get_by_role("button", name="I look at it").click()
    await expect(open_one).to_contain_text("looks at it since")
    await looks(ops, "canary", NOW + timedelta(days=2))
    await page.reload()
    await expect(page.get_by_text("Nothing is beyond its bound.")).to_be_visible()
    await expect(page.get_by_role("heading", name="Resolved")).to_be_visible()
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    wide = await page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"the page is {wide} px wider than a phone"
