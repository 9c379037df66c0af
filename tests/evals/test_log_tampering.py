"""A slice of what `python -m evals.log_tampering` does with 2,000 events, and that it notices a check that is blind."""

from __future__ import annotations

import random

from app.db import Database
from evals.bench.place import TENANT
from evals.log_tampering import Log, Tally, tamper, turned


async def test_every_tampering_is_found_and_named(database: Database, admin_url: str) -> None:
    log, tally = Log(admin_url, database, 120), Tally()
    await log.fill()
    assert (await log.after()).holds
    for row, stored in log.rows()[::40]:
        for name, bit, found in turned(row, stored):
            tally.note("bit", f"{name} {bit}", found=found)
    await tamper(log, tally, random.Random(7), 2)
    assert tally.missed == []
    assert tally.tried["bit"] > 9_000
    assert {name: count for name, count in tally.tried.items() if name != "bit"} == {
        "delete": 2,
        "alter": 2,
        "insert": 2,
        "swap": 2,
        "truncate": 2,
        "fork": 2,
        "re-sign": 1,
    }
    assert (await log.after()).holds  # everything was taken back


async def test_a_check_that_does_not_look_is_noticed(database: Database, admin_url: str) -> None:
    log, tally = Log(admin_url, database, 60), Tally()
    await log.fill()
    found = await log.after(("SELECT %s, %s", [TENANT, 3]))
    tally.note("delete", "event 3", found=any(one.seq == 3 for one in found.broken))
    assert tally.missed == ["delete: event 3"]
