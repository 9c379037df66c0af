"""Rows `growth`: what a run weighs on disk, and how the pages do with as many runs as stated in the database.

Some runs are really played, from the event to the answer, with the doubles. Every row that they left in every table is
then copied under new ids by INSERT .. SELECT, with times spread over the past, until there are as many runs as wanted:
so each copy weighs what a run weighs. Runs beyond the newest share are as retention leaves them: emptied of what was
sealed, their books and events kept. Checkpoints are those of the played runs, because ended runs keep none for long.
Indexes are dropped while rows are copied and built once, so they are as small as after a REINDEX. Hashes of copied
events are those of their originals: a log to read and to weigh, not one to verify.

`python -m evals.bench.growth --runs 1000000` needs some tens of gigabytes and minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import httpx
import psycopg
import typer
from psycopg import sql

from app.ambient import new_id
from app.db import Database
from app.identity.roles import Role
from app.measures.keeping import fold_all
from app.runtime import open_advancer
from app.settings import machine_clock
from connectors.sandbox.control import SandboxControl
from evals.bench.floor import asked
from evals.bench.place import TENANT, Place, doubles, opened_place, web
from evals.bench.reader import reading, signed_in_reader
from evals.bench.rows import Row, Sample, percentile
from evals.bench.run import prepared
from graph.decisions.past import read_past
from graph.erasure.retention import BEGINNING, drop_checkpoints, empty

PLAYED: Final = 20
DAYS: Final = 360
"""The copies are spread over so many days before now."""
FULL_SHARE: Final = 0.1
"""Share of the runs, the newest, that still have what was sealed for them."""
PAGE_GOAL_MS: Final = 500.0
PAST_GOAL_S: Final = 60.0
WORK_MEMORY: Final = "512MB"
COUNTS_COME_S: Final = 1.5

TABLES: Final[Mapping[str, str]] = {
    "inbox_event": "received_at",
    "run": "started_at",
    "artifact": "created_at",
    "data_key": "created_at",
    "ticket_lease": "expires_at",
    "decision": "decided_at",
    "approval": "requested_at",
    "effect": "created_at",
    "reservation": "reserved_at",
    "charge_ledger": "refreshed_at",
    "measure_run": "started_at",
    "audit_event": "at",
    "audit_private": "",
}
"""What a run leaves, and the column that says when."""

IDS: Final = frozenset(
    {"run_id", "artifact_id", "event_id", "effect_id", "approval_id", "subject_id", "charge_id", "business_key"}
    | {"idempotency_key", "customer_id", "vendor_object"}
)
"""Columns whose values are other ones in each copy."""

SEALED: Final = frozenset({("artifact", "sealed"), ("effect", "sealed_body")})
"""What retention empties."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A table, or one of its indexes."""

    name: str
    rows: int
    bytes: int
    indexes: Mapping[str, int]


