"""Several workers in one process, of which exactly one moves at a time; a seed decides which, and who dies.

A worker stops before each statement and commit and around each request, and moves on when it is chosen. Where the
database makes it wait for a lock, which PostgreSQL itself tells, others move until the lock is free. Promises the same
history for the same seed. It refuses to guess by the clock: a worker counts as blocked only if the database says so.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, ParamSpec, TypeVar

import psycopg

T = TypeVar("T")
P = ParamSpec("P")

PATIENCE_S: Final = 30.0
LOOK_S: Final = 0.02
_NOT_OURS: Final = ("Composed", "show ", "select pg_catalog.version", "select current_schema", "BEGIN; SET LOCAL")
"""What a driver asks on a new connection, and the naming of the tenant: no state is in it."""


class Killed(BaseException):
    """The process died here."""


class Stuck(RuntimeError):
    """Nobody can move any more."""


@dataclass(slots=True)
class Logical:
    """One worker: where it stands, and whether it is allowed to move. `backend` is that of its transaction."""

    name: str
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    label: str = "begin"
    backend: int | None = None
    died_as: int | None = None
    is_asking: bool = False
    is_doomed: bool = False
    is_dead: bool = False
    is_done: bool = False


_CURRENT: Final[ContextVar[Logical | None]] = ContextVar("logical", default=None)


async def _pause(label: str) -> None:
    """A point: wait to be chosen. Outside of a scheduler, and for what a dead process leaves to its server, none."""
    me = _CURRENT.get()
    if me is None or me.is_dead:
        return
    me.label = label
    me.arrived.set()
    await me.go.wait()
    me.go.clear()
    if me.is_doomed:
        me.is_dead = True
        raise Killed(f"{me.name} at {label}")


@dataclass(slots=True)
class Scheduler:
    """Chooses who moves.

    Args:
        chance: decides; nothing else does.
        monitor: a connection that asks PostgreSQL who waits for whom.
        kill_rate: the share of steps that are a worker's last.
        kill_at: the one step that is, where it is chosen and not drawn.
    """

    chance: random.Random
    monitor: psycopg.AsyncConnection[Any]
    kill_rate: float
    kill_at: int | None = None
    steps: int = 0
    kills: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)

    @property
    def trace(self) -> str:
        """A digest of the whole history: two runs with the same one went the same way."""
        return str(self._digest.hexdigest()[:16])

    async def run(self, works: Mapping[str, Sequence[Callable[[], Awaitable[object]]]]) -> None:
        """Let each worker do its works one after the other; a killed one begins anew with its next work.

        Raises:
            Stuck: nobody could move.
        """
        workers = [Logical(name) for name in sorted(works)]
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(_life(worker, works[worker.name]))
            blocked: list[Logical] = []
            for worker in workers:
                await worker.arrived.wait()
            while not all(worker.is_done for worker in workers):
                ready = [one for one in workers if not one.is_done and one not in blocked]
                if blocked:
                    # Who is waited for moves first: of two that wait for one lock, PostgreSQL would choose the next.
                    holders = await self._waits_for(blocked[-1])
                    ready = [one for one in ready if one.backend in holders]
                if not ready:
                    await self._free(blocked, patient=True)
                    continue
                chosen = self.chance.choice(ready)
                self.steps += 1
                chosen.is_doomed = chosen.label != "begin" and self._dies_here()
                self._note(f"{chosen.name} {chosen.label} {chosen.is_doomed}")
                self.kills += chosen.is_doomed
                chosen.arrived.clear()
                chosen.go.set()
                if not await self._settled(chosen):
                    blocked.append(chosen)
                elif chosen.died_as is not None:
                    await self._cleared(chosen)
                await self._free(blocked, patient=False)

    def _dies_here(self) -> bool:
        return self.chance.random() < self.kill_rate if self.kill_at is None else self.steps == self.kill_at

    def _note(self, line: str) -> None:
        self._digest.update(f"{line}\n".encode())

    async def _free(self, blocked: list[Logical], *, patient: bool) -> None:
        """Take from the list who no longer waits for a lock."""
        for worker in list(blocked):
            is_free = worker.arrived.is_set() or patient or not await self._waits_for(worker)
            if is_free and await self._settled(worker):
                blocked.remove(worker)
                self._note(f"{worker.name} free")

    async def _settled(self, worker: Logical) -> bool:
        """Wait until the worker stands at its next point; false where a lock holds it up.

        Raises:
            Stuck: it neither moves nor waits for a lock.
        """
        for _ in range(round(PATIENCE_S / LOOK_S)):
            try:
                await asyncio.wait_for(worker.arrived.wait(), LOOK_S)
            except TimeoutError:
                if await self._waits_for(worker):
                    return False
            else:
                return True
        raise Stuck(f"worker {worker.name} does not come back from {worker.label!r}")

    async def _waits_for(self, worker: Logical) -> frozenset[int]:
        """The backends whose locks the worker's statement waits for."""
        if not worker.is_asking:
            return frozenset()
        asked = await self.monitor.execute("SELECT unnest(pg_blocking_pids(%s))", [worker.backend])
        return frozenset(row[0] for row in await asked.fetchall())

    async def _cleared(self, worker: Logical) -> None:
        """Wait until the server has rolled back what a killed worker was at."""
        for _ in range(round(PATIENCE_S / LOOK_S)):
            asked = await self.monitor.execute(
                "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND xact_start IS NOT NULL", [worker.died_as]
            )
            if await asked.fetchone() is None:
                worker.died_as = None
                return
            await asyncio.sleep(LOOK_S / 10)
        raise Stuck(f"the server keeps the transaction of {worker.name}, which is dead")


