"""Takes the pictures of the pages that the README shows, of a real shop at a real browser, in light and in dark.

Not collected with the other tests. To make them anew, and then look at them:

    PICTURES=docs/screenshots python -m pytest -q -n 0 tests/journeys/pictures.py
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from app.alerts.raising import look
from app.alerts.rules import RULES
from app.ambient import new_id
from app.db import Database
from app.demo.stories import demo_settings
from app.identity.accounts import Act
from app.identity.models import Account
from app.listening import free_port
from app.log_keys import load_signer
from app.measures.keeping import rebuild
from app.tenants import MeasuresSettings
from app.web.app import create_app
from connectors.sandbox.faults import FaultKind
from connectors.sandbox.server import serve
from evals.bench.kept_history import keep_history, keep_runs
from evals.measures_check.comparison import fill
from evals.measures_check.month import Month
from graph.audit.sequence import sequence
from kb.ingest import ingest
from kb.sources import read_documents
from policies.parse import parse_policy
from policies.shelf import shipped_text
from tests.app.web.door import TENANT
from tests.app.web.door import settings_of as web_settings
from tests.app.web.people import a_person, signed_in
from tests.journeys.browsing import NEEDS_BROWSER, Browser, browsing
from tests.journeys.shop import Shop, charged_twice
from tests.journeys.test_console import types_over

pytestmark = [NEEDS_BROWSER, pytest.mark.timeout(600)]
FOLDER = Path(os.environ.get("PICTURES", ""))


@pytest.fixture(autouse=True)
def _asked_for() -> None:
    if not os.environ.get("PICTURES"):
        pytest.skip("say where the pictures go: PICTURES=docs/screenshots")
    FOLDER.mkdir(parents=True, exist_ok=True)


async def knows_its_policy(shop: Shop) -> None:
    """The shop's documents are ingested, so that clauses are quoted."""
    folder = Path(str(files("kb.library") / "demo-shop"))
    async with shop.database.tenant(shop.tenant) as session:
        await ingest(
            session,
            tenant_id=shop.tenant,
            source="demo-shop",
            documents=list(read_documents(folder)),
            embed=shop.runtime.embed,
            now=shop.clock.now(),
        )


async def taken(page: Page, name: str) -> None:
    """The page in light and in dark."""
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        await page.emulate_media(color_scheme=scheme)
        await page.wait_for_timeout(150)
        await page.screenshot(path=FOLDER / f"{name}-{scheme}.png", animations="disabled")


async def at_the_browser(shop: Shop, browser: Browser) -> None:
    await browser.is_for(await signed_in(shop.database.tenant, shop.reviewer, shop.clock.now()))


async def test_the_panel(shop: Shop) -> None:
    await knows_its_policy(shop)
    ticket = await shop.arrives(charged_twice("64.90"))
    async with browsing(
        str(shop.web.base_url).rstrip("/"), locale="en-US", timezone_id="America/New_York", device_scale_factor=2
    ) as browser:
        await at_the_browser(shop, browser)
        page = browser.page
        await page.set_viewport_size({"width": 360, "height": 1180})
        await browser.opens(f"/t/{shop.tenant}/tickets/{ticket}")
        await expect(page.get_by_text("Waiting for you")).to_be_visible()
        await taken(page, "panel")
        held = await shop.arrives(charged_twice("24.90"))
        await browser.opens(f"/t/{shop.tenant}/tickets/{held}")
        await expect(page.get_by_text("Held: can still be stopped")).to_be_visible()
        await page.set_viewport_size({"width": 360, "height": 760})
        await taken(page, "panel-hold")


async def test_the_panel_in_zendesk(shop: Shop) -> None:
    await knows_its_policy(shop)
    ticket = await shop.arrives(charged_twice("64.90"))
    async with shop.database.tenant(shop.tenant) as session:
        account = await session.get_one(Account, (shop.tenant, shop.reviewer.account_id))
        account.zendesk_user_id = str(shop.sandbox.doubles.agent_id())
    async with browsing(shop.vendor_url, locale="en-US", timezone_id="America/New_York") as browser:
        page = browser.page
        await page.set_viewport_size({"width": 1120, "height": 980})
        await browser.opens(f"/agent/tickets/{ticket}")
        await expect(page.frame_locator("iframe").get_by_text("Waiting for you")).to_be_visible()
        await taken(page, "zendesk")


async def test_the_queue_and_the_trace(shop: Shop) -> None:
    await knows_its_policy(shop)
    for setting in demo_settings(12, 7):
        await shop.arrives(setting)
    refunded = await shop.arrives(charged_twice("24.90"))
    await shop.passes(minutes=11)
    await shop.looks_out()
    await shop.arrives(charged_twice("19.90"))
    async with shop.database.tenant(shop.tenant) as session:
        await sequence(session, shop.tenant, load_signer(shop.settings), at_once=True)
    async with browsing(str(shop.web.base_url).rstrip("/"), locale="en-US", timezone_id="America/New_York") as browser:
        await at_the_browser(shop, browser)
        page = browser.page
        await page.set_viewport_size({"width": 1280, "height": 900})
        await browser.opens(f"/t/{shop.tenant}/queue")
        await expect(page.get_by_role("heading", name="Queue")).to_be_visible()
        await taken(page, "queue")
        run = await shop.run(refunded)
        await browser.opens(f"/t/{shop.tenant}/runs/{run['run_id']}/trace")
        await expect(page.locator(".proof")).to_contain_text("Verified")
        await taken(page, "trace")