def growth(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """What runs weigh, and what reading them costs."""
    return grown(1_000 if is_quick else 100_000, 5 if is_quick else 20, say)[0]


def grown(runs: int, looks: int, say: Callable[[str], None]) -> tuple[list[Row], list[Weight]]:
    """The rows with so many runs in the database, and the tables by weight. Pages are opened so many times."""
    with opened_place() as place, doubles(place) as control:
        token, written = asyncio.run(_played(place, control, say))
        seconds = _copied(place, runs, say)
        weights = _weights(place)
        vacuum_s = _vacuumed(place)
        say(f"growth: {runs} runs are copied in {seconds:.0f} s and vacuumed in {vacuum_s:.0f} s")
        with web(place):
            pages = asyncio.run(_pages(place, token, looks, say))
        kept = asyncio.run(_kept(place, say))
    total = sum(one.bytes + sum(one.indexes.values()) for one in weights)
    parts: dict[str, float] = {
        "runs": float(runs),
        "copy_s": seconds,
        "vacuum_s": vacuum_s,
        **written,
        **{f"{one.name}_bytes_a_run": (one.bytes + sum(one.indexes.values())) / runs for one in weights},
        "indexes_bytes_a_run": sum(sum(one.indexes.values()) for one in weights) / runs,
    }
    rows = [
        Row("growth disk a run", Sample.of([total / runs / 1000]), "kB", None, DISK_GOAL_KB, is_limit=True, parts=parts)
    ]
    for name, figures in pages.items():
        shown = {"runs": float(runs), "median_ms": percentile(figures, 0.5)}
        figure = Sample.of([percentile(figures, 0.95)])
        rows.append(Row(f"growth page p95: {name}", figure, "ms", None, PAGE_GOAL_MS, is_limit=True, parts=shown))
    rows += [
        Row(f"growth {name}", Sample.of([seconds]), "s", None, PAST_GOAL_S, is_limit=True, parts={"runs": float(runs)})
        for name, seconds in kept.items()
    ]
    return rows, weights


DISK_GOAL_KB: Final = 100.0


async def _played(place: Place, control: SandboxControl, say: Callable[[str], None]) -> tuple[str, dict[str, float]]:
    """Play the runs that are copied; the token of somebody who may look at them, and what a run writes."""
    async with open_advancer(place.settings, place.storage) as (advancer, database):
        bench = await prepared(advancer, database, control)
        await bench.one()
        before = await _written(place)
        for _ in range(PLAYED - 1):
            await bench.one()
        written = {name: (after - before[name]) / (PLAYED - 1) for name, after in (await _written(place)).items()}
        await fold_all(database.tenant, TENANT)
        say(f"growth: {PLAYED} runs are played")
        return await signed_in_reader(database, Role.CS_LEAD, Role.OPS_LEAD), written


async def _written(place: Place) -> dict[str, float]:
    """What the server has committed and written so far. Its counts come a second late."""
    await asyncio.sleep(COUNTS_COME_S)
    return {
        "commits_a_run": asked(
            place, "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        ),
        "wal_bytes_a_run": asked(place, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"),
    }


def _copied(place: Place, runs: int, say: Callable[[str], None]) -> float:
    """Seconds to copy the played runs until there are so many."""
    copies = runs // PLAYED
    started = time.perf_counter()
    with psycopg.connect(place.storage.admin_url, autocommit=True) as admin:
        admin.execute(f"SET maintenance_work_mem = '{WORK_MEMORY}'".encode())
        admin.execute("SET synchronous_commit = off")
        admin.execute("SET session_replication_role = replica")  # the rows refer to nothing that the copies lack
        for table, moment in TABLES.items():
            began = time.perf_counter()
            indexes = _dropped_indexes(admin, table)
            admin.execute(_copy(admin, table, moment, copies))
            for statement in indexes:
                admin.execute(statement.encode())
            say(f"growth: {table} is copied in {time.perf_counter() - began:.0f} s")
        admin.execute(
            "UPDATE audit_head SET size = (SELECT max(seq) + 1 FROM audit_event WHERE tenant_id = %s) "
            "WHERE tenant_id = %s",
            [TENANT, TENANT],
        )
    return time.perf_counter() - started


def _dropped_indexes(admin: psycopg.Connection[Any], table: str) -> list[str]:
    """Drop what would slow the copying down; the statements that build it again."""
    found = admin.execute(
        "SELECT indexdef, indexrelid::regclass::text, conname, pg_get_constraintdef(c.oid) FROM pg_index i "
        "JOIN pg_indexes n ON n.indexname = i.indexrelid::regclass::text AND n.schemaname = 'public' "
        "LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u') "
        "WHERE i.indrelid = %s::regclass",
        [table],
    ).fetchall()
    statements = []
    for definition, index, constraint, condition in found:
        if constraint is None:
            admin.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(index)))
            statements.append(str(definition))
        else:
            admin.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(table), sql.Identifier(constraint))
            )
            statements.append(f'ALTER TABLE "{table}" ADD CONSTRAINT "{constraint}" {condition}')
    return statements


def _copy(admin: psycopg.Connection[Any], table: str, moment: str, copies: int) -> sql.Composed:
    """The statement that copies the rows of one table so many times, older with every copy."""
    columns = admin.execute(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_name = %s AND table_schema = 'public' ORDER BY ordinal_position",
        [table],
    ).fetchall()
    events = admin.execute("SELECT coalesce(max(seq), 0) + 1 FROM audit_event").fetchone()
    assert events is not None
    span = sql.Literal(events[0])
    older = sql.SQL("n * interval '1 second' * {}").format(sql.Literal(DAYS * 86_400 / copies))
    values: list[sql.Composable] = []
    for name, kind in columns:
        column = sql.SQL("t.{}").format(sql.Identifier(name))
        if name == "seq":
            column = sql.SQL("{} + n * {}").format(column, span)
        elif name in IDS:
            column = sql.SQL(
                "CASE WHEN {0} ~ '[0-9a-f]{{16}}$' THEN left({0}, -8) || lpad(to_hex(n), 8, '0') "
                "ELSE {0} || '/' || n END"
            ).format(column)
        elif name == "ticket_id":
            column = sql.SQL("({} || lpad(n::text, 7, '0'))").format(column)
        elif (table, name) in SEALED:
            column = sql.SQL("CASE WHEN n > {} THEN ''::bytea ELSE {} END").format(
                sql.Literal(int(FULL_SHARE * copies)), column
            )
        elif kind.startswith("timestamp") and moment:
            column = sql.SQL("{} - {}").format(column, older)
        values.append(column)
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
    return sql.SQL("INSERT INTO {0} ({1}) SELECT {2} FROM {0} AS t, generate_series(1, {3}) AS n").format(
        sql.Identifier(table), names, sql.SQL(", ").join(values), sql.Literal(copies - 1)
    )


