"""The whole service as processes, as it stands on one machine: doubles, web process, any number of workers.

For benches that look at it from outside: over HTTP, in the database, and at what each process uses.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import psycopg

from app.runtime import open_advancer
from connectors.sandbox.control import SandboxControl
from connectors.sandbox.world.model import Setting
from connectors.sandbox.world.reading import read_yaml
from evals.bench.place import Place, process
from evals.bench.run import WORLD, furnish

READY: Final = re.compile(r"^worker \S+ is ready$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Used:
    """What processes of one kind have used so far."""

    cpu_s: float
    memory_mb: float


@contextmanager
def workers(place: Place, count: int) -> Iterator[None]:
    """So many worker processes, for as long as the block lasts; each has its model loaded."""
    with ExitStack() as running:
        for number in range(count):
            log = place.settings.data_dir / f"worker-{number}.log"
            running.enter_context(
                process("-m", "app.main", "worker", config=place.config_path, log=log, answers=_says_ready(log))
            )
        yield


def _says_ready(log: Path) -> Callable[[], bool]:
    return lambda: READY.search(log.read_text("utf-8", errors="replace")) is not None


async def furnished(place: Place) -> None:
    """The tenant's policy and documents."""
    async with open_advancer(place.settings, place.storage, pool_size=2) as (advancer, database):
        await furnish(advancer, database)


def tickets(control: SandboxControl, first: int, count: int) -> list[str]:
    """New tickets in the doubles, each of another customer with a charge made twice; their ids."""
    made = []
    for number in range(first, first + count):
        setting = read_yaml(WORLD.format(number=number, order=100_000 + number), Setting, name="the bench's world")
        made.append(str(control.load(setting).keys.tickets[0]))
    return made


def used(place: Place) -> dict[str, Used]:
    """What each kind of process has used so far: `web`, `worker`, `doubles`, `postgres`."""
    kinds: dict[str, list[psutil.Process]] = {"web": [], "worker": [], "doubles": [], "postgres": _postgres(place)}
    for child in psutil.Process().children():
        words = child.cmdline()
        for kind, word in (("web", "serve"), ("worker", "worker"), ("doubles", "evals.bench.doubles")):
            if word in words:
                kinds[kind].append(child)
    return {kind: _of(processes) for kind, processes in kinds.items()}


def _postgres(place: Place) -> list[psutil.Process]:
    pid = int((place.settings.data_dir / "pg" / "postmaster.pid").read_text("utf-8").splitlines()[0])
    postmaster = psutil.Process(pid)
    return [postmaster, *postmaster.children(recursive=True)]


def _of(processes: Sequence[psutil.Process]) -> Used:
    """The sum of CPU, children that ended included; the largest resident memory of one process, in 10^6 bytes."""
    seconds, memory = 0.0, 0.0
    for one in processes:
        try:
            times, resident = one.cpu_times(), one.memory_info().rss
        except psutil.NoSuchProcess:  # a connection's process that has ended meanwhile; its parent has counted it
            continue
        seconds += times.user + times.system + times.children_user + times.children_system
        memory = max(memory, resident / 1e6)
    return Used(seconds, memory)


def asked(place: Place, statement: str, *values: object) -> float:
    """The one figure that a statement gives, as the owner of the tables."""
    with psycopg.connect(place.storage.admin_url, autocommit=True) as admin:
        row = admin.execute(statement.encode(), values).fetchone()
    return float(row[0]) if row is not None and row[0] is not None else 0.0


def until(holds: Callable[[], bool], timeout_s: float, what: str) -> float:
    """Seconds until it holds.

    Raises:
        RuntimeError: it does not within the time.
    """
    started = time.perf_counter()
    while not holds():
        if time.perf_counter() - started > timeout_s:
            raise RuntimeError(f"{what} not within {timeout_s:.0f} s")
        time.sleep(0.05)
    return time.perf_counter() - started
