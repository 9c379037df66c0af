"""Rows `console`: how soon each of the ops lead's pages is there with 100,000 runs in the database.

The web process is `countersign serve` on its own, over HTTP on loopback. It has 100,000 runs with their decisions and
people's answers of the last 90 days, as many rows of measures, and a log of 500,000 events. Each page is asked for a
few times before it is measured; its first answer after the start stands beside, and so does how long the history took
to be read, which pages that rest on it wait for where they are asked before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

import httpx
import polars as pl
import psycopg

from app.ambient import new_id
from app.autonomy.looking import look
from app.autonomy.rules import AutonomyRules
from app.db import Database
from app.identity.accounts import Act as Doing
from app.identity.roles import Role
from app.measures.days import keep_all_days
from app.settings import machine_clock
from evals.bench.kept_history import keep_decisions, keep_runs
from evals.bench.measures import COPIES, PAGES, copy_measures, copy_rows, keep_measures
from evals.bench.place import TENANT, Place, cpu_s, opened_place, web
from evals.bench.reader import reading, signed_in_reader
from evals.bench.rows import Row, Sample, percentile
from graph.decisions.invented import DAYS, invented_history
from graph.lifecycle.desk import Desk
from graph.lifecycle.publishing import Act
from graph.rulebook import publish
from policies.parse import parse_policy
from policies.shelf import shipped_text

GOAL_MS: Final = 500.0
RUNS: Final = 100_000
LOG_COPIES: Final = 10
WINDOW_DAYS: Final = 90
WARM: Final = 2
LOOSER: Final = shipped_text().replace("at_most: {usd: 50,", "at_most: {usd: 60,", 1)


def console(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """The 95th percentile of every page."""
    runs, asked = (2_000, 4) if is_quick else (RUNS, 20)
    with opened_place() as place:
        token, version = asyncio.run(_filled(place, runs, say))
        with web(place):
            return asyncio.run(_measured(place, token, pages_of(version), runs, asked, say))


def pages_of(version: str) -> Mapping[str, str]:
    """The pages, by name; `version` is the hash of one that is a draft."""
    return {
        "controls": "controls",
        "alerts": "alerts",
        "autonomy": "autonomy",
        "connectors": "connectors",
        "corrections": "corrections",
        "queue": "queue",
        "runs": "runs",
        **{f"measures, {name}": path for name, path in PAGES.items()},
        "thresholds": "thresholds",
        "thresholds, another amount": "thresholds?of=auto.usd&at_most=60",
        "thresholds, one intent and segment": "thresholds?of=auto.usd&at_most=60&intent=duplicate_charge&segment=vip",
        "policy": "policy",
        "policy version": f"policy/{version}",
        "policy version with remarks": f"policy/{version}?remarks=yes",
    }


async def _filled(place: Place, runs: int, say: Callable[[str], None]) -> tuple[str, str]:
    """Everything the pages read; the token of somebody's session, and the hash of a draft."""
    database = Database(place.storage.app_url, pool_size=2)
    now = machine_clock()
    try:
        async with database.tenant(TENANT) as session:
            await publish(session, TENANT, shipped_text(), author="bench", now=now)
        draft = await Desk(lambda: database.tenant(TENANT), TENANT).draft(LOOSER, Act("bench", now, "measured", new_id))
        policy = parse_policy(shipped_text(), name="shipped")
        history = invented_history(policy, count=runs, seed=3, until=now)
        # As many runs in half the time, so that all of them are within what pages look back upon.
        ago_s = (pl.lit(now) - pl.col("at")).dt.total_seconds() * WINDOW_DAYS // DAYS
        history = history.with_columns(at=(pl.lit(now) - pl.duration(seconds=ago_s)).cast(pl.Datetime("us", "UTC")))
        await keep_decisions(database, TENANT, history)
        await keep_runs(database, TENANT, history)
        say(f"console: {runs} runs with their decisions are in the database")
        await keep_measures(database, runs // COPIES, say)
        copy_measures(place)
        await keep_all_days(database.tenant, TENANT)
        _copied(place)
        doing = Doing("bench", now, new_id)
        await look(lambda: database.tenant(TENANT), TENANT, AutonomyRules(), doing, proposes=True)
        return await signed_in_reader(database, Role.OPS_LEAD), draft.policy_hash
    finally:
        await database.close()


def _copied(place: Place) -> None:
    """The events of the runs again and again; only their numbers tell them apart."""
    with psycopg.connect(place.storage.admin_url, autocommit=True) as admin:
        size = admin.execute("SELECT size FROM audit_head").fetchone()
        assert size is not None
        copy_rows(admin, "audit_event", {"seq": f"seq + (n - 1) * {size[0]}", "event_id": "event_id || n"}, LOG_COPIES)
        admin.execute("UPDATE audit_head SET size = size * %s", (LOG_COPIES,))
        admin.execute("UPDATE measure_cursor SET next_seq = (SELECT size FROM audit_head)")
        admin.execute("VACUUM ANALYZE")


async def _measured(
    place: Place, token: str, pages: Mapping[str, str], runs: int, asked: int, say: Callable[[str], None]
) -> list[Row]:
    rows = []
    async with reading(place, token) as client:
        await _opened(client, "controls")
        started = time.perf_counter()
        await _opened(client, "thresholds")
        ready_s = time.perf_counter() - started
        say(f"console: {runs} runs; the history was ready {ready_s:.1f} s after the start")
        for name, path in pages.items():
            first = await _opened(client, path)
            for _ in range(WARM):
                await _opened(client, path)
            began_s = cpu_s()
            seconds = [await _opened(client, path) for _ in range(asked)]
            web_cpu_ms = 1000 * (cpu_s() - began_s) / asked
            figure = Sample.of([1000 * percentile(seconds, 0.95)])
            parts = {"median_ms": 1000 * percentile(seconds, 0.5), "first_ms": 1000 * first, "web_cpu_ms": web_cpu_ms}
            middle, cpu = parts["median_ms"], parts["web_cpu_ms"]
            say(f"console: {name}, p95 {figure.median:.0f} ms, median {middle:.0f} ms, CPU {cpu:.0f} ms")
            rows.append(Row(f"console p95: {name}", figure, "ms", None, GOAL_MS, is_limit=True, parts=parts))
    return rows


async def _opened(client: httpx.AsyncClient, path: str) -> float:
    """Seconds until the whole page has come."""
    started = time.perf_counter()
    answer = await client.get(f"/t/{TENANT}/{path}")
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"the page {path} does not come: {answer.status_code}")
    return time.perf_counter() - started
