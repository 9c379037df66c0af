"""Figures of a period: which runs, cut by what; read from the cache in one statement, then added up.

Days are UTC. Runs that have not ended, and runs of a policy that only watches, are told and not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.measures.catalogue import LEDGER, MEASURES
from app.measures.definitions import Scope
from app.measures.figures import Figure, Measured, NotMeasured, Prices, Taken, percentile, share
from app.measures.models import MeasureCount, MeasureCursor, MeasureDay
from graph.audit.models import AuditHead

DIMENSIONS: Final = ("intent", "segment", "channel", "language", "tier", "policy", "model")
RECONTACT_DAYS: Final = 7
MOST_DAYS_BY_DAY: Final = 45
MOST_SLICES: Final = 24
"""Slices that are shown; the rest is one more, so that nothing is left out of a sum."""
REST: Final = "all others"

_FLAGS: Final = f"""
    outcome <> 'ignored' AS request, outcome = 'resolved' AS resolved,
    outcome = 'resolved' AND is_covered AND approved = 0 AND interventions = 0 AND NOT is_taken_over AS automatic,
    is_reopened OR coalesce(rating = 'bad', false) OR reversed > 0 OR judged_right < judged AS bad,
    ended_at <= :as_of - interval '{RECONTACT_DAYS} days' AS is_over,
    coalesce(rating = 'good', false) OR is_thanked AS confirmed
