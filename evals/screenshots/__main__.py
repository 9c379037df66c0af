"""`python -m evals.screenshots [FOLDER]`: boot a demo, let its tickets come to rest, and take pictures of its pages.

Light and dark, by Chromium. What is seen is what the product made of the demo's stories; nothing is drawn by hand.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from playwright.async_api import Page, async_playwright

FOLDER: Final = Path("docs/screenshots")
TICKETS: Final = 24
SEED: Final = 7
BOOT_S: Final = 600
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDE: Final = {"width": 1360, "height": 900}
Scheme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Shop:
    """A demo that runs: where its pages are, and the link that signs in once."""

    url: str
    door: str
    tenant: str = "demo"


def main(folder: Annotated[Path, typer.Argument(help="Where the pictures go.")] = FOLDER) -> None:
    """Take every picture, light and dark."""
    if CHROMIUM is None:
        raise SystemExit("no Chromium here; `apt-get install chromium`")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cs-shots-") as data, _demo(Path(data)) as shop:
        asyncio.run(_take(shop, folder))


@contextmanager
def _demo(data: Path) -> Iterator[Shop]:
    """The demo as a process of its own; it prints the link when its tickets have come to rest."""
    environment = {**os.environ, "COUNTERSIGN_DATA_DIR": str(data), "COLUMNS": "400"}
    command = [sys.executable, "-m", "app.main", "demo", "--tickets", str(TICKETS), "--seed", str(SEED)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)  # noqa: S603 - our own command
    try:
        yield _shop(process)
    finally:
        process.terminate()
        process.wait(30)


def _shop(process: subprocess.Popen[str]) -> Shop:
    assert process.stdout is not None
    for line in process.stdout:
        for word in line.split():
            if word.startswith("http://127.0.0.1:") and "/demo/" in word:
                return Shop(word.partition("/t/")[0], word)
    raise SystemExit("the demo ended before it printed a link; run `countersign demo` and see why")


async def _take(shop: Shop, folder: Path) -> None:
    async with _browser() as page:
        await page.goto(shop.door)
        runs = await _runs(page, shop)
        refunded = next(run for run in runs if run["outcome"] == "resolved" and _moves_money(run))
        pages = {
            "queue": f"/t/{shop.tenant}/queue?view=mine",
            "trace": f"/t/{shop.tenant}/runs/{refunded['run_id']}/trace",
        }
        schemes: tuple[Scheme, ...] = ("light", "dark")
        for name, path in pages.items():
            for scheme in schemes:
                await page.emulate_media(color_scheme=scheme)
                await page.goto(f"{shop.url}{path}")
                await page.screenshot(path=folder / f"{name}-{scheme}.png")
                sys.stdout.write(f"{folder / f'{name}-{scheme}.png'}\n")


async def _runs(page: Page, shop: Shop) -> list[dict[str, object]]:
    answer = await page.request.get(f"{shop.url}/api/v1/runs?limit=200", headers={"accept": "application/json"})
    listed: list[dict[str, object]] = json.loads(await answer.text())["items"]
    return listed


def _moves_money(run: dict[str, object]) -> bool:
    details = run["countersign"]
    assert isinstance(details, dict)
    return any(action.get("kind") == "refund" for action in details["actions"])


@asynccontextmanager
async def _browser() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        flags = ["--no-sandbox"] if os.getuid() == 0 else []
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        context = await chromium.new_context(viewport=WIDE)  # type: ignore[arg-type]
        yield await context.new_page()
        await chromium.close()


if __name__ == "__main__":
    typer.run(main)
