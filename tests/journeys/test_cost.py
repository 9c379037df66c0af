"""What a run costs: statements, transactions and checkpoints, counted; and that nothing in it holds up the event loop.

Counts and no times, so that they are the same on every machine. More than is stated here wants a reason.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event

from graph.runs.advance import Advancer, advance
from graph.settlement.send import send
from tests.journeys.blocking import ROOT, watched
from tests.journeys.shop import Shop, charged_twice

STATEMENTS: Final = 300
"""283 where no webhook of our own updates comes in meanwhile; for each that does, the run looks once more."""
TRANSACTIONS: Final = 74
CHECKPOINTS: Final = 15
CHECKPOINT_CHARACTERS: Final = 62_000


@contextmanager
def counting(counts: Counter[str]) -> Iterator[None]:
    """Count what this thread asks the database for within the block."""
    here = threading.get_ident()

    def note(what: str, *_: Any) -> None:
        if threading.get_ident() == here:
            counts[what] += 1

    listeners = {"after_cursor_execute": partial(note, "statements"), "commit": partial(note, "transactions")}
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)


async def test_a_refund_from_message_to_answer(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    # A long lease, so that no renewal falls into the count on a slow machine.
    advancer = Advancer(replace(shop.runtime, lease_s=600.0), shop.advancer.machines)
    ticket = await shop.is_opened(charged_twice())
    await shop._delivered()
    counts: Counter[str] = Counter()
    with counting(counts):
        await advance(advancer, shop.tenant, ticket)
    shop.clock.advance(11 * 60)
    for effect in await shop._column("SELECT effect_id FROM effect WHERE state = 'held'"):
        with counting(counts):
            await send(advancer.sender(shop.tenant), shop.tenant, effect)
    with counting(counts):
        await advance(advancer, shop.tenant, ticket)
    assert await shop.outcome(ticket) == ("resolved", None)
    (kept,) = await shop.rows(
        "SELECT count(*) AS checkpoints, sum(length(checkpoint::text) + length(metadata::text)) AS characters"
        " FROM checkpoints"
    )
    with capsys.disabled():
        sys.stdout.write(f"\none refund: {dict(counts)}, {dict(kept)}\n")
    assert counts["statements"] <= STATEMENTS
    assert counts["transactions"] <= TRANSACTIONS
    assert kept["checkpoints"] <= CHECKPOINTS
    assert kept["characters"] <= CHECKPOINT_CHARACTERS


async def test_what_blocks_is_seen() -> None:
    """As if a module of ours did it: sleep, and ask another host."""
    lines = "def wait():\n    time.sleep(0.001)\n\n\ndef ask():\n    socket.create_connection(('127.0.0.1', 1))\n"
    made: dict[str, Any] = {"time": time, "socket": socket}
    exec(compile(lines, str(ROOT / "graph" / "made.py"), "exec"), made)
    with watched() as found:
        made["wait"]()
        with suppress(OSError):
            made["ask"]()
        await asyncio.to_thread(made["wait"])
    assert [one.rsplit("/", 1)[0].split(" from ")[0] for one in found] == [
        "time.sleep",
        "socket.getaddrinfo",
        "socket.connect",
    ]
    assert [one.rsplit(":", 1)[1] for one in found] == ["2 in wait", "6 in ask", "6 in ask"]
