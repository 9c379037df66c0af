"""The page of measures at a real browser: cut, filtered, explained and taken as a file, in light, dark and by phone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from app.db import Database
from app.measures.keeping import rebuild
from connectors.sandbox.server import RunningServer
from evals.measures_check.comparison import fill
from evals.measures_check.month import Month
from tests.app.web.door import TENANT
from tests.app.web.people import a_person
from tests.journeys.browsing import NEEDS_BROWSER, PHONE, browsing, is_well
from tests.journeys.test_browser import app, web

__all__ = ["app", "web"]
pytestmark = [NEEDS_BROWSER, pytest.mark.journey]


async def test_measures_are_cut_filtered_and_explained(database: Database, web: RunningServer) -> None:
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=29)
    await fill(database.tenant, TENANT, Month(80, 6, start=start, days=29), print)
    await rebuild(database.tenant, TENANT)
    async with browsing(web.url) as browser:
        await browser.is_for(await a_person(database.tenant, TENANT))
        page = browser.page
        await page.set_viewport_size({"width": 1280, "height": 900})
        await browser.opens(f"/t/{TENANT}/queue")
        await page.get_by_role("link", name="Measures").click()
        await expect(page.get_by_role("heading", name="From request to outcome")).to_be_visible()
        await page.get_by_role("link", name="Quality floor").first.click()
        await expect(page.locator("dt:target")).to_have_text("Quality floor")
        await page.get_by_label("Cut by").select_option("segment")
        await page.get_by_role("button", name="Show").click()
        await page.get_by_role("link", name="vip").click()
        await expect(page.get_by_label("Only segment")).to_have_value("vip")
        await expect(page.locator(".cut tbody tr")).to_have_count(1)
        async with page.expect_download() as download:
            await page.get_by_role("link", name="All figures as CSV").click()
        assert (await download.value).suggested_filename.endswith(".csv")
        await is_well(page)
        await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        await is_well(page)
