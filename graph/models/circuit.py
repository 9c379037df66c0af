"""A circuit breaker for one model: after failures in a row it is passed over for a while, then tried with one call.

It keeps tickets from waiting for a vendor that is away. It is of one process and forgets with it; breakers of a policy
(`graph.breakers`) count errors over all processes and take autonomy back, which this one never does.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final

FAILURES: Final = 4
"""In a row; fewer happen to a healthy service."""
REST_S: Final = 30.0


class Circuit:
    """The breaker of one model. Safe to share between threads.

    Args:
        clock: seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._opened_at: float | None = None

    def admits(self) -> bool:
        """Whether to ask now. After its rest, it admits one and rests again until that one has worked."""
        with self._lock:
            if self._opened_at is None:
                return True
            if self._clock() - self._opened_at < REST_S:
                return False
            self._opened_at = self._clock()
            return True

    def worked(self) -> None:
        """The model answered, whatever it said."""
        with self._lock:
            self._failures = 0
            self._opened_at = None

    def failed(self) -> None:
        """The model was not there."""
        with self._lock:
            self._failures += 1
            if self._failures >= FAILURES:
                self._opened_at = self._clock()
