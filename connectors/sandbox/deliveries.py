"""Webhooks on their way: queued at once, signed at each attempt, delivered in order per address.

Promises that a double never waits for its consumer, that each vendor's own retry rule is followed, and that `log` says
what became of each delivery. It refuses to be more reliable than the vendor: what the vendor would give up is lost
here too, and only a sweeper finds it.

Retry rules:
- Zendesk: a 409 up to three times, a 429 or 503 only with a Retry-After below 60 s, a time-out up to five times,
  nothing else. https://developer.zendesk.com/documentation/webhooks/#webhook-retries
- Stripe: anything but a 2xx is tried again, signed anew, with growing pauses.
  https://docs.stripe.com/webhooks#retries . Stripe goes on for three days; here it is eight attempts with short pauses.
"""

from __future__ import annotations

import asyncio
import heapq
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import httpx

from connectors.sandbox.faults import FaultKind, Faults


@cache
def _trusted() -> ssl.SSLContext:
    """Made once: reading all certificates takes longer than delivering a webhook."""
    return ssl.create_default_context()


Sign = Callable[[bytes], Mapping[str, str]]

_IDLE_S: Final = 0.5
_HOLD_S: Final = 1.0
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_ZENDESK_LONGEST_RETRY_AFTER_S: Final = 60
_ZENDESK_CONFLICTS: Final = 3
_ZENDESK_TIMEOUTS: Final = 5
_STRIPE_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one webhook. `status` is the last answer's, `None` where no answer came or it was dropped."""

    place: str
    url: str
    status: int | None
    attempts: int


@dataclass(slots=True)
class _Job:
    place: str
    body: bytes
    sign: Sign
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """One attempt's end: a status, or a time-out, or a connection that failed."""

    status: int | None
    retry_after_s: float | None
    timed_out: bool


class Deliveries:
    """The post office of all doubles. Safe to call from any thread.

    Args:
        faults: decides which deliveries are duplicated, held back or dropped (`faults.next(place, webhook=True)`).
        timeout_s: how long a consumer may take to answer, in seconds.
    """

    def __init__(self, faults: Faults, *, timeout_s: float = 10.0) -> None:
        self._faults = faults
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}
        self._under_way = 0
        self._idle = threading.Event()
        self._idle.set()
        self.log: list[Delivery] = []

    def send(self, place: str, url: str, body: bytes, sign: Sign) -> None:
        """Queue one webhook and return at once.

        Args:
            place: `zendesk.webhook` or `stripe.webhook`: names the fault to ask for, and its first word the retry rule.
            url: where it goes.
            body: the exact bytes to send as JSON.
            sign: gives the headers for these bytes; called once per attempt, as both vendors sign each attempt anew.
        """
        fault = self._faults.next(place, webhook=True)
        kind = None if fault is None else fault.kind
        if kind is FaultKind.WEBHOOK_DROPPED:
            self.record(Delivery(place, url, None, 0))
            return
        copies = 2 if kind is FaultKind.WEBHOOK_DUPLICATED else 1
        with self._lock:
            self._under_way += copies
            self._idle.clear()
            for _ in range(copies):
                job = _Job(place, body, sign)
                held = kind is FaultKind.WEBHOOK_OUT_OF_ORDER
                lane = self._lanes.get(url)
                if lane is None or not lane.put(job, held=held):
                    lane = self._lanes[url] = _Lane(self, url, self._timeout_s)
                    lane.put(job, held=held)

    async def drain(self) -> None:
        """Wait until nothing is queued or under way, retries included."""
        while not await asyncio.to_thread(self._idle.wait, _IDLE_S):
            continue

    def busy(self) -> bool:
        """Whether anything is queued, held back, waiting for a retry or under way."""
        return not self._idle.is_set()

    def close(self) -> None:
        """Give up everything that is queued and wait for the threads."""
        with self._lock:
            lanes = list(self._lanes.values())
            self._lanes.clear()
        for lane in lanes:
            lane.stop()

    def record(self, delivery: Delivery) -> None:
        """Note the end of one delivery in the log."""
        with self._lock:
            self.log.append(delivery)

    def finished(self, delivery: Delivery) -> None:
        """Note the end of one delivery that was queued."""
        with self._lock:
            self.log.append(delivery)
            self._under_way -= 1
            if self._under_way == 0:
                self._idle.set()


