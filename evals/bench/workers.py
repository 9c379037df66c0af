"""Rows `workers`: tickets a second with 1, 2 and 4 worker processes on one PostgreSQL, and what they use up.

The tickets are those of row `run`; all of them wait when the clock starts, and every worker has its model loaded. What
each kind of process used says what saturates: where their CPU sums up to the machine's cores, more workers wait for a
core and not for each other. `waiting_ms` of a ticket is what it took beyond the work of its nodes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.ambient import new_id
from app.db import Database
from app.settings import machine_clock
from connectors.sandbox.control import SandboxControl
from evals.bench.floor import asked, furnished, tickets, until, used, workers
from evals.bench.place import TENANT, Place, doubles, opened_place
from evals.bench.rows import Row, Sample
from graph.intake.receive import Arrival, receive
from graph.intake.recognise import SWEPT
from graph.queue import enqueue_tickets

COUNTS: Final = (1, 2, 4)
GOAL: Final = 1.7
TIMEOUT_S: Final = 900.0
_ENDED: Final = "SELECT count(*) FROM run WHERE state = 'ended' AND ticket_id = ANY(%s)"
_TOOK_MS: Final = """
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY 1000 * extract(epoch FROM ended_at - started_at))
      FROM run WHERE ticket_id = ANY(%s)"""
_WORKED_MS: Final = "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY worked_ms) FROM run WHERE ticket_id = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Went:
    """One measurement with so many workers."""

    per_second: float
    took_ms: float
    waiting_ms: float
    cpu_ms: dict[str, float]
    busy_cores: float


def scale_out(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Tickets a second with more and more workers."""
    rounds, count, counts = (1, 6, COUNTS[:2]) if is_quick else (3, 60, COUNTS)
    went: dict[int, list[Went]] = {workers_: [] for workers_ in counts}
    with opened_place() as place, doubles(place) as control:
        asyncio.run(furnished(place))
        first = 1
        for number in range(rounds):
            for workers_ in counts:
                went[workers_].append(_measured(place, control, workers_, first, count))
                first += count
                said = went[workers_][-1]
                say(f"workers round {number + 1} of {rounds}: {workers_} give {said.per_second:.2f} tickets/s")
    return [_row(workers_, went[workers_], went[1]) for workers_ in counts]


def _row(count: int, went: Sequence[Went], alone: Sequence[Went]) -> Row:
    middle = sorted(went, key=lambda one: one.per_second)[len(went) // 2]
    parts = {
        "took_ms": middle.took_ms,
        "waiting_ms": middle.waiting_ms,
        **{f"{kind}_cpu_ms_a_ticket": figure for kind, figure in middle.cpu_ms.items()},
        "busy_cores": middle.busy_cores,
        "cores": float(os.cpu_count() or 1),
    }
    goal = GOAL if count > 1 else 1.0
    ours, theirs = [one.per_second for one in went], [one.per_second for one in alone]
    return Row(f"workers {count}", Sample.of(ours), "tickets/s", Sample.of(theirs), goal, parts=parts)


def _measured(place: Place, control: SandboxControl, count: int, first: int, many: int) -> Went:
    arrived = tickets(control, first, many)
    with workers(place, count):
        before = used(place)
        asyncio.run(_store(place, arrived))
        seconds = until(lambda: asked(place, _ENDED, arrived) == many, TIMEOUT_S, f"{many} tickets were worked")
        after = used(place)
    kinds = ("worker", "postgres", "doubles")
    cpu_s = {kind: after[kind].cpu_s - before[kind].cpu_s for kind in kinds}
    took_ms = asked(place, _TOOK_MS, arrived)
    return Went(
        per_second=many / seconds,
        took_ms=took_ms,
        waiting_ms=took_ms - asked(place, _WORKED_MS, arrived),
        cpu_ms={kind: 1000 * used_s / many for kind, used_s in cpu_s.items()},
        busy_cores=sum(cpu_s.values()) / seconds,
    )


async def _store(place: Place, arrived: Sequence[str]) -> None:
    """An event for each ticket, and its job, as the door stores them."""
    database, now = Database(place.storage.app_url, pool_size=1), machine_clock()
    try:
        async with database.tenant(TENANT) as session:
            await enqueue_tickets(session, TENANT, arrived)
            for ticket_id in arrived:
                arrival = Arrival("sweeper", f"bench:{ticket_id}", SWEPT, ticket_id=ticket_id, occurred_at=now)
                await receive(session, TENANT, arrival, now=now, new_id=new_id)
    finally:
        await database.close()
