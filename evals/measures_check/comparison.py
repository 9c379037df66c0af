"""A generated month in a database: folded and read as the page does it, exported, computed again, and compared."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.event_lines import event_lines
from app.measures.figures import Figure, Measured, Prices
from app.measures.keeping import fold_all
from app.measures.reading import DIMENSIONS, PERIOD_ONLY, Measures, Slice, Wanted, read_measures
from evals.measures_check.month import Month
from evals.measures_check.recompute import Recomputed, Told
from graph.audit.log import NewEvent, append_all
from graph.tenancy import Sessions

PRICES = Prices(machine_hour_usd_cents=12, human_hour_usd_cents=3000, review_minutes=2, hand_off_minutes=7)
BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that the two do not have in common."""

    where: str
    name: str
    shown: object
    recomputed: object


@dataclass(frozen=True, slots=True)
class Compared:
    """How many figures were compared, and which differ."""

    figures: int
    differences: tuple[Difference, ...]


async def fill(sessions: Sessions, tenant_id: str, month: Month, say: Callable[[str], None]) -> int:
    """Append the month to the tenant's log; how many events it has."""
    events = month.events()
    for number, some in enumerate(_batches(events)):
        async with sessions(tenant_id) as session:
            await append_all(session, tenant_id, some)
        if number % 50 == 49:  # noqa: PLR2004 - now and then
            say(f"{(number + 1) * BATCH} of {len(events)} events are in the log")
    return len(events)


def _batches(events: list[NewEvent]) -> Iterator[list[NewEvent]]:
    for first in range(0, len(events), BATCH):
        yield events[first : first + BATCH]


async def compare(sessions: Sessions, tenant_id: str, since: datetime, days: int) -> Compared:
    """Every figure of the month, whole, by each dimension, and by the trend's points."""
    await fold_all(sessions, tenant_id)
    until = since + timedelta(days=days)
    wanted = Wanted(since, until, as_of=until)
    prices = {name: getattr(PRICES, name) for name in PRICES.__slots__}
    again = Recomputed([line async for line in _lines(sessions, tenant_id)], until, prices)
    runs = again.between(since, until)
    found: list[Difference] = []
    figures = 0
    for by in (None, *DIMENSIONS):
        async with sessions(tenant_id) as session:
            shown = await read_measures(session, tenant_id, replace(wanted, by=by), PRICES)
        pairs = [(one, [run for run in runs if by and run.dimension(by) == one.name]) for one in shown.slices]
        if by is None:
            pairs = [(shown.whole, runs), *_points(shown, runs)]
            found += _rest(shown, again, runs)
            figures += 5 + len(shown.ledger) + len(shown.causes) + 2 * len(shown.connectors)
        elif sum(one.sums["runs"] for one in shown.slices) != len(runs):
            found.append(Difference(by, "runs", sum(one.sums["runs"] for one in shown.slices), len(runs)))
        for one, some in pairs:
            found += _differ(f"{by or 'whole'} {one.name}", one, again.figures(some))
            figures += len(one.figures)
    return Compared(figures, tuple(found))


async def _lines(sessions: Sessions, tenant_id: str) -> AsyncIterator[str]:
    async with sessions(tenant_id) as session:
        async for line in event_lines(session, tenant_id):
            yield line


def _points(shown: Measures, runs: list[Told]) -> Iterator[tuple[Slice, list[Told]]]:
    wanted = shown.wanted
    for number, point in enumerate(shown.trend):
        first = wanted.since + number * wanted.step
        yield point, [run for run in runs if first <= run.began < min(first + wanted.step, wanted.until)]


def _differ(where: str, shown: Slice, again: Mapping[str, float | None]) -> Iterator[Difference]:
    of_runs = {name: figure for name, figure in shown.figures.items() if name not in PERIOD_ONLY}
    for name in sorted({*of_runs, *again}):
        value = _value(of_runs.get(name))
        if not _same(value, again.get(name)):
            yield Difference(where, name, value, again.get(name))


def _value(figure: Figure | None) -> float | None:
    return figure.value if isinstance(figure, Measured) else None


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def _rest(shown: Measures, again: Recomputed, runs: list[Told]) -> Iterator[Difference]:
    """What stands beside the measures: the ledger, the causes, the connectors, the cells."""
    wanted = shown.wanted
    if shown.ledger != again.ledger(runs):
        yield Difference("whole", "ledger", shown.ledger, again.ledger(runs))
    if dict(shown.causes) != again.causes(runs):
        yield Difference("whole", "causes", dict(shown.causes), dict(again.causes(runs)))
    held = shown.held_out
    of_people = (held.requests, held.covered, held.rated, held.rated_good, list(held.solved_s))
    if of_people != again.held_out(wanted.since, wanted.until):
        yield Difference("whole", "held_out", of_people, again.held_out(wanted.since, wanted.until))
    connectors = {one.tool: (one.calls, one.lost) for one in shown.connectors}
    if connectors != again.connectors(wanted.since, wanted.until):
        yield Difference("whole", "connectors", connectors, again.connectors(wanted.since, wanted.until))
    for name, value in again.trust(runs, wanted.since, wanted.until).items():
        if not _same(_value(shown.whole.figures[name]), value):
            yield Difference("whole", name, _value(shown.whole.figures[name]), value)