class _Lane:
    """One address: a thread that lives while there is something to deliver."""

    def __init__(self, office: Deliveries, url: str, timeout_s: float) -> None:
        self._office = office
        self._url = url
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._ready: deque[_Job] = deque()
        self._later: list[tuple[float, int, _Job]] = []
        self._held: list[tuple[float, _Job]] = []
        self._sequence = 0
        self._ended = False
        self._thread = threading.Thread(target=self._work, name=f"deliveries {url}", daemon=True)
        self._thread.start()

    def put(self, job: _Job, *, held: bool) -> bool:
        """Queue a job; a held one goes out after the next one, or after a second where no next one comes.

        False where the thread has ended, which it does by itself once idle: then the job was not taken.
        """
        with self._changed:
            if self._ended:
                return False
            if held:
                self._held.append((time.monotonic() + _HOLD_S, job))
            else:
                self._ready.append(job)
                self._ready.extend(job for _, job in self._held)
                self._held.clear()
            self._changed.notify()
            return True

    def stop(self) -> None:
        """End without delivering what is queued."""
        with self._changed:
            self._ended = True
            lost = [*self._ready, *(job for _, job in self._held), *(job for _, _, job in self._later)]
            self._ready.clear()
            self._held.clear()
            self._later.clear()
            self._changed.notify()
        for job in lost:
            self._office.finished(Delivery(job.place, self._url, None, job.attempts))
        self._thread.join()

    def _work(self) -> None:
        # Proxies of the environment must not see a webhook that is meant for this machine.
        with httpx.Client(timeout=self._timeout_s, trust_env=False, verify=_trusted()) as client:
            while (job := self._next()) is not None:
                self._attempt(client, job)

    def _next(self) -> _Job | None:
        """The next job to send; `None` once idle for a while or stopped."""
        idle_until = time.monotonic() + _IDLE_S
        with self._changed:
            while not self._ended:
                now = time.monotonic()
                self._release(now)
                if self._ready:
                    return self._ready.popleft()
                waiting = [entry[0] for entry in self._later[:1]] + [entry[0] for entry in self._held[:1]]
                if not waiting and now >= idle_until:
                    self._ended = True
                    break
                self._changed.wait(max(0.0, min(waiting, default=idle_until) - now))
        return None

    def _release(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            self._ready.append(heapq.heappop(self._later)[2])
        while self._held and self._held[0][0] <= now:
            self._ready.append(self._held.pop(0)[1])

    def _attempt(self, client: httpx.Client, job: _Job) -> None:
        answer = self._post(client, job)
        job.attempts += 1
        pause_s = _pause_s(job.place, job.attempts, answer)
        with self._changed:
            if pause_s is not None and not self._ended:
                self._sequence += 1
                heapq.heappush(self._later, (time.monotonic() + pause_s, self._sequence, job))
                return
        self._office.finished(Delivery(job.place, self._url, answer.status, job.attempts))

    def _post(self, client: httpx.Client, job: _Job) -> _Answer:
        headers = httpx.Headers({"content-type": "application/json"})
        headers.update(job.sign(job.body))
        try:
            response = client.post(self._url, content=job.body, headers=headers)
        except httpx.TimeoutException:
            return _Answer(None, None, timed_out=True)
        except (httpx.HTTPError, httpx.InvalidURL):
            return _Answer(None, None, timed_out=False)
        asked = response.headers.get("retry-after", "")
        return _Answer(response.status_code, float(asked) if asked.isdigit() else None, timed_out=False)


def _pause_s(place: str, attempts: int, answer: _Answer) -> float | None:
    """Seconds until the vendor tries again; `None` where it has been accepted or given up."""
    if answer.status is not None and httpx.codes.OK <= answer.status < httpx.codes.MULTIPLE_CHOICES:
        return None
    growing_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (attempts - 1))
    if place.startswith("stripe."):
        return growing_s if attempts < _STRIPE_ATTEMPTS else None
    if answer.status == httpx.codes.CONFLICT:
        return growing_s if attempts <= _ZENDESK_CONFLICTS else None
    if answer.status in {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}:
        asked_s = answer.retry_after_s
        return asked_s if asked_s is not None and asked_s < _ZENDESK_LONGEST_RETRY_AFTER_S else None
    if answer.timed_out and attempts <= _ZENDESK_TIMEOUTS:
        return growing_s
    return None
