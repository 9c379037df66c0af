"""What a page, a file or a call asks of the measures, and the answer as values: one way for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from app.errors import UsageError
from app.measures.baseline import Baseline, read_baseline
from app.measures.catalogue import MEASURES
from app.measures.definitions import Unit
from app.measures.figures import Figure, Measured, NotMeasured, Prices
from app.measures.reading import DIMENSIONS, Measures, Wanted, read_measures
from app.problems import nearest
from app.tenants import MeasuresSettings
from graph.tenancy import Sessions

DEFAULT_DAYS: Final = 30
MOST_DAYS: Final = 366
_LONGEST: Final = 80


@dataclass(frozen=True, slots=True)
class Answer:
    """The measures of a period, and the baseline beside them."""

    measures: Measures
    baseline: Baseline


@dataclass(frozen=True, slots=True)
class Asking:
    """Reads measures for all tenants of an installation."""

    sessions: Sessions
    settings: Mapping[str, MeasuresSettings]

    async def read(self, tenant_id: str, wanted: Wanted) -> Answer:
        """The figures of a tenant's period."""
        async with self.sessions(tenant_id) as session:
            baseline = await read_baseline(session, tenant_id)
            prices = prices_of(self.settings.get(tenant_id, MeasuresSettings()), baseline)
            return Answer(await read_measures(session, tenant_id, wanted, prices), baseline)


def prices_of(settings: MeasuresSettings, baseline: Baseline) -> Prices:
    """What the settings state; what a handed-off ticket takes is known from old tickets, where nothing is stated."""
    stated = settings.hand_off_minutes
    return Prices(
        settings.machine_hour_usd_cents,
        settings.human_hour_usd_cents,
        settings.review_minutes,
        stated if stated is not None else baseline.handle_minutes,
    )


def wanted_of(asked: Mapping[str, str], now: datetime) -> Wanted:
    """The period and the cut that an address asks for: `days` until today, or `since` and `until` as days (UTC).

    Raises:
        UsageError: a day, a dimension or a span that cannot be.
    """
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    until = _day(asked, "until") or tomorrow
    since = _day(asked, "since") or until - timedelta(days=_days(asked))
    if not timedelta(0) < until - since <= timedelta(days=MOST_DAYS):
        raise UsageError(f"a period from {since} until {until}; give at most {MOST_DAYS} days, the first one first")
    by = asked.get("by") or None
    if by is not None and by not in DIMENSIONS:
        raise UsageError(f"by cannot be {by[:40]!r}; {nearest(by, list(DIMENSIONS))}")
    only = {name: asked[name][:_LONGEST] for name in DIMENSIONS if asked.get(name)}
    return Wanted(_midnight(since), _midnight(until), now, by, only)


def _day(asked: Mapping[str, str], name: str) -> date | None:
    if not asked.get(name):
        return None
    try:
        return date.fromisoformat(asked[name])
    except ValueError as error:
        raise UsageError(f"{name} cannot be {asked[name][:40]!r}; write a day, such as 2026-11-01") from error


def _days(asked: Mapping[str, str]) -> int:
    said = asked.get("days") or str(DEFAULT_DAYS)
    if not (said.isascii() and said.isdecimal() and 0 < int(said[:6]) <= MOST_DAYS):
        raise UsageError(f"days cannot be {said[:40]!r}; write a number from 1 to {MOST_DAYS}")
    return int(said)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def shown(figure: Figure | None, unit: Unit) -> str:
    """A figure for a person; a dash where there is none.

    >>> shown(Measured(0.4127, 63, 26), Unit.SHARE), shown(Measured(5400, 3), Unit.SECONDS)
    ('41.3 %', '1 h 30 min')
    """
    if not isinstance(figure, Measured):
        return "–"  # noqa: RUF001 - a dash in a table
    match unit:
        case Unit.SHARE:
            return f"{100 * figure.value:.1f} %"
        case Unit.PER_THOUSAND:
            return f"{figure.value:.1f}"
        case Unit.USD:
            return f"${figure.value:,.{_cents_digits(figure.value)}f}"
        case Unit.SECONDS:
            return _span(int(figure.value))


def told(figure: Figure) -> str:
    """What a figure rests on, or why there is none."""
    if isinstance(figure, NotMeasured):
        return f"Not measured: {figure.why}."
    return f"{figure.part:,} of {figure.over:,}" if figure.part is not None else f"of {figure.over:,}"


def _cents_digits(usd: float) -> int:
    """How many places a price needs: cents from a dollar on, more where all would be zeros."""
    return next((digits for least, digits in ((1, 2), (0.01, 4)) if usd >= least), 6)


_SPANS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def _span(seconds: int) -> str:
    """The two largest parts of a time."""
    parts: list[str] = []
    for length, name in _SPANS:
        count, seconds = divmod(seconds, length)
        if count or (length == 1 and not parts):
            parts.append(f"{count} {name}")
        elif parts:
            break
    return " ".join(parts[:2])


def csv_rows(answer: Answer) -> Iterator[list[str]]:
    """Every figure as a row of a file: the whole, what was held out, before, each slice, each point of the trend."""
    measures = answer.measures
    yield ["cut", "value", "measure", "name", "unit", "figure", "part", "over", "not_measured_because"]
    by = measures.wanted.by or ""
    parts: list[tuple[str, str, Mapping[str, Figure]]] = [("all", "", measures.whole.figures)]
    parts += [("held out", "", measures.held_out.figures())] if measures.held_out.requests else []
    parts += [("baseline", "", answer.baseline.figures())]
    parts += [(by, one.name, one.figures) for one in measures.slices]
    parts += [("from", one.name, one.figures) for one in measures.trend]
    for cut, value, figures in parts:
        for one in MEASURES:
            if one.id in figures:
                yield [cut, value, one.id, one.name, one.unit.value, *_cells(figures[one.id])]
    for cut, counts in (("ledger", measures.ledger.items()), ("handed off because", measures.causes)):
        for name, count in counts:
            yield [cut, name, "", "", "runs", str(count), "", "", ""]


def _cells(figure: Figure) -> list[str]:
    if not isinstance(figure, Measured):
        return ["", "", "", figure.why]
    return [repr(figure.value), "" if figure.part is None else str(figure.part), str(figure.over), ""]
