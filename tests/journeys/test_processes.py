"""Real worker processes: one is killed in the middle of a run, another one finishes it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.sandbox.faults import FaultKind
from tests.journeys.shop import Shop, charged_twice

pytestmark = [
    pytest.mark.journey,
    pytest.mark.timeout(240),
]


class Worker:
    """A worker process and what it says."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.main", "worker"], stdout=out, stderr=out, env=environment
            )

    @property
    def name(self) -> str | None:
        """What it calls itself, once it is ready."""
        ready = [line for line in self.log.read_text("utf-8").splitlines() if line.endswith(" is ready")]
        return ready[0].removeprefix("worker ").removesuffix(" is ready") if ready else None

    def dies(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stops(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.dies()


@contextmanager
def workers(shop: Shop, database_url: str, count: int) -> Iterator[list[Worker]]:
    environment = {
        **os.environ,
        "COUNTERSIGN_DATA_DIR": str(shop.settings.data_dir),
        "COUNTERSIGN_DATABASE_URL": database_url,
        "COUNTERSIGN_WORKER__LEASE_S": "2",
        "COUNTERSIGN_WORKER__POLL_S": "0.3",
        "COUNTERSIGN_MODELS__THREADS": "1",
    }
    started = [Worker(shop.settings.data_dir / f"worker-{number}.log", environment) for number in range(count)]
    try:
        yield started
    finally:
        for worker in started:
            worker.stops()


async def until(what: str, holds: Callable[[], Awaitable[object]], *, within_s: float = 90.0) -> None:
    for _ in range(round(within_s / 0.1)):
        if await holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"not within {within_s} s: {what}")


async def test_a_killed_workers_run_is_finished_by_another_with_one_refund(shop: Shop, database_url: str) -> None:
    async def finished() -> bool:
        return any(row["state"] == "ended" for row in await shop.rows("SELECT state FROM run"))

    async def held() -> bool:
        return bool(await shop.rows("SELECT 1 FROM effect WHERE kind = 'refund' AND state = 'held'"))

    async def in_the_middle() -> bool:
        return ("stripe.charges.list", FaultKind.TIMEOUT_BEFORE_EFFECT) in shop.faults.struck

    with workers(shop, database_url, 2) as (first, second):

        async def both_ready() -> bool:
            assert first.process.poll() is None, first.log.read_text()
            assert second.process.poll() is None, second.log.read_text()
            return first.name is not None and second.name is not None

        await until("both workers ready", both_ready)
        shop.goes_wrong("stripe.charges.list", FaultKind.TIMEOUT_BEFORE_EFFECT, delay_s=20.0)
        ticket = await shop.is_opened(charged_twice())
        await until("a worker reads the charges", in_the_middle)
        (lease,) = await shop.rows("SELECT holder FROM ticket_lease")
        holder, other = (first, second) if lease["holder"] == first.name else (second, first)
        assert lease["holder"] == holder.name
        holder.dies()
        await until("the other worker reserves the refund", held)
        (lease,) = await shop.rows("SELECT holder, token FROM ticket_lease")
        assert lease["holder"] == other.name
        assert lease["token"] >= 2
        shop.clock.advance(660)
        await until("the run has ended", finished)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)
    await asyncio.to_thread(lambda: shop.runtime.tenant(shop.tenant).zendesk.bot_user_id)
    assert len(shop.said(ticket, public=True)) == 1
    assert (await shop.rows("SELECT count(*) AS n FROM run"))[0]["n"] == 1
    await shop.balanced()
