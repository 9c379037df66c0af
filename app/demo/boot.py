"""Booting everything on one machine: the database, sandbox, web server and worker, each in its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Final

import httpx

from app.errors import UsageError
from app.settings import PREFIX, Settings

BOOT_TIMEOUT_S: Final = 120.0
RESTART_PAUSE_S: Final = 1.0
STOP_TIMEOUT_S: Final = 10.0


@dataclass(slots=True)
class Part:
    """One process of the demo, restarted when it dies."""

    name: str
    arguments: tuple[str, ...]
    log_path: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    died_at: float | None = None


@dataclass(slots=True)
class Booted:
    """What runs. `tend` is called now and then, and starts again what has died."""

    settings: Settings
    parts: list[Part]
    _logs: list[IO[bytes]] = field(default_factory=list)

    def start(self, part: Part) -> None:
        """Start one process; its output goes to its log."""
        log = part.log_path.open("ab")
        self._logs.append(log)
        environment = {**os.environ, f"{PREFIX}DATA_DIR": str(self.settings.data_dir)}
        part.process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own command
            [sys.executable, "-m", "app.main", *part.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
        part.starts += 1
        part.died_at = None

    def tend(self) -> list[str]:
        """Start again what has died for a moment; the names of what was started."""
        started = []
        for part in self.parts:
            if part.process is None or part.process.poll() is None:
                continue
            now = time.monotonic()
            if part.died_at is None:
                part.died_at = now
            elif now - part.died_at >= RESTART_PAUSE_S:
                self.start(part)
                started.append(part.name)
        return started

    def stop(self) -> None:
        """Ask everything to stop, in reverse order, and wait; what does not listen is ended."""
        for part in reversed(self.parts):
            if part.process is not None and part.process.poll() is None:
                part.process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for part in reversed(self.parts):
            if part.process is not None:
                try:
                    part.process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    part.process.kill()
                    part.process.wait()
        for log in self._logs:
            log.close()


@contextmanager
def booted(
    settings: Settings, *, sandbox_url: str, web_url: str, seed: int, say: Callable[[str], None]
) -> Iterator[Booted]:
    """Everything started and answering, for as long as the block lasts.

    Raises:
        UsageError: a part did not start; its log is named.
    """
    logs = settings.data_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for old in logs.glob("*.log"):
        old.unlink()
    parts = [
        Part("sandbox", ("sandbox", "--seed", str(seed)), logs / "sandbox.log"),
        Part("web", ("serve",), logs / "web.log"),
        Part("worker", ("worker",), logs / "worker.log"),
    ]
    running = Booted(settings, parts)
    # Without it a demo that is asked to end would leave its processes behind.
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        for part in parts:
            running.start(part)
        say("waiting for the sandbox, the web server and the worker")
        _wait(parts[0], lambda: _answers(f"{sandbox_url}/sandbox/health"))
        _wait(parts[1], lambda: _answers(f"{web_url}/healthz"))
        _wait(parts[2], lambda: b"is ready" in parts[2].log_path.read_bytes())
        yield running
    finally:
        running.stop()
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _wait(part: Part, is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    while not is_ready():
        assert part.process is not None
        if part.process.poll() is not None or time.monotonic() > deadline:
            lines = part.log_path.read_text("utf-8", errors="replace").strip().splitlines()
            last = lines[-1] if lines else "it said nothing"
            raise UsageError(f"the {part.name} did not start: {last} (log: {part.log_path})")
        time.sleep(0.05)
