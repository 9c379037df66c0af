"""Rows `panel`: how soon a reviewer sees something, how much it weighs, and how many may watch at once.

The web process is `countersign serve` on its own, over HTTP on loopback, with 10,000 runs in PostgreSQL. The first
content is the page with the card in it. Its weight is every byte a browser fetches for it. Then as many panels as
stated are open at once; runs change, and what counts is how long until each panel has been told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import httpx

from app.ambient import new_id, vault_of
from app.db import Database
from app.identity.roles import Role
from app.settings import machine_clock
from evals.bench.panel_runs import fill, furnish
from evals.bench.place import TENANT, Place, cpu_s, opened_place, web, web_process
from evals.bench.reader import reading, signed_in_reader
from evals.bench.rows import Row, Sample, percentile
from graph.audit.log import append
from graph.rulebook import publish
from policies.shelf import shipped_text

FIRST_CONTENT_GOAL_MS: Final = 300.0
WEIGHT_GOAL_KB: Final = 150.0
TOLD_GOAL_MS: Final = 2000.0
MEMORY_GOAL_MB: Final = 250.0
WATCHING: Final = 200
LOOKED_AT: Final = 200
STREAM: Final = {"Accept": "text/event-stream"}
AT_ONCE: Final = 4
"""Reviewers who open a panel in the same moment."""


def panel(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """First content, weight, and live panels."""
    runs, rounds = (1_000, 2) if is_quick else (10_000, 5)
    with opened_place() as place:
        token = asyncio.run(_filled(place, runs, say))
        with web(place):
            return asyncio.run(_measured(place, token, runs, rounds, say))


async def _filled(place: Place, runs: int, say: Callable[[str], None]) -> str:
    """Runs, and somebody who may read them; the token of their session."""
    database, vault = Database(place.storage.app_url, pool_size=1), vault_of(place.settings)
    try:
        async with database.tenant(TENANT) as session:
            policy_hash = await publish(session, TENANT, shipped_text(), author="bench", now=machine_clock())
        for first in range(1, runs + 1, 500):
            async with database.tenant(TENANT) as session:
                await fill(session, TENANT, policy_hash, first, min(500, runs + 1 - first))
        for ticket in range(1, LOOKED_AT + 1):
            async with database.tenant(TENANT) as session:
                await furnish(session, vault, TENANT, policy_hash, ticket)
        say(f"panel: {runs} runs are in the database")
        return await signed_in_reader(database, Role.CS_LEAD)
    finally:
        await database.close()


async def _measured(place: Place, token: str, runs: int, rounds: int, say: Callable[[str], None]) -> list[Row]:
    async with reading(place, token, at_once=WATCHING + 50) as client:
        for ticket in range(1, 21):
            await _opened(client, ticket)
        firsts, began_s = [], cpu_s()
        for number in range(rounds):
            firsts.append(1000 * percentile(await _all_opened(client), 0.95))
            say(f"panel round {number + 1} of {rounds}: first content {firsts[-1]:.0f} ms at the 95th percentile")
        cpu_ms = 1000 * (cpu_s() - began_s) / (rounds * LOOKED_AT)
        weight = await _weight(client)
        told, web_mb = await _live(place, client, say)
    parts = {"runs": float(runs), "reviewers_at_once": float(AT_ONCE), "web_cpu_ms_a_page": cpu_ms}
    return [
        Row(
            "panel first content p95", Sample.of(firsts), "ms", None, FIRST_CONTENT_GOAL_MS, is_limit=True, parts=parts
        ),
        Row("panel weight", Sample.of([weight]), "kB", None, WEIGHT_GOAL_KB, is_limit=True),
        Row(
            f"panel told p95 of {WATCHING} live",
            Sample.of([told]),
            "ms",
            None,
            TOLD_GOAL_MS,
            is_limit=True,
        ),
        Row(f"panel web memory, {WATCHING} live", Sample.of([web_mb]), "MB", None, MEMORY_GOAL_MB, is_limit=True),
    ]


async def _opened(client: httpx.AsyncClient, ticket: int) -> float:
    """Seconds until the whole page of a ticket has come."""
    started = time.perf_counter()
    answer = await client.get(f"/t/{TENANT}/tickets/{ticket}")
    if answer.status_code != httpx.codes.OK or "Waiting for you" not in answer.text:
        raise RuntimeError(f"the panel of ticket {ticket} has no card: {answer.status_code}")
    return time.perf_counter() - started


async def _all_opened(client: httpx.AsyncClient) -> list[float]:
    """The seconds of every ticket that is looked at, a few at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(ticket: int) -> float:
        async with gate:
            return await _opened(client, ticket)

    return list(await asyncio.gather(*(one(ticket) for ticket in range(1, LOOKED_AT + 1))))


async def _weight(client: httpx.AsyncClient) -> float:
    """Kilobytes of the page and of all that it names."""
    parts = [f"/t/{TENANT}/tickets/1", "/style.css", "/panel.css", "/panel.js", "/looking.js", "/icon.svg"]
    return sum([len((await client.get(part)).content) for part in parts]) / 1000


async def _live(place: Place, client: httpx.AsyncClient, say: Callable[[str], None]) -> tuple[float, float]:
    """Milliseconds at the 95th percentile from a change to its panel's being told, and the web process's megabytes."""
    changed: dict[int, float] = {}
    told: dict[int, float] = {}
    watching = asyncio.Event()
    open_ones = 0

    async def watch(ticket: int) -> None:
        nonlocal open_ones
        async with client.stream("GET", f"/t/{TENANT}/tickets/{ticket}/live", headers=STREAM) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data:"):
                    continue
                if ticket not in changed:
                    open_ones += 1
                    if open_ones == WATCHING:
                        watching.set()
                    continue
                told[ticket] = time.perf_counter()
                return

    tasks = [asyncio.create_task(watch(ticket)) for ticket in range(1, WATCHING + 1)]
    await asyncio.wait_for(watching.wait(), 30)
    database = Database(place.storage.app_url, pool_size=1)
    try:
        await asyncio.sleep(1.5)
        for ticket in range(1, WATCHING + 1):
            async with database.tenant(TENANT) as session:
                await append(
                    session,
                    tenant_id=TENANT,
                    at=machine_clock(),
                    kind="run.waiting",
                    actor="bench",
                    new_id=new_id,
                    run_id=f"run_{ticket:032x}",
                    ticket_id=str(ticket),
                    body={"for": "review", "on": []},
                )
            changed[ticket] = time.perf_counter()
        await asyncio.wait_for(asyncio.gather(*tasks), 30)
    finally:
        await database.close()
    waits = [1000 * max(0.0, told[ticket] - changed[ticket]) for ticket in changed]
    web_mb = web_process().memory_info().rss / 1e6
    say(f"panel: the slowest of {WATCHING} was told after {max(waits):.0f} ms; the web process has {web_mb:.0f} MB")
    return percentile(waits, 0.95), web_mb
