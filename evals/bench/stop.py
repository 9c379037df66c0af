"""Rows `stop`: from a switch that is turned, or a breaker that trips, until every refund that was held is stopped.

The refunds are really held: runs played under the shipped policy with its hold. Turning the switch and stopping is what
the page and the API do in one request, each effect in a transaction of its own. A breaker trips in the worker's look,
which comes by every second: that second is not measured, it is `poll_ms`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from app.db import Database
from app.runtime import open_advancer
from connectors.sandbox.control import SandboxControl
from evals.bench.floor import asked
from evals.bench.place import TENANT, Place, doubles, opened_place
from evals.bench.rows import Row, Sample
from evals.bench.run import Bench, prepared
from graph.breakers.trips import reset, trip
from graph.breakers.watch import stop_in_vain
from graph.rulebook import publish
from graph.runs.advance import advance
from graph.runtime import Runtime
from graph.settlement.switches import change_switch
from policies.breakers import Breaker, Measure
from policies.shelf import shipped_text
from policies.vocabulary import Tool

GOAL_MS: Final = 1000.0
HELD: Final = 5
"""Refunds that are held at once: what a busy shop holds within the ten minutes of the shipped policy."""
MAX_TURNS: Final = 5
_STILL: Final = "SELECT count(*) FROM effect WHERE kind = 'refund' AND state = 'held'"
_BREAKER: Final = Breaker("bench", Measure.TOOL_ERRORS, window_s=900, tool=Tool.STRIPE_REFUND)


def stop(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Milliseconds until nothing is held any more."""
    rounds = 1 if is_quick else 5
    with opened_place() as place, doubles(place) as control:
        return asyncio.run(_measure(place, control, rounds, say))


async def _measure(place: Place, control: SandboxControl, rounds: int, say: Callable[[str], None]) -> list[Row]:
    switches, breakers = [], []
    async with open_advancer(place.settings, place.storage) as (advancer, database):
        bench = await prepared(advancer, database, control)
        runtime = advancer.runtime
        async with database.tenant(TENANT) as session:
            await publish(session, TENANT, shipped_text(), author="bench", now=runtime.now())
        for number in range(rounds):
            switches.append(await _stopped(place, bench, lambda: _switch(database, runtime, is_off=True)))
            await _switch(database, runtime, is_off=False)
            breakers.append(await _stopped(place, bench, lambda: _trip(database, runtime)))
            async with database.tenant(TENANT) as session:
                await reset(
                    session,
                    TENANT,
                    _BREAKER.breaker_id,
                    reason="bench",
                    actor="bench",
                    now=runtime.now(),
                    new_id=runtime.new_id,
                )
            say(f"stop round {number + 1} of {rounds}: {switches[-1]:.0f} ms by a switch, {breakers[-1]:.0f} by a trip")
    parts = {"held": float(HELD), "poll_ms": 1000 * place.settings.worker.poll_s}
    return [
        Row("stop by a switch", Sample.of(switches), "ms", None, GOAL_MS, is_limit=True, parts=parts),
        Row("stop by a breaker", Sample.of(breakers), "ms", None, GOAL_MS, is_limit=True, parts=parts),
    ]


async def _stopped(place: Place, bench: Bench, turn: Callable[[], Awaitable[None]]) -> float:
    """Milliseconds from the turn until nothing is held, with as many refunds held as stated.

    Raises:
        RuntimeError: the refunds are not held, or are held still.
    """
    runtime = bench.advancer.runtime
    for _ in range(HELD):
        ticket_id = await bench.arrive()
        for _ in range(MAX_TURNS):
            await advance(bench.advancer, TENANT, ticket_id)
    if (held := asked(place, _STILL)) != HELD:
        raise RuntimeError(f"{held:.0f} refunds are held and not {HELD}: look at the shipped policy's hold")
    started = time.perf_counter()
    await turn()
    await stop_in_vain(runtime.sessions, TENANT, now=runtime.now(), new_id=runtime.new_id)
    took_ms = 1000 * (time.perf_counter() - started)
    if held := asked(place, _STILL):
        raise RuntimeError(f"{held:.0f} refunds are held still")
    return took_ms


async def _switch(database: Database, runtime: Runtime, *, is_off: bool) -> None:
    async with database.tenant(TENANT) as session:
        await change_switch(
            session,
            tenant_id=TENANT,
            tool=Tool.STRIPE_REFUND.value,
            is_off=is_off,
            reason="bench",
            actor="bench",
            now=runtime.now(),
            new_id=runtime.new_id,
        )


async def _trip(database: Database, runtime: Runtime) -> None:
    async with database.tenant(TENANT) as session:
        await trip(session, TENANT, _BREAKER, cause="bench", figures={}, now=runtime.now(), new_id=runtime.new_id)