async def something_wrong(shop: Shop) -> None:
    """Stripe answers nothing for a while, and the look-out of alerts sees it."""
    shop.goes_wrong("stripe.customers.*", FaultKind.FORBIDDEN, times=100)
    for number in range(4):
        await shop.arrives(charged_twice(customer={"email": f"c{number}@customers.example", "name": "Cy Roth"}))
    rules = {**RULES, "connector_errors": replace(RULES["connector_errors"], least=3)}
    for name in ("connector_errors", "draft_only"):
        async with shop.database.tenant(shop.tenant) as session:
            await look(session, shop.tenant, rules[name], Act("alerts", shop.clock.now(), new_id))


async def test_the_ops_leads_pages(shop: Shop) -> None:
    await knows_its_policy(shop)
    policy = parse_policy(shipped_text(), name="shipped")
    history = await keep_history(shop.database, shop.tenant, policy, count=4000, until=shop.clock.now())
    await keep_runs(shop.database, shop.tenant, history)
    await shop.arrives(charged_twice("24.90"))
    async with browsing(str(shop.web.base_url).rstrip("/"), locale="en-US", timezone_id="America/New_York") as browser:
        await at_the_browser(shop, browser)
        page = browser.page
        await page.set_viewport_size({"width": 1280, "height": 1000})
        await browser.opens(f"/t/{shop.tenant}/thresholds?of=auto.usd&at_most=60")
        await expect(page.locator("#figures")).to_contain_text("$60.00")
        await taken(page, "thresholds")
        await page.get_by_label("Why").fill("people agree up to here")
        await page.get_by_role("button", name="Keep as a draft").click()
        await expect(page.get_by_role("heading", name="It loosens what decides now")).to_be_visible()
        await taken(page, "policy-version")
        await browser.opens(f"/t/{shop.tenant}/policy")
        await types_over(page, "mode: auto", "mode: automatic")
        await expect(page.locator(".problems")).to_be_visible()
        await page.locator(".problems a").first.click()
        await taken(page, "policy")
        await browser.opens(f"/t/{shop.tenant}/controls")
        await expect(page.locator("[data-tool='stripe.refund']")).to_contain_text("1 held")
        await page.locator("[data-tool='stripe.refund'] summary").click()
        await page.locator("[data-tool='stripe.refund']").get_by_label("Why").fill("Stripe looks wrong")
        await taken(page, "controls")
        await browser.opens(f"/t/{shop.tenant}/autonomy")
        await page.get_by_role("button", name="Look again").click()
        await expect(page.locator(".heat").first).to_be_visible()
        await taken(page, "autonomy")
        await browser.opens(f"/t/{shop.tenant}/connectors")
        await page.get_by_role("button", name="Check them now").click()
        await taken(page, "connectors")
        await browser.opens(f"/t/{shop.tenant}/corrections")
        await expect(page.get_by_text("rejected").first).to_be_visible()
        await taken(page, "corrections")
        await something_wrong(shop)
        await browser.opens(f"/t/{shop.tenant}/alerts")
        await expect(page.get_by_role("region", name="Alert").first).to_be_visible()
        await taken(page, "alerts")
        await page.set_viewport_size({"width": 360, "height": 780})
        for path in ("thresholds?of=auto.usd&at_most=60", "controls", "autonomy", "alerts"):
            await browser.opens(f"/t/{shop.tenant}/{path}")
            name = f"{path.partition('?')[0]}-phone.png"
            await page.screenshot(path=FOLDER / name, animations="disabled")


async def test_the_measures(database: Database, database_url: str, tmp_path: Path) -> None:
    settings = web_settings(tmp_path)
    prices = MeasuresSettings(
        machine_hour_usd_cents=12, human_hour_usd_cents=3000, review_minutes=2, hand_off_minutes=7
    )
    tenant = settings.tenants[TENANT].model_copy(update={"measures": prices})
    settings = settings.model_copy(update={"tenants": {TENANT: tenant}, "port": free_port()})
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=29)
    await fill(database.tenant, TENANT, Month(1500, 8, start=start, days=29), print)
    await rebuild(database.tenant, TENANT)
    with serve(create_app(settings, database_url), port=settings.port) as door:
        async with browsing(door.url) as browser:
            await browser.is_for(await a_person(database.tenant, TENANT))
            await browser.page.set_viewport_size({"width": 1280, "height": 1500})
            await browser.opens(f"/t/{TENANT}/measures")
            await expect(browser.page.get_by_role("heading", name="Measures", exact=True)).to_be_visible()
            await taken(browser.page, "measures")