"""
_COUNTS: Final[Mapping[str, str]] = {
    "requests": "request",
    "covered": "request AND is_covered",
    "automatic": "automatic",
    "automatic_good": "automatic AND NOT bad",
    "resolved": "resolved",
    "successful": "resolved AND NOT bad",
    "automatic_known": "automatic AND (is_over OR bad OR confirmed OR judged > 0)",
    "automatic_stood": "automatic AND NOT bad AND (is_over OR confirmed OR judged > 0)",
    "handed_off": "outcome = 'handed_off'",
    "intervened": "request AND interventions > 0",
    "settled_in": "resolved AND is_over",
    "recontacted": "resolved AND is_over AND is_recontacted",
    "reopened_in": "resolved AND is_over AND is_reopened",
    "rated": "rating IS NOT NULL",
    "rated_good": "rating = 'good'",
    "complete": "has_start AND effects = effects_ended",
    "confirmed": "resolved AND NOT bad AND confirmed",
    "assumed": "resolved AND NOT bad AND NOT confirmed AND is_over",
    "too_early": "resolved AND NOT bad AND NOT confirmed AND NOT is_over",
    "came_back": "resolved AND bad",
}
_SUMS: Final[Mapping[str, str]] = {
    "approved": "approved",
    "edited": "edited",
    "edit_permille": "edit_permille",
    "overridden": "rejected + asked_back",
    "answered": "approved + rejected + asked_back",
    "effects_settled": "effects_settled",
    "taken_back": "undone + reversed",
    "held": "held",
    "stopped": "stopped",
    "tool_calls": "tool_calls",
    "tool_answers": "tool_calls - tool_errors",
    "safety_events": "safety_events",
    "near_misses": "near_misses",
    "model_calls": "model_calls",
    "tokens": "tokens",
    "retries": "retries",
    "model_usd_micros": "model_usd_micros",
    "retry_usd_micros": "retry_usd_micros",
    "model_ms": "model_ms",
    "retrieval_ms": "retrieval_ms",
    "tool_ms": "tool_ms",
    "orchestration_ms": "orchestration_ms",
    "retry_ms": "retry_ms",
    "claimed_s": "claimed_s",
    "unclaimed": "unclaimed",
}
_LISTS: Final[Mapping[str, tuple[str, str]]] = {
    "resolution_s": ("greatest(0, floor(date_part('epoch', ended_at - started_at)))::int", "resolved"),
    "intervened_after_s": ("intervened_after_s", "intervened_after_s IS NOT NULL"),
}
SUM_NAMES: Final = ("runs", *_COUNTS, *_SUMS)

WHOLE: Final = ""
"""The cut of what is not cut."""

_SOME: Final = "tenant_id = :tenant_id AND started_at >= :since AND started_at < :until"
_COUNTED: Final = "ended_at IS NOT NULL AND NOT is_shadow"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs: those that began in the period and are what `only` says, cut by a dimension where one is named.

    `as_of` is when it is asked: seven days that are not over by then are no silence yet.
    """

    since: datetime
    until: datetime
    as_of: datetime
    by: str | None = None
    only: Mapping[str, str] = field(default_factory=dict)

    @property
    def step(self) -> timedelta:
        """How long one point of the trend is."""
        return timedelta(days=1 if self.until - self.since <= timedelta(days=MOST_DAYS_BY_DAY) else 7)

    @property
    def steps(self) -> int:
        """How many points the trend has."""
        return max(1, -(-(self.until - self.since) // self.step))

    @property
    def where(self) -> str:
        """The condition on rows; values go beside it."""
        return " AND ".join((_SOME, *(f"{name} = :only_{name}" for name in DIMENSIONS if name in self.only)))

    def values(self, tenant_id: str) -> dict[str, object]:
        """What the condition's names stand for."""
        named = {f"only_{name}": self.only[name] for name in DIMENSIONS if name in self.only}
        return {"tenant_id": tenant_id, "since": self.since, "until": self.until, "as_of": self.as_of, **named}


@dataclass(frozen=True, slots=True)
class Slice:
    """Some runs: what they have in common, how many they are, and their figures by the measure's id."""

    name: str
    sums: Mapping[str, int]
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Connector:
    """How often a system outside was called, by reads and by writes, and how often it gave no answer."""

    tool: str
    calls: int
    lost: int
    mean_ms: int | None

    @property
    def reliability(self) -> Figure:
        """The share that was answered."""
        return share(self.calls - self.lost, self.calls, "call")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What became of requests that people had alone; nothing of them counts elsewhere.

    `covered` is how many of them the agent would have done, alone or after a yes.
    """

    requests: int = 0
    covered: int = 0
    rated: int = 0
    rated_good: int = 0
    solved_s: tuple[int, ...] = ()

    def figures(self) -> dict[str, Figure]:
        """What can be compared, by the measure's id."""
        return {
            "coverage": share(self.covered, self.requests, "held-out request"),
            "csat": share(self.rated_good, self.rated, "rating"),
            "time_to_resolution": percentile(self.solved_s, 0.5, "held-out ticket that was solved"),
        }


@dataclass(frozen=True, slots=True)
class Measures:
    """All that there is to show of a period.

    `seen` of `size` events of the log are folded; the rest will be in a moment. `running` and `shadow` runs of the
    period are not counted.
    """

    wanted: Wanted
    whole: Slice
    trend: tuple[Slice, ...]
    slices: tuple[Slice, ...]
    causes: tuple[tuple[str, int], ...]
    connectors: tuple[Connector, ...]
    safety: tuple[tuple[str, int], ...]
    running: int
    shadow: int
    held_out: HeldOut
    seen: int
    size: int
    folded_until: datetime | None

    @property
    def ledger(self) -> dict[str, int]:
        """What became of each request."""
        sums = {**self.whole.sums, "escalated": self.whole.sums["handed_off"]}
        return {name: sums[name] for name in LEDGER}


@dataclass(frozen=True, slots=True)
class _Cell:
    """Runs of one intent, segment and reason: how many were handed off, the first error, automatic ones."""

    intent: str
    segment: str
    reason: str
    handed_off: int
    error_at: datetime | None
    first_at: datetime | None
    last_at: datetime | None


def statement(wanted: Wanted, *, from_day: bool = False) -> str:
    """The one heavy statement: sums and lists of each point of the trend and each slice.

    With `from_day` only of the days that `:without` does not name and that are not before `:from_day`.
    """
    besides = " AND started_at >= :from_day AND (started_at AT TIME ZONE 'UTC')::date <> ALL(:without)"
    besides = besides if from_day else ""
    cut = wanted.by if wanted.by in DIMENSIONS else "''"
    sums = [
        *(f"count(*) FILTER (WHERE {condition}) AS {name}" for name, condition in _COUNTS.items()),
        *(f"sum({value})::bigint AS {name}" for name, value in _SUMS.items()),
        *(f"array_agg({value}) FILTER (WHERE {condition}) AS {name}" for name, (value, condition) in _LISTS.items()),
    ]
    return f"""
        SELECT floor(date_part('epoch', started_at - :since) / :step_s)::int AS point, {cut} AS slice,
               count(*) AS runs, {", ".join(sums)}
          FROM (SELECT *, {_FLAGS} FROM measure_run WHERE {wanted.where} AND {_COUNTED}{besides}) AS told
         GROUP BY 1, 2
    """  # noqa: S608 - names of this file; values are parameters


async def read_measures(session: AsyncSession, tenant_id: str, wanted: Wanted, prices: Prices) -> Measures:
    """The figures, in the session's transaction."""
    # Compiling the many small sums would cost more than it saves.
    await session.execute(text("SET LOCAL jit = off"))
    rows = await _rows(session, tenant_id, wanted)
    cursor = await session.get(MeasureCursor, tenant_id) or MeasureCursor(tenant_id=tenant_id)
    head = await session.get(AuditHead, tenant_id)
    whole = _slice("all", rows, prices)
    cells = await _cells(session, tenant_id, wanted)
    of_period = {**_trust(cells, wanted), **_once(cursor)}
    others = (await session.execute(text(_others(wanted)), wanted.values(tenant_id))).one()
    return Measures(
        wanted=wanted,
        whole=Slice(whole.name, whole.sums, {**whole.figures, **of_period}),
        trend=tuple(_trend(rows, wanted, prices)),
        slices=tuple(_slices(rows, prices)) if wanted.by is not None else (),
        causes=_causes(cells),
        connectors=tuple(await _connectors(session, tenant_id, wanted)),
        safety=tuple(await _safety(session, tenant_id, wanted)),
        running=others.running,
        shadow=others.shadow,
        held_out=HeldOut(
            others.held, others.held_covered, others.held_rated, others.held_good, tuple(sorted(others.solved_s or ()))
        ),
        seen=cursor.next_seq,
        size=head.size if head is not None else 0,
        folded_until=cursor.folded_until,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the statement, or of a day that is kept."""

    point: int
    slice: str
    sums: Mapping[str, int]
    lists: Mapping[str, Sequence[int]]

    @classmethod
    def of(cls, point: int, name: str, row: Mapping[str, Any]) -> _Row:
        sums = {name: int(row[name]) for name in SUM_NAMES}
        return cls(point, name, sums, {name: sorted(row[name] or ()) for name in _LISTS})


async def _rows(session: AsyncSession, tenant_id: str, wanted: Wanted) -> list[_Row]:
    """The days that are kept, and the runs of the others."""
    kept = await _days_kept(session, tenant_id, wanted)
    days = sorted({one.day for one in kept if one.cut == WHOLE})
    cut = wanted.by if wanted.by in DIMENSIONS else WHOLE
    found = [
        _Row.of((one.day - wanted.since.date()) // wanted.step, one.name, one.figures)
        for one in kept
        if one.cut == cut and one.figures
    ]
    first = wanted.since
    while first.date() in days:
        first += timedelta(days=1)
    if first < wanted.until:
        values = {**wanted.values(tenant_id), "step_s": wanted.step.total_seconds(), "from_day": first, "without": days}
        live = await session.execute(text(statement(wanted, from_day=True)), values)
        found += [_Row.of(row["point"], row["slice"], dict(row)) for row in live.mappings()]
    return found


async def _days_kept(session: AsyncSession, tenant_id: str, wanted: Wanted) -> Sequence[MeasureDay]:
    """What is kept of the period, whole and as it is cut; nothing where only some runs are asked about."""
    if wanted.only or wanted.since != wanted.since.replace(hour=0, minute=0, second=0, microsecond=0):
        return []
    query = select(MeasureDay).where(
        col(MeasureDay.tenant_id) == tenant_id,
        col(MeasureDay.cut).in_([WHOLE, wanted.by or WHOLE]),
        col(MeasureDay.day) >= wanted.since.date(),
        col(MeasureDay.day) < wanted.until.date(),
        col(MeasureDay.over_from) <= wanted.as_of,
    )
    return (await session.execute(query)).scalars().all()


def _slice(name: str, rows: Sequence[_Row], prices: Prices) -> Slice:
    sums = {one: sum(row.sums[one] for row in rows) for one in SUM_NAMES}
    # Each row's list is sorted, which makes sorting them together cheap.
    lists = {one: sorted(chain.from_iterable(row.lists[one] for row in rows)) for one in _LISTS}
    taken = Taken(sums, lists, prices)
    return Slice(name, sums, {one.id: one.compute(taken) for one in MEASURES if one.compute is not None})


def _trend(rows: Sequence[_Row], wanted: Wanted, prices: Prices) -> Iterator[Slice]:
    for point in range(wanted.steps):
        day = (wanted.since + point * wanted.step).date().isoformat()
        yield _slice(day, [row for row in rows if row.point == point], prices)


def _slices(rows: Sequence[_Row], prices: Prices) -> Iterator[Slice]:
    """The slices by how many runs they have, the smallest ones together."""
    by_name: dict[str, list[_Row]] = {}
    for row in rows:
        by_name.setdefault(row.slice, []).append(row)
    ranked = sorted(by_name.items(), key=lambda one: (-sum(row.sums["runs"] for row in one[1]), one[0]))
    for name, some in ranked[:MOST_SLICES]:
        yield _slice(name, some, prices)
    if ranked[MOST_SLICES:]:
        yield _slice(REST, [row for _, some in ranked[MOST_SLICES:] for row in some], prices)


_HELD: Final = "is_held_out AND ended_at IS NOT NULL AND outcome <> 'ignored'"
_HELD_COUNTS: Final = {
    "held": "true",
    "held_covered": "is_covered",
    "held_rated": "rating IS NOT NULL",
    "held_good": "rating = 'good'",
}


def _others(wanted: Wanted) -> str:
    held = ", ".join(f"count(*) FILTER (WHERE {_HELD} AND {what}) AS {name}" for name, what in _HELD_COUNTS.items())
    return f"""
        SELECT count(*) FILTER (WHERE ended_at IS NULL) AS running,
               count(*) FILTER (WHERE ended_at IS NOT NULL AND is_shadow AND NOT is_held_out) AS shadow,
               {held},
               array_agg(solved_after_s) FILTER (WHERE {_HELD} AND solved_after_s IS NOT NULL) AS solved_s
          FROM measure_run WHERE {wanted.where} AND (ended_at IS NULL OR is_shadow)
    """  # noqa: S608


async def _cells(session: AsyncSession, tenant_id: str, wanted: Wanted) -> list[_Cell]:
    """The runs of the period by intent, segment and reason, in one look."""
    query = f"""
        SELECT intent, segment, coalesce(reason, 'unknown') AS reason,
               count(*) FILTER (WHERE outcome = 'handed_off') AS handed_off,
               min(started_at) FILTER (WHERE bad OR interventions > 0) AS error_at,
               min(started_at) FILTER (WHERE automatic) AS first_at, max(started_at) FILTER (WHERE automatic) AS last_at
          FROM (SELECT *, {_FLAGS} FROM measure_run WHERE {wanted.where} AND {_COUNTED}) AS told
         GROUP BY intent, segment, 3
    """  # noqa: S608
    rows = await session.execute(text(query), wanted.values(tenant_id))
    return [_Cell(**row) for row in rows.mappings()]


def _causes(cells: Sequence[_Cell]) -> tuple[tuple[str, int], ...]:
    """Why runs were handed off, the most frequent reason first."""
    sums: dict[str, int] = {}
    for cell in cells:
        sums[cell.reason] = sums.get(cell.reason, 0) + cell.handed_off
    return tuple(sorted(((name, count) for name, count in sums.items() if count), key=lambda one: (-one[1], one[0])))


def _trust(cells: Sequence[_Cell], wanted: Wanted) -> dict[str, Figure]:
    """The measures about cells of intent and segment."""
    middle = wanted.since + (wanted.until - wanted.since) / 2
    found: dict[tuple[str, str], list[_Cell]] = {}
    for cell in cells:
        found.setdefault((cell.intent, cell.segment), []).append(cell)
    erred, used, before, kept = 0, 0, 0, 0
    for some in found.values():
        errors = [one.error_at for one in some if one.error_at is not None]
        firsts = [one.first_at for one in some if one.first_at is not None]
        lasts = [one.last_at for one in some if one.last_at is not None]
        erred += bool(errors)
        used += bool(errors and lasts and max(lasts) > min(errors))
        before += bool(firsts and min(firsts) < middle)
        kept += bool(firsts and min(firsts) < middle <= max(lasts))
    return {
        "use_after_error": share(used, erred, "cell with an error"),
        "cells_kept": share(kept, before, "cell that was automatic"),
    }


def _once(cursor: MeasureCursor) -> dict[str, Figure]:
    """The measures of which a tenant has one in its life."""

    def after(moment: datetime | None, nothing: str) -> Figure:
        if moment is None or cursor.first_event_at is None:
            return NotMeasured(nothing)
        return Measured(int((moment - cursor.first_event_at).total_seconds()), 1)

    return {
        "time_to_integrate": after(cursor.connected_at, "Zendesk and Stripe have not both answered yet"),
        "time_to_first_outcome": after(cursor.first_resolved_at, "no request has been resolved yet"),
    }


async def _counts(session: AsyncSession, tenant_id: str, wanted: Wanted) -> Sequence[MeasureCount]:
    query = (
        select(MeasureCount)
        .where(
            col(MeasureCount.tenant_id) == tenant_id,
            col(MeasureCount.day) >= wanted.since.date(),
            col(MeasureCount.day) < wanted.until.date(),
        )
        .order_by(col(MeasureCount.subject))
    )
    return (await session.execute(query)).scalars().all()


async def _connectors(session: AsyncSession, tenant_id: str, wanted: Wanted) -> list[Connector]:
    """Calls by tool, over all runs and what works beside them: a cut by intent or segment has no meaning here."""
    rows = [one for one in await _counts(session, tenant_id, wanted) if one.what in {"read", "write"}]
    tools = sorted({one.subject for one in rows})
    found = []
    for tool in tools:
        some = [one for one in rows if one.subject == tool]
        timed = [one for one in some if one.what == "read"]
        calls = sum(one.count for one in some)
        timed_calls = sum(one.count for one in timed)
        mean_ms = round(sum(one.total_ms for one in timed) / timed_calls) if timed_calls else None
        found.append(Connector(tool, calls, sum(one.bad for one in some), mean_ms))
    return found


async def _safety(session: AsyncSession, tenant_id: str, wanted: Wanted) -> list[tuple[str, int]]:
    """Safety events that belong to no run, by kind."""
    sums: dict[str, int] = {}
    for one in await _counts(session, tenant_id, wanted):
        if one.what == "safety":
            sums[one.subject] = sums.get(one.subject, 0) + one.count
    return sorted(sums.items())


PERIOD_ONLY: Final = frozenset(one.id for one in MEASURES if one.scope is not Scope.RUNS)
"""Measures that only the whole has."""
