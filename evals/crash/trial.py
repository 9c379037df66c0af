"""One trial: a ticket, a worker that is killed at a point, a restart after a while, and what Stripe's books say.

Promises: the judge reads the doubles' own ledger and comments; what our database says is used to see whether the ticket
has an outcome, never whether money moved.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.sandboxed import BOT_EMAIL
from evals.trials.ground import Ground
from evals.trials.stories import charged_twice

TICK_S: Final = 0.02
QUIET_S: Final = 0.3
"""Nothing has moved for so long: what is waited for is time."""
DEAD_S: Final = 1.2
"""Nothing has moved for so long, and nothing is due: a dead process' leases are waited for. Where nothing comes of it,
the next wait is twice as long, so that the live worker of a slow machine is not robbed of its leases for ever."""
PATIENCE_S: Final = 240.0
"""Nothing has moved for so long: it never will. A process that hardly gets a core has taken more than a minute."""
LEASE_PASSES_S: Final = 130.0
"""Longer than any lease."""

_STANDING: Final = """
    SELECT run_id AS id, state || coalesce(wait_for, '') || cycle || failures AS standing,
           CASE WHEN state = 'ended' OR wait_for IN ('review', 'customer') THEN outcome END AS outcome,
           CASE WHEN state = 'waiting' AND wait_for = 'vendor' THEN wait_until END AS due_at
      FROM run
    UNION ALL
    SELECT effect_id, kind || state || attempts, NULL,
           CASE WHEN state IN ('held', 'sending', 'unknown') THEN due_at END FROM effect
    UNION ALL
    SELECT event_id, source || disposition || attempts, NULL,
           CASE WHEN disposition = 'pending' THEN coalesce(look_again_at, received_at + interval '6 s') END
      FROM inbox_event
     ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Kill:
    """Where the worker dies, how long nobody works then, and at which point of the recovery the next one dies, too."""

    at: str | None
    delay_s: float = 0.0
    again_nth: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a trial came to.

    `refunds` and `replies` are counted in the doubles. `is_late` says that the restart came after the time within which
    a request may be sent again, so that a person instead of a refund is right.
    """

    kill: Kill
    reached: bool
    reached_again: bool
    refunds: int
    replies: int
    outcome: str | None
    reason: str | None
    log_holds: bool
    drift_minor: int
    seconds: float
    effects: tuple[str, ...]
    trace: tuple[str, ...] = ()
    recovery: tuple[str, ...] = ()

    @property
    def is_double(self) -> bool:
        """Whether the customer got the money, or the same answer, twice."""
        return self.refunds > 1 or self.replies > 1

    @property
    def is_lost(self) -> bool:
        """Whether the ticket has no outcome, or neither a refund nor a person who knows that it is missing."""
        told = self.outcome == "handed_off"
        return self.outcome is None or (self.refunds == 0 and not told) or (self.replies == 0 and not told)

    @property
    def holds(self) -> bool:
        """Whether all is as promised."""
        return not self.is_double and not self.is_lost and self.log_holds and self.drift_minor == 0


def trial(ground: Ground, kill: Kill) -> Verdict:
    """Run one trial on a fresh ground."""
    started = time.monotonic()
    ground.fresh()
    ticket_id, _ = ground.arrives(charged_twice())
    traces = [ground.folder / name for name in ("first.trace", "second.trace")]
    for trace in traces:
        trace.unlink(missing_ok=True)
    worker = ground.worker(trace=str(traces[0]), kill_at=kill.at)
    _drive(ground, worker)
    reached = ground.nursery.has_ended(worker)
    reached_again = False
    if reached:
        ground.passes(kill.delay_s)
        worker = ground.worker(trace=str(traces[1]), kill_nth=kill.again_nth)
        _drive(ground, worker)
        reached_again = ground.nursery.has_ended(worker)
        if reached_again:
            worker = ground.worker()
            _drive(ground, worker)
    ground.nursery.kill(worker)
    return _judged(ground, kill, ticket_id, (reached, reached_again), traces, time.monotonic() - started)


def _drive(ground: Ground, worker: int) -> None:
    """Let time pass as it is waited for, until the ticket has its outcome and all is still, or the worker died."""
    before, moved_at = None, time.monotonic()
    dead_s = DEAD_S
    while not ground.nursery.has_ended(worker):
        ground.sandbox.tick()
        rows = ground.rows(_STANDING)
        standing = [(row["id"], row["standing"]) for row in rows]
        waits = [row["due_at"] for row in rows if row["due_at"] is not None]
        if standing != before:
            before, moved_at, dead_s = standing, time.monotonic(), DEAD_S
        quiet_s = time.monotonic() - moved_at
        has_outcome = any(row["outcome"] for row in rows)
        if has_outcome and not waits and not ground.sandbox.deliveries.busy():
            return
        later = [at for at in waits if at > ground.clock.now()]
        if quiet_s > PATIENCE_S:
            return
        if quiet_s > QUIET_S and later and not ground.sandbox.deliveries.busy():
            ground.passes((min(later) - ground.clock.now()).total_seconds() + 0.01)
            moved_at = time.monotonic() - QUIET_S / 2
        elif quiet_s > dead_s:
            ground.leases_pass(LEASE_PASSES_S)
            dead_s *= 2
        time.sleep(TICK_S)


def _judged(
    ground: Ground, kill: Kill, ticket_id: int, reached: tuple[bool, bool], traces: list[Path], seconds: float
) -> Verdict:
    doubles = ground.sandbox.doubles
    bot = doubles.zendesk.user_id(BOT_EMAIL)
    comments = doubles.zendesk.comments(ticket_id)
    refunds = [one for one in doubles.stripe.ledger() if one["status"] not in {"failed", "canceled"}]
    runs = ground.rows("SELECT outcome, reason FROM run ORDER BY started_at DESC LIMIT 1")
    ours = ground.rows("SELECT coalesce(sum(refunded_minor), 0)::bigint AS minor FROM charge_ledger")[0]["minor"]
    effects = ground.rows("SELECT kind || ':' || state || ':' || coalesce(reason, '') AS told FROM effect ORDER BY 1")
    found: dict[str, Any] = runs[0] if runs else {"outcome": None, "reason": None}
    return Verdict(
        kill=kill,
        reached=reached[0],
        reached_again=reached[1],
        refunds=len(refunds),
        replies=sum(1 for one in comments if one["author_id"] == bot and one["public"]),
        outcome=found["outcome"],
        reason=found["reason"],
        log_holds=ground.log_holds(),
        drift_minor=int(ours) - sum(int(one["amount_minor"]) for one in refunds),
        seconds=seconds,
        effects=tuple(row["told"] for row in effects),
        trace=_points(traces[0]),
        recovery=_points(traces[1]),
    )


def _points(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text("utf-8").splitlines()) if path.exists() else ()
