"""The parent's side of the nursery: what a child shall be, and orders to make, kill and count them."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from app.settings import SANDBOX_FILE, Settings

WORKER: Final = "worker"
DOOR: Final = "door"
"""The web process."""


@dataclass(frozen=True, slots=True)
class Birth:
    """What a child is.

    Args:
        role: `worker` or `door`.
        folder: the data folder; its settings file names the doubles.
        database_url: for the application's role.
        log: a file that gets what it says.
        trace: a file that gets the points it passes; empty for a process that is not watched.
        kill_at: see `Tracer`.
        kill_nth: see `Tracer`.
        settings: further settings, by name.
    """

    role: str
    folder: str
    database_url: str
    log: str
    trace: str = ""
    kill_at: str | None = None
    kill_nth: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def settings_of(folder: Path, database_url: str, more: Mapping[str, Any]) -> Settings:
    """The settings of a sandboxed data folder on some database."""
    values = tomllib.loads((folder / SANDBOX_FILE).read_text("utf-8"))
    return Settings(**{"data_dir": folder, "database_url": database_url, **values, **more})


class Nursery:
    """One nursery process, as a context manager. It takes some seconds to start; `ready` waits for it.

    Args:
        log: a file that gets what it says.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self._output: IO[bytes] | None = None
        self._ended: set[int] = set()

    def __enter__(self) -> Self:
        self._output = self._log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "evals.trials.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._output is not None
        self._process.stdin.close()  # it ends its children and itself
        self._process.wait()
        self._process.stdout.close()
        self._output.close()

    def ready(self) -> None:
        """Wait until it has loaded everything.

        Raises:
            RuntimeError: it did not start.
        """
        if not self._answer().get("ready"):
            raise RuntimeError(f"the nursery of workers did not start: see {self._log}")

    def start(self, birth: Birth) -> int:
        """A new child; its process id."""
        return int(self._order({"start": asdict(birth)})["pid"])

    def kill(self, child: int) -> None:
        """End a child with SIGKILL, if it still lives."""
        self._order({"kill": child})
        self._ended.add(child)

    def has_ended(self, child: int) -> bool:
        """Whether a child has died."""
        if child not in self._ended:
            self._ended.update(self._order({"who": "ended"})["ended"])
        return child in self._ended

    def _order(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the nursery of workers has ended: see {self._log}")
        answer: dict[str, Any] = json.loads(line)
        return answer
