"""Rows `start`: how long until a command answers, the web process is ready, and a second demo has its first ticket.

Each is a fresh process. The web process is ready when it answers its health check with the database asked; its database
server is up already, as in every installation. The demo starts twice in one folder, as `make demo` does; the second
start is measured, with its own database server, its doubles, a worker with its model, and a ticket to its end.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from evals.bench.place import LOOPBACK, Place, opened_place, web
from evals.bench.rows import Row, Sample

HELP_GOAL_S: Final = 0.5
SERVE_GOAL_S: Final = 3.0
DEMO_GOAL_S: Final = 20.0
DEMO_TIMEOUT_S: Final = 300.0


def startup(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Seconds until each is there, beside an interpreter that does nothing."""
    rounds, demos = (2, 1) if is_quick else (7, 3)
    helps, bares = [], []
    for _ in range(rounds):
        bares.append(_seconds("-c", "pass"))
        helps.append(_seconds("-m", "app.main", "--help"))
    say(f"start: --help after {Sample.of(helps).median:.2f} s")
    with opened_place() as place:
        began_s = _children_cpu_s()
        serves = [_served(place) for _ in range(rounds)]
        serve_cpu_s = (_children_cpu_s() - began_s) / rounds
    say(f"start: serve is ready after {Sample.of(serves).median:.2f} s")
    demoed = _demos(demos, say)
    return [
        Row("start --help", Sample.of(helps), "s", Sample.of(bares), HELP_GOAL_S, is_limit=True),
        Row(
            "start serve, ready",
            Sample.of(serves),
            "s",
            None,
            SERVE_GOAL_S,
            is_limit=True,
            parts={"cpu_s": serve_cpu_s},
        ),
        Row("start second demo, first ticket", Sample.of(demoed), "s", None, DEMO_GOAL_S, is_limit=True),
    ]


def _seconds(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)  # noqa: S603 - our own interpreter
    return time.perf_counter() - started


def _children_cpu_s() -> float:
    """Seconds of a core that ended children have used; they say what a start costs, however busy the machine is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _served(place: Place) -> float:
    started = time.perf_counter()
    with web(place, answers=lambda: _is_well(place.web_port)):
        return time.perf_counter() - started


def _is_well(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False


def _demos(count: int, say: Callable[[str], None]) -> list[float]:
    """Seconds from the start of a demo to the end of its one ticket, in a folder where it ran before."""
    with tempfile.TemporaryDirectory(prefix="cs-demo-", ignore_cleanup_errors=True) as folder:
        _demo(Path(folder))
        seconds = []
        for number in range(count):
            seconds.append(_demo(Path(folder)))
            say(f"start: demo {number + 2} in one folder has its first ticket after {seconds[-1]:.1f} s")
        return seconds


def _demo(folder: Path) -> float:
    """The whole command, its end included."""
    environment = {**os.environ, "COUNTERSIGN_DATA_DIR": str(folder)}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "app.main", "demo", "--tickets", "1", "--exit", "--json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEMO_TIMEOUT_S,
        env=environment,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the demo ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    return time.perf_counter() - started