def _weights(place: Place) -> list[Weight]:
    """Every table that a run touches, with its indexes, the heaviest first."""
    with psycopg.connect(place.storage.admin_url, autocommit=True) as admin:
        found = []
        for table in TABLES:
            heap = admin.execute(
                "SELECT count(*), pg_table_size(%s::regclass) FROM {}".replace("{}", table).encode(), [table]
            ).fetchone()
            assert heap is not None
            indexes = admin.execute(
                "SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) FROM pg_index "
                "WHERE indrelid = %s::regclass",
                [table],
            ).fetchall()
            found.append(Weight(table, int(heap[0]), int(heap[1]), {str(name): int(size) for name, size in indexes}))
    return sorted(found, key=lambda one: -(one.bytes + sum(one.indexes.values())))


def _vacuumed(place: Place) -> float:
    started = time.perf_counter()
    with psycopg.connect(place.storage.admin_url, autocommit=True) as admin:
        for table in TABLES:
            admin.execute(f"VACUUM (ANALYZE) {table}".encode())
    return time.perf_counter() - started


async def _pages(place: Place, token: str, looks: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Milliseconds of each page, over HTTP. Those of one run are of the newest, which is a played one and opens."""
    with psycopg.connect(place.storage.admin_url) as admin:
        row = admin.execute(
            "SELECT run_id, ticket_id FROM run WHERE tenant_id = %s ORDER BY started_at DESC LIMIT 1",
            [TENANT],
        ).fetchone()
    assert row is not None
    paths = {
        "queue": f"/t/{TENANT}/queue",
        "runs": "/api/v1/runs?limit=50",
        "trace": f"/t/{TENANT}/runs/{row[0]}",
        "panel": f"/t/{TENANT}/tickets/{row[1]}",
        "measures of 30 days": f"/t/{TENANT}/measures?days=30&by=intent",
        "controls": f"/t/{TENANT}/controls",
    }
    found: dict[str, list[float]] = {}
    async with reading(place, token) as client:
        for name, path in paths.items():
            figures = []
            for _ in range(looks + 1):
                started = time.perf_counter()
                answer = await client.get(path, headers={"X-Countersign-Tenant": TENANT})
                if answer.status_code != httpx.codes.OK:
                    raise RuntimeError(f"the page {path} answers {answer.status_code}: {answer.text[:200]}")
                figures.append(1000 * (time.perf_counter() - started))
            found[name] = figures[1:]
            say(f"growth: {name}, {percentile(found[name], 0.95):.0f} ms at the 95th percentile")
    return found


async def _kept(place: Place, say: Callable[[str], None]) -> dict[str, float]:
    """Seconds that what looks at everything takes: the history of what-ifs, and one step of retention."""
    database, now = Database(place.storage.app_url, pool_size=1), machine_clock()
    found = {}
    try:
        async with database.tenant(TENANT) as session:
            started = time.perf_counter()
            await read_past(session, TENANT, since=now - timedelta(days=90))
            found["history of 90 days for a what-if"] = time.perf_counter() - started
        async with database.tenant(TENANT) as session:
            started = time.perf_counter()
            await empty(session, TENANT, since=BEGINNING, now=now, new_id=new_id)
            found["one step of retention"] = time.perf_counter() - started
        async with database.tenant(TENANT) as session:
            started = time.perf_counter()
            await drop_checkpoints(session, TENANT, now=now + timedelta(days=1))
            found["one step of pruning checkpoints"] = time.perf_counter() - started
    finally:
        await database.close()
    for name, seconds in found.items():
        say(f"growth: {name}, {seconds:.2f} s")
    return found


def main(arguments: Sequence[str]) -> None:
    """Print rows and weights as one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench.growth", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--looks", type=int, default=20)
    options = parser.parse_args(arguments)
    rows, weights = grown(options.runs, options.looks, lambda line: typer.echo(line, err=True))
    tables = [
        {"table": one.name, "rows": one.rows, "bytes": one.bytes, "indexes": dict(one.indexes)} for one in weights
    ]
    typer.echo(json.dumps({"rows": [row.form() for row in rows], "tables": tables}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
