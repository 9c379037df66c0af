"""Faults on demand, on a seed.

A fault names a place (`stripe.refunds.create`, `zendesk.tickets.update`, `zendesk.*`), a kind and how often it strikes.
A double asks `Faults.next(place)` once per request, before it does anything, and obeys the answer.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


class FaultKind(StrEnum):
    """What goes wrong. `effect` says whether the double's state has changed when the caller sees the fault."""

    TIMEOUT_BEFORE_EFFECT = "timeout_before_effect"
    TIMEOUT_AFTER_EFFECT = "timeout_after_effect"
    RESET_BEFORE_EFFECT = "reset_before_effect"
    RESET_AFTER_EFFECT = "reset_after_effect"
    TOO_MANY_REQUESTS = "429"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    TRUNCATED_BODY = "truncated_body"
    FORBIDDEN = "403"
    WEBHOOK_DUPLICATED = "webhook_duplicated"
    WEBHOOK_OUT_OF_ORDER = "webhook_out_of_order"
    WEBHOOK_DROPPED = "webhook_dropped"


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of a fault file.

    `at` may hold `*`. `times` strikes are made, the first after `skip` matching requests; `probability` (0 to 1)
    decides each one on the seed; `delay_s` is how long a time-out keeps the caller waiting before the connection is
    closed; `retry_after_s` is what a 429 or 503 asks for.
    """

    at: str
    kind: FaultKind
    times: int = 1
    skip: int = 0
    probability: float = 1.0
    delay_s: float = 30.0
    retry_after_s: int = 1


class Faults:
    """The faults still to strike. Safe to share between threads; the same seed and requests give the same faults."""

    def __init__(self, faults: tuple[Fault, ...] = (), *, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - faults are repeatable, not secret
        self._left = [[fault, fault.skip, fault.times] for fault in faults]
        self.struck: list[tuple[str, FaultKind]] = []

    def add(self, fault: Fault) -> None:
        """Arm one more fault."""
        with self._lock:
            self._left.append([fault, fault.skip, fault.times])

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._left.clear()

    def next(self, place: str, *, webhook: bool = False) -> Fault | None:
        """The fault that strikes this request, if any.

        Args:
            place: the operation, `vendor.resource.verb`.
            webhook: asks for the kinds that concern a delivery instead of those that concern a request.
        """
        with self._lock:
            for entry in self._left:
                fault, skip, times = entry
                assert isinstance(fault, Fault) and isinstance(skip, int) and isinstance(times, int)  # noqa: PT018
                if times <= 0 or fault.kind.value.startswith("webhook_") is not webhook:
                    continue
                if not fnmatchcase(place, fault.at):
                    continue
                if skip > 0:
                    entry[1] = skip - 1
                    continue
                if fault.probability < 1.0 and self._random.random() >= fault.probability:
                    continue
                entry[2] = times - 1
                self.struck.append((place, fault.kind))
                return fault
        return None
