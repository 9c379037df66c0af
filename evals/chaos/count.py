"""What a storm has come to, by the doubles' own books."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.sandboxed import BOT_EMAIL
from evals.chaos.storm import Storm

_OUTCOMES = "SELECT DISTINCT ON (ticket_id) ticket_id, outcome FROM run ORDER BY ticket_id, started_at DESC"
_LEDGER = "SELECT charge_id, refunded_minor, reserved_minor FROM charge_ledger"
_IN_DOUBT = "SELECT charge_id, amount_minor FROM effect WHERE kind = 'refund' AND state = 'human'"


@dataclass(frozen=True, slots=True)
class Count:
    """The figures. `double` counts tickets that got money or an answer twice, `lost` tickets without an outcome.

    The seconds are until the log grew again after a kill, until a ticket that the killed worker held was another's, and
    until the log grew again after PostgreSQL was back.
    """

    tickets: int
    refunds: int
    double: int
    lost: int
    drift_minor: int
    log_holds: bool
    outcomes: dict[str, int]
    worker_kills: int
    worker_exits: int
    door_kills: int
    postgres_stops: int
    faults: int
    after_kill_s: dict[str, float]
    own_after_kill_s: dict[str, float]
    after_stop_s: dict[str, float]
    seconds: int

    @property
    def holds(self) -> bool:
        """Whether all is as promised."""
        return not self.double and not self.lost and not self.drift_minor and self.log_holds


def count(storm: Storm) -> Count:
    """Count, once all is still."""
    ground = storm.ground
    made = [one for one in ground.sandbox.doubles.stripe.ledger() if one["status"] not in {"failed", "canceled"}]
    by_charge = Counter(one["charge"] for one in made)
    outcomes = {str(row["ticket_id"]): row["outcome"] for row in storm.rows(_OUTCOMES)}
    twice = {
        ticket
        for ticket, charges in storm.tickets.items()
        if sum(by_charge[charge] for charge in charges) > 1 or _answers(storm, ticket) > 1
    }
    return Count(
        tickets=len(storm.tickets),
        refunds=len(made),
        double=len(twice),
        lost=sum(outcomes.get(str(ticket)) is None for ticket in storm.tickets),
        drift_minor=_drift(storm, made),
        log_holds=ground.log_holds(),
        outcomes=dict(Counter(str(outcome) for outcome in outcomes.values())),
        worker_kills=storm.worker_kills,
        worker_exits=storm.worker_exits,
        door_kills=storm.door_kills,
        postgres_stops=storm.postgres_stops,
        faults=len(ground.faults.struck),
        after_kill_s=percentiles(storm.after_kill_s),
        own_after_kill_s=percentiles(storm.own_after_kill_s),
        after_stop_s=percentiles(storm.after_stop_s),
        seconds=round(storm.seconds),
    )


def _answers(storm: Storm, ticket: int) -> int:
    zendesk = storm.ground.sandbox.doubles.zendesk
    bot = zendesk.user_id(BOT_EMAIL)
    return sum(1 for one in zendesk.comments(ticket) if one["author_id"] == bot and one["public"])


def _drift(storm: Storm, made: Sequence[Any]) -> int:
    """Minor units by which our ledger and Stripe's differ, or that stay reserved without a person who looks at them."""
    theirs: Counter[str] = Counter()
    for one in made:
        theirs[one["charge"]] += one["amount_minor"]
    in_doubt: Counter[str] = Counter()
    for row in storm.rows(_IN_DOUBT):
        in_doubt[row["charge_id"]] += row["amount_minor"]
    ours = {row["charge_id"]: row for row in storm.rows(_LEDGER)}
    drift: int = sum(abs(row["reserved_minor"] - in_doubt[name]) for name, row in ours.items())
    known: dict[str, int] = {name: row["refunded_minor"] for name, row in ours.items()}
    return drift + sum(abs(known.get(name, 0) - theirs[name]) for name in {*known, *theirs} if not in_doubt[name])


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 95 % and the longest, in seconds."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {
        "n": len(ordered),
        "p50": round(statistics.median(ordered), 2),
        "p95": round(ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))], 2),
        "max": round(ordered[-1], 2),
    }
