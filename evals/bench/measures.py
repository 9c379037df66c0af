"""Rows `measures`: how soon the page of measures is there with 100,000 runs in the database.

The web process is `countersign serve` on its own, over HTTP on loopback. A generated quarter of 2,000 runs goes
through the log and the fold; its rows are then copied, because the page reads rows and not the log. The page of 30 days
is what people open; the one of 90 days adds up every row there is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import httpx
import psycopg

from app.ambient import new_id, new_token
from app.db import Database
from app.identity import accounts
from app.identity.accounts import Act, NewAccount
from app.identity.roles import Role
from app.identity.sessions import Lifetimes, Way, open_session
from app.measures.keeping import fold_all
from app.settings import machine_clock
from evals.bench.place import TENANT, Place, is_listening, opened_place, process
from evals.bench.rows import Row, Sample, percentile
from evals.measures_check.comparison import fill
from evals.measures_check.month import Month

GOAL_MS: Final = 500.0
DAYS: Final = 90
COPIES: Final = 50
PAGES: Final = {
    "30 days by intent": "measures?days=30&by=intent",
    "all 90 days by intent": "measures?days=90&by=intent",
    "all 90 days by policy, one segment": "measures?days=90&by=policy&segment=vip",
    "all 90 days by model, as a file": "measures.csv?days=90&by=model",
}


def measures(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """The page's 95th percentile for some periods and cuts."""
    runs, asked = (100, 4) if is_quick else (2_000, 20)
    with opened_place() as place:
        token = asyncio.run(_filled(place, runs, say))
        _copied(place)
        with process(
            "-m",
            "app.main",
            "serve",
            config=place.config_path,
            log=place.settings.data_dir / "web.log",
            answers=lambda: is_listening(place.web_port),
        ):
            return asyncio.run(_measured(place, token, runs * COPIES, asked, say))


async def _filled(place: Place, runs: int, say: Callable[[str], None]) -> str:
    """A quarter of runs, folded, and somebody who may see them; the token of their session."""
    database = Database(place.storage.app_url, pool_size=2)
    now = machine_clock()
    try:
        start = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
        events = await fill(database.tenant, TENANT, Month(runs, 1, start=start, days=DAYS - 1), say)
        started = time.perf_counter()
        await fold_all(database.tenant, TENANT)
        seconds = time.perf_counter() - started
        say(f"measures: {events} events are folded, {events / seconds:.0f} a second")
        token, act = new_token(), Act("bench", now, new_id)
        async with database.tenant(TENANT) as session:
            lead = await accounts.create(session, TENANT, NewAccount("lead@shop.example", "Lea", (Role.OPS_LEAD,)), act)
        async with database.tenant(TENANT) as session:
            day = timedelta(hours=24)
            await open_session(session, lead, way=Way.PASSWORD, token=token, lifetimes=Lifetimes(day, day), act=act)
        return token
    finally:
        await database.close()


def _copied(place: Place) -> None:
    with psycopg.connect(place.storage.admin_url, autocommit=True) as admin:
        names = admin.execute(
            "SELECT string_agg(column_name, ',') FROM information_schema.columns "
            "WHERE table_name = 'measure_run' AND column_name <> 'run_id'"
        ).fetchone()
        assert names is not None
        copies = (
            f"INSERT INTO measure_run (run_id, {names[0]}) SELECT run_id || '/' || n, {names[0]} "  # noqa: S608
            f"FROM measure_run, generate_series(2, {COPIES}) AS n"
        )
        admin.execute(copies.encode())
        admin.execute("VACUUM ANALYZE measure_run")


async def _measured(place: Place, token: str, runs: int, asked: int, say: Callable[[str], None]) -> list[Row]:
    base, cookies = f"http://127.0.0.1:{place.web_port}", {f"countersign-{TENANT}": token}
    rows = []
    async with httpx.AsyncClient(base_url=base, cookies=cookies, trust_env=False, timeout=60) as client:
        for name, path in PAGES.items():
            for _ in range(3):
                await _opened(client, path)
            seconds = [await _opened(client, path) for _ in range(asked)]
            say(f"measures: {name}, {1000 * percentile(seconds, 0.95):.0f} ms at the 95th percentile")
            figure = Sample.of([1000 * percentile(seconds, 0.95)])
            parts = {"runs": float(runs), "median_ms": 1000 * percentile(seconds, 0.5)}
            rows.append(Row(f"measures p95: {name}", figure, "ms", None, GOAL_MS, is_limit=True, parts=parts))
    return rows


async def _opened(client: httpx.AsyncClient, path: str) -> float:
    """Seconds until the whole page has come."""
    started = time.perf_counter()
    answer = await client.get(f"/t/{TENANT}/{path}")
    if answer.status_code != httpx.codes.OK or "automation_rate" not in answer.text:
        raise RuntimeError(f"the page {path} has no figures: {answer.status_code}")
    return time.perf_counter() - started