async def _life(worker: Logical, works: Sequence[Callable[[], Awaitable[object]]]) -> None:
    _CURRENT.set(worker)
    for work in works:
        worker.is_dead = worker.is_doomed = False
        worker.backend = None
        try:
            await _pause("begin")
            await work()
        except Killed:
            worker.died_as = worker.backend
    worker.is_done = True
    worker.arrived.set()


@contextmanager
def interposed() -> Iterator[None]:
    """Points are put into this process for as long as the block lasts."""
    wait, to_thread = psycopg.AsyncConnection.wait, asyncio.to_thread

    async def watched(
        self: psycopg.AsyncConnection[Any],
        gen: Generator[Any, Any, T],
        *args: Any,  # noqa: ANN401 - handed on
        **kwargs: Any,  # noqa: ANN401
    ) -> T:
        me = _CURRENT.get()
        label, ends = (None, False) if me is None else (_statement(gen), _ends(gen))
        if me is not None:
            if label is not None:
                await _pause(label)
            me.backend, me.is_asking = self.info.backend_pid, True
        try:
            return await wait(self, gen, *args, **kwargs)
        finally:
            if me is not None:
                me.is_asking = False
                if ends and not me.is_dead:
                    me.backend = None  # it holds nothing any more, and the connection may become another worker's

    async def threaded(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        name = getattr(function, "__name__", "call")
        await _pause(f"{name} before")
        answer = await to_thread(function, *args, **kwargs)
        await _pause(f"{name} after")
        return answer

    psycopg.AsyncConnection.wait = watched  # type: ignore[method-assign]
    asyncio.to_thread = threaded
    try:
        yield
    finally:
        psycopg.AsyncConnection.wait = wait  # type: ignore[method-assign]
        asyncio.to_thread = to_thread


def _ends(gen: Any) -> bool:  # noqa: ANN401 - a generator, whose name no type has
    """Whether it ends a transaction."""
    return gen.__name__ in {"_commit_gen", "_rollback_gen"}


def _statement(gen: Any) -> str | None:  # noqa: ANN401 - a generator, whose frame no type has
    if gen.__name__ == "_commit_gen":
        return "COMMIT"
    frame = gen.gi_frame
    query = frame.f_locals.get("query") if frame is not None else None
    if query is None:
        return None
    told = " ".join((query.decode() if isinstance(query, bytes) else str(query)).split())
    return None if told.startswith(_NOT_OURS) else told[:60]
