"""The storm: PostgreSQL stopped without notice, workers and the web process killed, one vendor call in four gone wrong.

Then calm.

Business time runs faster than the machine's, so that holds pass. What is counted in the end is the doubles' own ledger.
A seed decides what is broken when; how fast the machine works decides what that meets.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from app.embedded import EmbeddedServer
from connectors.sandbox.faults import Fault, FaultKind
from evals.trials.ground import DATABASE, Ground
from evals.trials.stories import charged_twice

Say = Callable[[str], None]

REQUEST_FAULTS: Final = {
    FaultKind.TOO_MANY_REQUESTS: 0.04,
    FaultKind.SERVER_ERROR: 0.05,
    FaultKind.UNAVAILABLE: 0.03,
    FaultKind.TIMEOUT_BEFORE_EFFECT: 0.03,
    FaultKind.TIMEOUT_AFTER_EFFECT: 0.03,
    FaultKind.RESET_BEFORE_EFFECT: 0.03,
    FaultKind.RESET_AFTER_EFFECT: 0.03,
    FaultKind.TRUNCATED_BODY: 0.04,
}
"""Together one request in four."""
WEBHOOK_FAULTS: Final = {
    FaultKind.WEBHOOK_DUPLICATED: 0.10,
    FaultKind.WEBHOOK_OUT_OF_ORDER: 0.10,
    FaultKind.WEBHOOK_DROPPED: 0.05,
}
WORKERS: Final = 2
AMOUNT: Final = "1.90"
"""Small, so that the shop's limits are not what decides."""
SPEED: Final = 30.0
"""Seconds of business time in one of the machine's."""
TICK_S: Final = 0.05
CALM_S: Final = 120.0
"""How long the log may stand still, once nothing breaks any more, before what is unfinished counts as lost."""

DOOR_KILLS_S: Final = (5.0, 20.0)
"""Seconds between two kills of the web process, which takes some to start."""

_HELD: Final = """
    SELECT ticket_id FROM ticket_lease WHERE holder LIKE {holder} AND expires_at > clock_timestamp()
"""
_HOLDERS: Final = "SELECT ticket_id, holder FROM ticket_lease"
_PROGRESS: Final = "SELECT coalesce(max(seq), -1) AS seq FROM audit_event"
_UNFINISHED: Final = """
    SELECT (SELECT count(*) FROM run WHERE state <> 'ended' AND coalesce(wait_for, '') NOT IN ('review', 'customer'))
         + (SELECT count(*) FROM effect WHERE state IN ('held', 'sending', 'unknown'))
         + (SELECT count(*) FROM inbox_event WHERE disposition = 'pending') AS open,
           (SELECT count(DISTINCT ticket_id) FROM run WHERE outcome IS NOT NULL) AS told
"""


