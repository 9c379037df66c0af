"""Rows `measures`: how soon the page of measures is there with 100,000 runs in the database.

The web process is `countersign serve` on its own, over HTTP on loopback. A generated quarter of 2,000 runs goes
through the log and the fold; its rows are then copied, because the page reads rows and not the log. The page of 30 days
is what people open; the one of 90 days adds up every row there is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

import httpx
import psycopg

from app.db import Database
from app.identity.roles import Role
from app.measures.days import keep_all_days
from app.measures.keeping import fold_all
from app.settings import machine_clock
from evals.bench.place import TENANT, Place, opened_place, web
from evals.bench.reader import reading, signed_in_reader
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
        with web(place):
            return asyncio.run(_measured(place, token, runs * COPIES, asked, say))


async def _filled(place: Place, runs: int, say: Callable[[str], None]) -> str:
    """A quarter of runs, folded, and somebody who may see them; the token of their session."""
    database = Database(place.storage.app_url, pool_size=2)
    try:
        await keep_measures(database, runs, say)
        copy_measures(place)
        await keep_all_days(database.tenant, TENANT)
        return await signed_in_reader(database, Role.OPS_LEAD)
    finally:
        await database.close()


async def keep_measures(database: Database, runs: int, say: Callable[[str], None]) -> None:
    """A quarter of runs until today in the log, and folded."""
    start = machine_clock().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
    events = await fill(database.tenant, TENANT, Month(runs, 1, start=start, days=DAYS - 1), say)
    started = time.perf_counter()
    await fold_all(database.tenant, TENANT)
    seconds = time.perf_counter() - started
    say(f"measures: {events} events are folded, {events / seconds:.0f} a second")


def copy_measures(place: Place) -> None:
    """The measures of the runs again and again; what was added up of them is forgotten."""
    with psycopg.connect(place.storage.admin_url, autocommit=True) as admin:
        copy_rows(admin, "measure_run", {"run_id": "run_id || '/' || n"}, COPIES)
        admin.execute("DELETE FROM measure_day")
        admin.execute("VACUUM ANALYZE measure_run")


def copy_rows(admin: psycopg.Connection, table: str, keys: Mapping[str, str], copies: int) -> None:
    """Every row of a table so many times; of its `keys`, the SQL that tells copy `n` from the others."""
    found = admin.execute(
        "SELECT string_agg(column_name, ',') FROM information_schema.columns"
        " WHERE table_name = %s AND column_name <> ALL(%s)",
        (table, list(keys)),
    ).fetchone()
    assert found is not None
    into, values = ",".join(keys), ",".join(keys.values())
    admin.execute(
        f"INSERT INTO {table} ({into},{found[0]}) SELECT {values},{found[0]} "  # noqa: S608 - names of our own tables
        f"FROM {table}, generate_series(2, {copies}) AS n".encode()
    )


async def _measured(place: Place, token: str, runs: int, asked: int, say: Callable[[str], None]) -> list[Row]:
    rows = []
    async with reading(place, token) as client:
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
