"""Rows `load`: 200 signed webhooks a second for a minute with everything on one machine, and then ten times as many.

Doubles, web process, one worker and PostgreSQL are processes of this machine; the worker works while events arrive.
Nothing is lost where every event that was answered with 2xx is a row of the inbox. The events are about some
tickets, each a charge made twice, so a backlog is left; it is drained for a stated time, which gives the rate. Ten
times the pace is more than the door can store: the sender is refused with a time to come again, and the service is as
before once it ends.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from typing import Final

import psycopg

from evals.bench.floor import asked, furnished, tickets, used, workers
from evals.bench.load import Answer, offered
from evals.bench.place import Place, doubles, opened_place, web
from evals.bench.rows import Row, Sample, percentile
from evals.bench.webhook import event_id, signed

PACE: Final = 200
BURST: Final = 10
P99_GOAL_MS: Final = 150.0
WEB_GOAL_MB: Final = 250.0
WORKER_GOAL_MB: Final = 900.0
FLAT_MB: Final = 20.0
SAMPLE_S: Final = 1.0
_TAKEN: Final = "SELECT count(*) FROM inbox_event WHERE disposition <> 'pending'"
_PENDING: Final = "SELECT count(*) FROM inbox_event WHERE disposition = 'pending'"
_ENDED: Final = "SELECT count(*) FROM run WHERE state = 'ended'"


@dataclass(slots=True)
class Memory:
    """Megabytes of the web process and of the largest worker, sampled while the block runs."""

    web_mb: list[float] = field(default_factory=list)
    worker_mb: list[float] = field(default_factory=list)

    @contextmanager
    def sampled(self, place: Place) -> Iterator[None]:
        """Look once a second."""
        stopping = threading.Event()

        def look() -> None:
            while not stopping.wait(SAMPLE_S):
                seen = used(place)
                self.web_mb.append(seen["web"].memory_mb)
                self.worker_mb.append(seen["worker"].memory_mb)

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            stopping.set()
            watcher.join()


def load(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """The pace, the backlog, and ten times the pace."""
    seconds, many, drain_s, burst_s = (5, 50, 5, 2) if is_quick else (60, 1_500, 60, 10)
    memory, steady, made = Memory(), Memory(), count(1)
    with opened_place() as place, doubles(place) as control:
        asyncio.run(furnished(place))
        arrived = tickets(control, 1, many)
        say(f"load: {many} tickets wait in the doubles")

        def events(total: int) -> tuple[list[int], list[bytes]]:
            numbers = [next(made) for _ in range(total)]
            return numbers, [signed(place, one, arrived[one % many]) for one in numbers]

        with web(place), workers(place, 1):
            asyncio.run(offered(place.web_port, events(PACE)[1], PACE))  # the first requests load what is loaded once
            with memory.sampled(place):
                with steady.sampled(place):
                    numbers, requests = events(PACE * seconds)
                    answers = asyncio.run(offered(place.web_port, requests, PACE))
                    say(f"load: {_said(answers)} in {seconds} s")
                    lost = _lost(place, numbers, answers)
                    backlog, drained, ended = _drained(place, drain_s)
                    say(f"load: of {backlog:.0f} waiting events {drained:.1f}/s are taken, {ended:.2f} runs/s end")
                burst_numbers, requests = events(BURST * PACE * burst_s)
                refusals = asyncio.run(offered(place.web_port, requests, BURST * PACE))
                say(f"load: {_said(refusals)} of ten times as many")
                burst_lost = _lost(place, burst_numbers, refusals)
                after = asyncio.run(offered(place.web_port, events(PACE * 2)[1], PACE))
    return [
        Row(
            f"load p99 at {PACE}/s",
            Sample.of([_p99_ms(answers)]),
            "ms",
            None,
            P99_GOAL_MS,
            is_limit=True,
            parts={
                "seconds": float(seconds),
                "accepted": float(len(_accepted(answers))),
                "backlog": backlog,
                "events_drained_a_second": drained,
                "runs_ended_a_second": ended,
            },
        ),
        Row(f"load lost at {PACE}/s", Sample.of([float(lost)]), "events", None, 1, is_limit=True),
        Row(
            f"load lost at {BURST * PACE}/s",
            Sample.of([float(burst_lost)]),
            "events",
            None,
            1,
            is_limit=True,
            parts={
                "offered": float(len(refusals)),
                "accepted_a_second": len(_accepted(refusals)) / burst_s,
                "refused_with_a_time": float(sum(one.status in REFUSALS and one.says_when for one in refusals)),
                "refused_without": float(sum(one.status in REFUSALS and not one.says_when for one in refusals)),
                "unanswered": float(sum(one.status == 0 for one in refusals)),
                "accepted_p99_ms": _p99_ms(refusals),
                "p99_ms_afterwards": _p99_ms(after),
            },
        ),
        Row(
            "load growth of the web process",
            Sample.of([max(0.0, _growth(steady.web_mb))]),
            "MB",
            None,
            FLAT_MB,
            is_limit=True,
        ),
        Row("load memory, web", Sample.of(memory.web_mb), "MB", None, WEB_GOAL_MB, is_limit=True),
        Row("load memory, worker", Sample.of(memory.worker_mb), "MB", None, WORKER_GOAL_MB, is_limit=True),
    ]


REFUSALS: Final = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}


def _accepted(answers: Sequence[Answer]) -> list[Answer]:
    return [one for one in answers if one.status == HTTPStatus.ACCEPTED]


def _p99_ms(answers: Sequence[Answer]) -> float:
    return 1000 * percentile([one.seconds for one in _accepted(answers)], 0.99)


def _said(answers: Sequence[Answer]) -> str:
    statuses = Counter(one.status for one in answers)
    return ", ".join(f"{many} x {status or 'no answer'}" for status, many in sorted(statuses.items()))


def _lost(place: Place, numbers: Sequence[int], answers: Sequence[Answer]) -> int:
    """Events that were answered with 2xx and are not in the inbox."""
    promised = [
        event_id(one)
        for one, answer in zip(numbers, answers, strict=True)
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
    ]
    with psycopg.connect(place.storage.admin_url) as admin:
        rows = admin.execute("SELECT event_id FROM inbox_event WHERE event_id = ANY(%s)", [promised]).fetchall()
    return len(set(promised) - {str(row[0]) for row in rows})


def _drained(place: Place, seconds: float) -> tuple[float, float, float]:
    """The backlog, and how many of its events are taken, and runs ended, a second."""
    backlog, taken, ended = asked(place, _PENDING), asked(place, _TAKEN), asked(place, _ENDED)
    started = time.perf_counter()
    time.sleep(seconds)
    took = time.perf_counter() - started
    return backlog, (asked(place, _TAKEN) - taken) / took, (asked(place, _ENDED) - ended) / took


def _growth(samples: Sequence[float]) -> float:
    """How much more the last tenth of the samples has than the first after the start."""
    tenth = max(1, len(samples) // 10)
    return sum(samples[-tenth:]) / tenth - sum(samples[:tenth]) / tenth
