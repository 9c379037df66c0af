"""What runs take on disk, and what keeping to the retention costs: `python -m evals.disk [--runs N]`.

The runs are real: those of an installation's tenant, such as a demo's, whose database is copied first and left as it
is. In the copy each row of each table that grows with runs is repeated for as many tenants of equal names' length as
make N runs, in random order, because runs end in no order and an index that is filled in order is smaller than one in
use. Then what runs stored is emptied, as a worker does it when the policy's days are over. The size of a row and the
depth of its indexes are those of N runs; from there to a million an index deepens by a level at most, which is why the
figure of half as many runs stands beside it. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Final

import psycopg
from psycopg.sql import SQL, Composed, Identifier, Literal

from app.db import Database
from app.settings import load_settings
from app.storage import Storage, open_storage
from graph.erasure.holdings import HOLDINGS, Holding
from graph.erasure.retention import BEGINNING, empty

COPY: Final = "countersign_disk"
CHECKPOINTS: Final = frozenset({"checkpoints", "checkpoint_blobs", "checkpoint_writes"})
"""Pruned an hour after a run has ended."""
GROWING: Final = tuple(
    sorted(
        {name for name, holding in HOLDINGS.items() if holding in {Holding.TAKEN_OUT, Holding.BOOKS}} - CHECKPOINTS
        | {"audit_block", "audit_checkpoint", "measure_run", "ticket_lease"}
    )
)
"""The tables that have rows for each run, as long as they are kept."""
OF_A_TENANT: Final = ("audit_head", "policy_version")
"""Repeated, too, because keeping to the retention needs them, and not counted."""
MUCH_LATER: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""When every policy's days are over."""

Owner = psycopg.Connection[tuple[object, ...]]


@contextmanager
def copied(storage: Storage) -> Iterator[tuple[str, str]]:
    """A copy of the database, by its addresses for the product and for the owner. Nobody may be connected to either."""
    name = psycopg.conninfo.conninfo_to_dict(storage.admin_url)["dbname"]
    server = storage.admin_url.replace(f"/{name}?", "/postgres?")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(SQL("DROP DATABASE IF EXISTS {}").format(Identifier(COPY)))
        admin.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(COPY), Identifier(str(name))))
        try:
            app_url, admin_url = (one.replace(f"/{name}?", f"/{COPY}?") for one in (storage.app_url, storage.admin_url))
            yield app_url, admin_url
        finally:
            admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(COPY)))


def measured(owner: Owner, tenant: str, runs: int) -> dict[str, object]:
    """Repeat the tenant's runs until there are so many, and measure before, in the middle and at the end."""
    played = _one(owner, SQL("SELECT count(*) FROM run WHERE tenant_id = {}").format(Literal(tenant)))
    if not played:
        raise SystemExit(f"tenant {tenant!r} has no runs: run `countersign demo --exit` in this data folder before")
    checkpoints = sum(_sizes(owner, sorted(CHECKPOINTS)).values())
    tenants, first = -(-runs // played), _sizes(owner, GROWING)
    _repeat(owner, tenant, 1, tenants // 2)
    half = _sizes(owner, GROWING)
    _repeat(owner, tenant, tenants // 2 + 1, tenants)
    whole = _sizes(owner, GROWING)
    return {
        "played_runs": played,
        "runs": played * (tenants + 1),
        "checkpoint_bytes_a_run": round(checkpoints / played),
        "bytes_a_run": _each(first, whole, played * tenants),
        "bytes_a_run_at_half": sum(_each(first, half, played * (tenants // 2)).values()),
    }


def _repeat(owner: Owner, tenant: str, first: int, last: int) -> None:
    owner.execute("SET session_replication_role = replica")  # rows that refer to each other come table by table
    for table in (*GROWING, *OF_A_TENANT):
        columns = [
            str(row[0])
            for row in owner.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s"
                " AND is_generated = 'NEVER' AND is_identity = 'NO' AND column_name <> 'tenant_id'",
                [table],
            )
        ]
        names = SQL(", ").join(map(Identifier, columns))
        owner.execute(
            SQL(
                "INSERT INTO {table} (tenant_id, {names}) SELECT {prefix} || lpad(n::text, {digits}, '0'), {names}"
                " FROM {table} CROSS JOIN generate_series({first}, {last}) AS n WHERE tenant_id = {tenant}"
                " ORDER BY random()"
            ).format(
                table=Identifier(table),
                names=names,
                prefix=Literal(tenant[:1]),
                digits=Literal(max(len(tenant) - 1, 5)),
                first=Literal(first),
                last=Literal(last),
                tenant=Literal(tenant),
            )
        )
    owner.execute("SET session_replication_role = DEFAULT")
    owner.execute("VACUUM ANALYZE")


async def emptied(app_url: str, tenant: str, tenants: int) -> dict[str, object]:
    """Keep to the retention for some of the tenants, on one connection."""
    database, numbers, done = Database(app_url, pool_size=1), count(), 0

    def new_id(kind: str) -> str:
        return f"{kind}_{next(numbers)}"

    started = time.perf_counter()
    try:
        for number in range(1, tenants + 1):
            name = f"{tenant[:1]}{number:0{max(len(tenant) - 1, 5)}}"
            reached: datetime | None = BEGINNING
            while reached is not None:
                async with database.tenant(name) as session:
                    step = await empty(session, name, since=reached, now=MUCH_LATER, new_id=new_id)
                reached, done = step.reached, done + step.runs
    finally:
        await database.close()
    seconds = time.perf_counter() - started
    return {"emptied_runs": done, "seconds": round(seconds, 1), "runs_a_second": round(done / seconds)}


def _sizes(owner: Owner, tables: tuple[str, ...] | list[str]) -> dict[str, int]:
    """Bytes of each table with its indexes and long values."""
    return {table: _one(owner, SQL("SELECT pg_total_relation_size({})").format(Literal(table))) for table in tables}


def _each(before: Mapping[str, int], after: Mapping[str, int], runs: int) -> dict[str, int]:
    grown = {table: round((after[table] - size) / runs) for table, size in before.items()}
    return dict(sorted(((table, size) for table, size in grown.items() if size), key=lambda one: -one[1]))


def _one(owner: Owner, query: Composed) -> int:
    row = owner.execute(query).fetchone()
    assert row is not None
    return int(str(row[0]))


async def work(app_url: str, admin_url: str, tenant: str, runs: int) -> dict[str, object]:
    """Everything, in a database that may be changed."""
    with psycopg.connect(admin_url, autocommit=True) as owner:
        found = measured(owner, tenant, runs)
        tenants = -(-runs // int(str(found["played_runs"])))
        found |= await emptied(app_url, tenant, tenants)
        for table in GROWING:
            owner.execute(SQL("VACUUM FULL {}").format(Identifier(table)))
        kept = sum(_sizes(owner, GROWING).values())
    return found | {"bytes_a_run_for_good": round(kept / int(str(found["runs"])))}


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description="Measure what runs take on disk, from runs that were played.")
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--tenant", default="demo")
    given = parser.parse_args()
    with open_storage(load_settings()) as storage, copied(storage) as (app_url, admin_url):
        found = asyncio.run(work(app_url, admin_url, given.tenant, given.runs))
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
