"""Every point at which a process touches the world: each statement, commit, request and answer, before and after.

Put into a process when it starts, below the product: psycopg's one door to a connection, and the HTTP library under the
adapters. A point is named by what led to it, what it does and how often that was done, so that its name is the same in
every run. At a chosen point the process kills itself with SIGKILL: nothing of it is cleaned up.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, ParamSpec, TypeVar

import psycopg
import urllib3.connection

T = TypeVar("T")
P = ParamSpec("P")

ORIGIN: Final[ContextVar[str]] = ContextVar("origin", default="queue")
"""What the present task works on; `queue` is the queue library's own loop."""

PERIODIC: Final = frozenset({"queue", "look"})
"""Origins that come back for as long as the process lives: only their first turns are points."""
TURNS: Final = 2

_SHOWN: Final = 48
_WAITS: Final = {"_commit_gen": "COMMIT", "_rollback_gen": "ROLLBACK", "_sync_gen": "SYNC", "_exit_gen": "SYNC"}
"""psycopg's generators that are a round trip without a statement."""


@dataclass(slots=True)
class Tracer:
    """Names the points of this process as they come, writes them down, and dies at the chosen one.

    Args:
        trace: an open file descriptor that each point's name is appended to, so that it outlives the process.
        kill_at: the name of the point to die at.
        kill_nth: dies at the so manieth point that is not periodic.
    """

    trace: int
    kill_at: str | None = None
    kill_nth: int | None = None
    _seen: Counter[str] = field(default_factory=Counter)
    _passed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reach(self, what: str) -> Callable[[str], None]:
        """A touch of the world begins; call what is returned with each side of it: `before`, `sent`, `after`."""
        origin = ORIGIN.get()
        with self._lock:
            self._seen[f"{origin} {what}"] += 1
            turn = self._seen[f"{origin} {what}"]
        counts = origin not in PERIODIC or turn <= TURNS

        def side(name: str) -> None:
            if counts:
                self._pass(f"{origin} {what} #{turn} {name}", is_periodic=origin in PERIODIC)

        return side

    def _pass(self, point: str, *, is_periodic: bool) -> None:
        with self._lock:
            self._passed += not is_periodic
            os.write(self.trace, f"{point}\n".encode())
            if point == self.kill_at or (not is_periodic and self._passed == self.kill_nth):
                os.write(self.trace, b"KILLED\n")
                os.kill(os.getpid(), signal.SIGKILL)


def install(tracer: Tracer) -> None:
    """Hook this process, for the rest of its life."""
    _hook_database(tracer)
    _hook_http(tracer)


def labelled(origin: str, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """The function, with what it touches put down to `origin`."""

    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        token = ORIGIN.set(origin)
        try:
            return await function(*args, **kwargs)
        finally:
            ORIGIN.reset(token)

    return run


def _hook_database(tracer: Tracer) -> None:
    wait = psycopg.AsyncConnection.wait

    async def watched(
        self: psycopg.AsyncConnection[Any],
        gen: Generator[Any, Any, T],
        *args: Any,  # noqa: ANN401 - handed on
        **kwargs: Any,  # noqa: ANN401
    ) -> T:
        what = _statement(gen)
        if what is None:
            return await wait(self, gen, *args, **kwargs)
        side = tracer.reach(what)
        side("before")
        answer = await wait(self, gen, *args, **kwargs)
        side("after")
        return answer

    psycopg.AsyncConnection.wait = watched  # type: ignore[method-assign]


def _statement(gen: Any) -> str | None:  # noqa: ANN401 - a generator, whose frame no type has
    """What a round trip is about, in a few words and a digest; None for one that is no touch, such as listening."""
    name = gen.__name__
    if name in _WAITS:
        return _WAITS[name]
    frame = gen.gi_frame
    query = frame.f_locals.get("query") if frame is not None else None
    if query is None:
        return None
    told = " ".join((query.decode() if isinstance(query, bytes) else str(query)).split())
    return f"{told[:_SHOWN]} [{hashlib.sha256(told.encode()).hexdigest()[:6]}]"


def _hook_http(tracer: Tracer) -> None:
    connection = urllib3.connection.HTTPConnection
    request, getresponse = connection.request, connection.getresponse
    under_way = threading.local()

    def sending(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        side = under_way.side = tracer.reach(f"{method} {_path(url)}")
        side("before")
        request(self, method, url, *args, **kwargs)
        side("sent")

    def receiving(self: Any) -> Any:  # noqa: ANN401
        answer = getresponse(self)
        under_way.side("after")
        return answer

    connection.request = sending  # type: ignore[method-assign]
    connection.getresponse = receiving  # type: ignore[method-assign]


def _path(url: str) -> str:
    """The path without its ids and its query, which differ between runs."""
    parts = url.partition("?")[0].split("/")
    return "/".join("*" if any(letter.isdigit() for letter in part[1:]) else part for part in parts)
