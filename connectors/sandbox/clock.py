"""Business time of the sandbox: the machine's clock plus an offset that can only grow.

The offset lives in a small file, so that the doubles, the web process and every worker of one data folder see the same
time. Hold windows and the pruning of idempotency keys then pass in moments.
"""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path


class SandboxClock:
    """A clock that is shared through `path` and moves forward on demand.

    Readers see an advance at once: the file is replaced atomically and read at each call (some ten microseconds).
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        """The sandbox's time, aware and in UTC."""
        return datetime.now(UTC) + timedelta(seconds=self._offset_s())

    def advance(self, seconds: float) -> datetime:
        """Move the clock forward for everybody who shares the file; the new time."""
        if seconds < 0:
            raise ValueError(f"the sandbox clock only moves forward, not by {seconds} s")
        offset_s = self._offset_s() + seconds
        with tempfile.NamedTemporaryFile("w", dir=self._path.parent, delete=False) as scratch:
            json.dump({"offset_s": offset_s}, scratch)
        Path(scratch.name).replace(self._path)
        return self.now()

    def _offset_s(self) -> float:
        try:
            return float(json.loads(self._path.read_text())["offset_s"])
        except FileNotFoundError:
            return 0.0
