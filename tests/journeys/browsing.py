"""A real browser for the journeys: one page, everything that it complained about, and who sits at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from tests.app.web.people import Person

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
IS_REQUIRED = os.environ.get("REQUIRE_BROWSER") == "1"
"""Set by `.ci/run`, so that a missing browser is a failure there and not a test that is left out."""
NEEDS_BROWSER = pytest.mark.skipif(
    CHROMIUM is None and not IS_REQUIRED, reason="no Chromium here; `apt-get install chromium`"
)
PATIENCE_MS = 20_000
"""A busy machine may take long for a page; nothing here waits so long where it is not."""
expect.set_options(timeout=PATIENCE_MS)
PHONE = {"width": 360, "height": 780}
SIDEBAR = {"width": 320, "height": 900}


@dataclass
class Browser:
    """One page of a browser, and everything that it complained about."""

    context: BrowserContext
    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    async def opens(self, path: str) -> None:
        await self.page.goto(f"{self.url}{path}")

    async def is_for(self, person: Person) -> None:
        """From now on that person sits at it."""
        cookies = [{"name": name, "value": value, "url": self.url} for name, value in person.cookies.items()]
        await self.context.add_cookies(cookies)  # type: ignore[arg-type]  # Playwright's own dictionaries


async def is_well(page: Page) -> None:
    """Nothing serious for who uses a screen reader, in light and dark, and nothing wider than the page."""
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        await page.emulate_media(color_scheme=scheme)
        only = {} if scheme == "light" else {"runOnly": ["color-contrast"]}
        found = (await Axe().run(page, options=only)).response["violations"]
        serious = [one for one in found if one["impact"] in {"serious", "critical"}]
        assert [(page.url, scheme, one["id"], one["nodes"][0]["html"]) for one in serious] == []
    wide = await page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{page.url} is {wide} px wider than its window"


@asynccontextmanager
async def browsing(url: str, **context: object) -> AsyncIterator[Browser]:
    """A browser that fails the test if its console has an error, or a dialog opens."""
    async with async_playwright() as playwright:
        flags = ["--no-sandbox"] if os.getuid() == 0 else []
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        within = await chromium.new_context(viewport=SIDEBAR, **context)  # type: ignore[arg-type]
        opened = Browser(within, await within.new_page(), url)
        opened.page.on("dialog", lambda dialog: opened.complaints.append(f"a script ran: {dialog.message}"))
        opened.page.on("console", lambda said: opened.complaints.append(said.text) if said.type == "error" else None)
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.set_default_timeout(PATIENCE_MS)
        yield opened
        await chromium.close()
    assert opened.complaints == []