@dataclass(slots=True)
class Storm:
    """A storm under way, and what it has counted."""

    ground: Ground
    chance: random.Random
    say: Say
    workers: list[int] = field(default_factory=list)
    tickets: dict[int, frozenset[str]] = field(default_factory=dict)
    worker_kills: int = 0
    worker_exits: int = 0
    door_kills: int = 0
    postgres_stops: int = 0
    after_kill_s: list[float] = field(default_factory=list)
    own_after_kill_s: list[float] = field(default_factory=list)
    after_stop_s: list[float] = field(default_factory=list)
    seconds: float = 0.0
    _admin: psycopg.Connection[dict[str, Any]] | None = None
    _seq: int = -1
    _killed_at: float | None = None
    _back_at: float | None = None
    _orphans: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Tickets that a killed worker held: its process, and when it was killed."""

    def blow(self, tickets: int, seconds: float) -> None:
        """Let tickets arrive over the time while things break; then wait until all is still."""
        started = time.monotonic()
        self._arm()
        self.workers = [self._worker() for _ in range(WORKERS)]
        arrivals = sorted(self.chance.uniform(0, 0.8 * seconds) for _ in range(tickets))
        kill_at, stop_at = self.chance.uniform(1, 5), self.chance.uniform(3, 15)
        door_at = self.chance.uniform(*DOOR_KILLS_S)
        while (now := time.monotonic() - started) < seconds or arrivals:
            while arrivals and arrivals[0] <= now:
                arrivals.pop(0)
                self._arrives()
            if now >= kill_at:
                self._kill()
                kill_at = now + self.chance.uniform(1, 5)
            if now >= door_at:
                self.ground.open_door()
                self.door_kills += 1
                door_at = now + self.chance.uniform(*DOOR_KILLS_S)
            if now >= stop_at:
                self._stop_postgres()
                stop_at = time.monotonic() - started + self.chance.uniform(3, 15)
            self._tend()
        self.say(f"calm after {now:.0f} s: {len(self.tickets)} tickets, {self.worker_kills} kills")
        self.ground.faults.clear()
        self._until_still()
        for worker in self.workers:
            self.ground.nursery.kill(worker)
        self.seconds = time.monotonic() - started

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """Rows of the storm's database; none while it is away."""
        try:
            if self._admin is None:
                url = self.ground.server.admin_url(DATABASE)
                self._admin = psycopg.connect(url, autocommit=True, row_factory=dict_row, connect_timeout=2)
            return self._admin.execute(statement).fetchall()
        except psycopg.Error:
            self._admin = None
            return []

    def _arm(self) -> None:
        for kind, share in REQUEST_FAULTS.items():
            for place in ("stripe.*", "zendesk.*", "orders.*"):
                self.ground.faults.add(Fault(place, kind, times=10**9, probability=share, delay_s=0.5))
        for kind, share in WEBHOOK_FAULTS.items():
            self.ground.faults.add(Fault("*", kind, times=10**9, probability=share))

    def _worker(self) -> int:
        return self.ground.worker(worker={"poll_s": 0.5, "concurrency": 4})

    def _arrives(self) -> None:
        ticket_id, keys = self.ground.arrives(charged_twice(len(self.tickets) + 1, amount=AMOUNT))
        self.tickets[ticket_id] = frozenset(keys.charges.values())

    def _kill(self) -> None:
        which = self.chance.randrange(WORKERS)
        process = self.workers[which]
        held = self.rows(_HELD.format(holder=f"'%/{process}/%'"))
        self.ground.nursery.kill(process)
        self.worker_kills += 1
        self._killed_at = time.monotonic()
        self._orphans |= {row["ticket_id"]: (process, self._killed_at) for row in held}
        self.workers[which] = self._worker()

    def _stop_postgres(self) -> None:
        """As `pg_ctl stop -m immediate` does: no checkpoint, every session cut. It recovers from its log."""
        pid_file = self.ground.folder / "pg" / "postmaster.pid"
        with suppress(OSError, ValueError):
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
        self.postgres_stops += 1
        self._admin = None
        time.sleep(self.chance.uniform(0, 5))
        again = EmbeddedServer(self.ground.folder, durable=True)
        again.start()
        again.release()  # the ground still holds it, so it stays
        self._back_at = time.monotonic()
        self._killed_at = None  # nothing could go on meanwhile, whoever lived
        self._orphans.clear()

    def _tend(self) -> None:
        self.ground.clock.advance(SPEED * TICK_S)
        self.ground.sandbox.tick()
        for number, worker in enumerate(self.workers):
            if self.ground.nursery.has_ended(worker):
                self.worker_exits += 1
                self.workers[number] = self._worker()
        self._watch()
        time.sleep(TICK_S)

    def _watch(self) -> None:
        """How long until the log grows again after a blow, and until a killed worker's ticket is another's."""
        if self._orphans:
            for row in self.rows(_HOLDERS):
                process, killed_at = self._orphans.get(row["ticket_id"], (0, 0.0))
                if process and f"/{process}/" not in row["holder"]:
                    self.own_after_kill_s.append(time.monotonic() - killed_at)
                    del self._orphans[row["ticket_id"]]
        rows = self.rows(_PROGRESS)
        if not rows or rows[0]["seq"] <= self._seq:
            return
        self._seq = rows[0]["seq"]
        now = time.monotonic()
        if self._killed_at is not None:
            self.after_kill_s.append(now - self._killed_at)
        if self._back_at is not None:
            self.after_stop_s.append(now - self._back_at)
        self._killed_at = self._back_at = None

    def _until_still(self) -> None:
        seq, moved_at = self._seq, time.monotonic()
        while time.monotonic() - moved_at < CALM_S:
            self._tend()
            if self._seq != seq:
                seq, moved_at = self._seq, time.monotonic()
            rows = self.rows(_UNFINISHED)
            is_told = bool(rows) and not rows[0]["open"] and rows[0]["told"] >= len(self.tickets)
            if is_told and not self.ground.sandbox.deliveries.busy():
                return
