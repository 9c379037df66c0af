"""All points of a refunding run: found by watching one, then each one tried. Counts, and what did not hold."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from evals.crash.trial import Kill, Verdict, trial
from evals.trials.ground import Ground

Say = Callable[[str], None]

MINUTE_S: Final = 60.0
HOUR_S: Final = 60 * MINUTE_S
DAY_S: Final = 24 * HOUR_S
DELAYS_S: Final = (0.0, 5 * MINUTE_S, 19 * HOUR_S, 25 * HOUR_S, 8 * DAY_S)
"""How long nobody works after a kill: at once, a moment, just inside of a key's life, just outside, and a week."""
WATCHED: Final = 2
"""Runs that are watched to find the points; one that is not in each comes by the clock and cannot be aimed at."""


@dataclass(slots=True)
class Tally:
    """What a sweep has come to so far. `failures` are the trials in which something promised did not hold."""

    points: int
    trials: int = 0
    missed: int = 0
    double: int = 0
    lost: int = 0
    broken_logs: int = 0
    drift_minor: int = 0
    to_person: int = 0
    failures: list[Verdict] = field(default_factory=list)

    def count(self, verdict: Verdict, *, reached: bool) -> None:
        """Add a trial; one whose process did not come to its point is not one, unless something did not hold."""
        if not reached and verdict.holds:
            self.missed += 1
            return
        self.trials += 1
        self.double += verdict.is_double
        self.lost += verdict.is_lost
        self.broken_logs += not verdict.log_holds
        self.drift_minor += abs(verdict.drift_minor)
        self.to_person += verdict.refunds == 0
        if not verdict.holds:
            self.failures.append(verdict)

    @property
    def holds(self) -> bool:
        """Whether every trial held."""
        return not self.failures

    def form(self) -> dict[str, object]:
        """As programs read it."""
        return {
            "points": self.points,
            "trials": self.trials,
            "double": self.double,
            "lost": self.lost,
            "drift_minor": self.drift_minor,
            "broken_logs": self.broken_logs,
            "to_person": self.to_person,
            "not_reached": self.missed,
            "failures": [told(verdict) for verdict in self.failures],
        }

    def line(self) -> str:
        """As people read it."""
        bound = f"below {3 / self.trials:.2g} of trials at 95 %" if self.trials else "nothing was tried"
        return (
            f"{self.points} points, {self.trials} trials: {self.double} double, {self.lost} lost, "
            f"{self.drift_minor} minor units of drift, {self.broken_logs} broken logs ({bound}); "
            f"{self.to_person} given to a person, {self.missed} ended before their point"
        )


def points_of(ground: Ground, *, watched: int = WATCHED) -> tuple[str, ...]:
    """Every point that so many undisturbed runs all pass, in the order of its first coming.

    Raises:
        RuntimeError: a run without any kill does not hold.
    """
    traces: list[tuple[str, ...]] = []
    for _ in range(watched):
        verdict = trial(ground, Kill(None))
        if not verdict.holds:
            raise RuntimeError(f"a run that nobody disturbs does not end as it should: {told(verdict)}")
        traces.append(verdict.trace)
    in_each = set(traces[0]).intersection(*traces)
    return tuple(point for point in dict.fromkeys(traces[0]) if point in in_each)


def single_kills(points: Sequence[str], *, trials: int | None, seed: int, every_delay: bool) -> Iterator[Kill]:
    """A kill at each point, with every delay or one each in turn; or as many of these as asked for, drawn by seed."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    if every_delay:
        kills = [Kill(point, delay) for point in points for delay in DELAYS_S]
    else:
        kills = [Kill(point, DELAYS_S[number % len(DELAYS_S)]) for number, point in enumerate(points)]
    yield from kills if trials is None else chance.sample(kills, min(trials, len(kills)))


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told of what does not hold, and when no further trial begins, on the machine's clock; None is never."""

    say: Say
    ends_at: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self.ends_at is not None and time.monotonic() >= self.ends_at


def sweep(ground: Ground, tally: Tally, kills: Iterable[Kill], watch: Watch) -> None:
    """Try each kill and count, for as long as there is time."""
    for kill in kills:
        if watch.is_over:
            return
        verdict = trial(ground, kill)
        tally.count(verdict, reached=verdict.reached_again if kill.again_nth else verdict.reached)
        if not verdict.holds:
            watch.say(f"does not hold: {told(verdict)}")


def sampled_pairs(ground: Ground, tally: Tally, points: Sequence[str], pairs: int, seed: int, watch: Watch) -> None:
    """A second kill during the recovery from a first, until so many pairs were reached."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    while tally.trials < pairs and not watch.is_over:
        nth = chance.randrange(1, max(2, len(points) // 2))
        sweep(ground, tally, [Kill(chance.choice(points), chance.choice(DELAYS_S), nth)], watch)


def all_pairs(ground: Ground, tally: Tally, points: Sequence[str], watch: Watch) -> None:
    """Every pair: the second point moves on until a recovery ends before it."""
    for number, point in enumerate(points):
        for nth in count(1):
            before = tally.trials
            sweep(ground, tally, [Kill(point, DELAYS_S[(number + nth) % len(DELAYS_S)], nth)], watch)
            if tally.trials == before:
                break


def told(verdict: Verdict) -> str:
    """A trial in one line."""
    kill = verdict.kill
    second = f", and again at point {kill.again_nth} of the recovery" if kill.again_nth else ""
    return (
        f"killed at {kill.at!r}, restarted after {kill.delay_s:g} s{second}: {verdict.refunds} refunds, "
        f"{verdict.replies} replies, outcome {verdict.outcome} {verdict.reason or ''}, "
        f"effects {list(verdict.effects)}, log {'holds' if verdict.log_holds else 'BROKEN'}, "
        f"drift {verdict.drift_minor}"
    )
