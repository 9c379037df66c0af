"""What holds up an event loop: calls that wait, made by code of ours in a thread whose loop is running.

Nothing is timed, so nothing depends on the machine. Seen are sleeping, looking up and connecting to a host, starting a
process, and reading from a socket as every synchronous HTTP client does.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
OURS: Final = ("app", "connectors", "evals", "graph", "kb", "policies")
ALLOWED: Final = (
    str(ROOT / "connectors" / "sandbox"),
    str(Path(asyncio.__file__).parent / "base_subprocess"),
    str(Path(asyncio.__file__).parent / "unix_events"),
)
"""The vendors' doubles may wait: they do it to be slow on purpose. The loop starts a process as nobody else can."""
WAITS: Final = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen", "os.system"})

_found: list[str] | None = None


@contextmanager
def watched() -> Iterator[list[str]]:
    """What of ours held up a loop within the block, and where."""
    global _found  # noqa: PLW0603 - an audit hook is for the whole process, and for good
    around, found = _found, list[str]()
    _found = found
    try:
        yield found
    finally:
        _found = around


def _note(what: str) -> None:
    if _found is None or asyncio._get_running_loop() is None:  # of this thread, without an error where there is none
        return
    stack = traceback.extract_stack()
    frames = [frame for frame in stack if _is_ours(frame.filename)]
    if frames and not any(frame.filename.startswith(ALLOWED) for frame in stack):
        _found.append(f"{what} from {frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}")


def _is_ours(file_name: str) -> bool:
    return any(file_name.startswith(f"{ROOT / package}{os.sep}") for package in OURS)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in WAITS or (event == "socket.connect" and arguments[0].gettimeout() != 0):
        _note(event)


def _through(what: str, function: Any) -> Any:
    def call(*arguments: Any, **named: Any) -> Any:
        _note(what)
        return function(*arguments, **named)

    return call


sys.addaudithook(_hear)
socket.SocketIO.readinto = _through("reading from a socket", socket.SocketIO.readinto)  # type: ignore[method-assign]
time.sleep = _through("time.sleep", time.sleep)
