"""The page of the measures: pictures first, numbers beside, every definition one click away; and the same as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.measures import MeasureCalls
from app.identity.roles import PEOPLE
from app.measures.asking import Answer, csv_rows, shown, told
from app.measures.catalogue import BY_ID, LEDGER, MEASURES
from app.measures.definitions import Group
from app.measures.drawing import SPARK, WIDTH, Part, bars, spark, stacked
from app.measures.figures import PARTS, Figure, Measured
from app.measures.reading import DIMENSIONS, Slice
from app.review.words import intent
from app.web.access import add
from app.web.pages import KEPT
from app.web.rendering import Renderer, static

HEADLINES: Final = ("automation_rate", "quality_floor", "cost_per_success", "time_to_resolution", "safety_events")
COLUMNS: Final = (
    "coverage", "automation_rate", "success_rate", "quality_floor", "escalation_rate", "override_rate",
    "recontact_rate", "csat", "time_to_resolution", "cost_per_success",
)  # fmt: skip
SPANS: Final = (7, 30, 90)
FUNNEL: Final = ("requests", "covered", "successful", "automatic_good")
FUNNEL_WORDS: Final = {
    "requests": "Requests",
    "covered": "Covered",
    "successful": "Resolved, and stood",
    "automatic_good": "Without a person",
}
LEDGER_WORDS: Final = {
    "confirmed": "Confirmed",
    "assumed": "Assumed",
    "too_early": "Too early to say",
    "came_back": "Came back",
    "escalated": "Given to a person",
}
MOST_BARS: Final = 10


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the numbers at the top: its figure, what it rests on, and its trend."""

    id: str
    name: str
    value: str
    told: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table of figures."""

    id: str
    name: str
    cells: list[str]
    why: str


@dataclass(frozen=True, slots=True)
class Funnel:
    """What became of the requests of one slice, as bars by one scale."""

    name: str
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class MeasurePage:
    """The handlers."""

    calls: MeasureCalls
    renderer: Renderer

    async def show(self, tenant_id: str, request: Request) -> Response:
        """The page."""
        asked = _asked(request)
        answer = await self.calls.answer(request, asked)
        measures = answer.measures
        whole = measures.whole
        by = measures.wanted.by or ""
        return self.renderer.page(
            request,
            "measures.html",
            tenant_id=tenant_id,
            measures=measures,
            asked=asked,
            with_=lambda **changes: f"?{urlencode({**asked, **changes})}",
            spans=SPANS,
            dimensions=DIMENSIONS,
            by=by,
            tiles=[_tile(one, answer) for one in HEADLINES],
            spark=SPARK,
            width=WIDTH,
            funnels=_funnels(whole, measures.slices, by),
            funnel_words=FUNNEL_WORDS,
            ledger=stacked(measures.ledger),
            ledger_words=LEDGER_WORDS,
            ledger_means=LEDGER,
            causes=bars(measures.causes[:MOST_BARS]),
            costs=_costs(whole.figures),
            cost_lines=[_line(f"cost_{name}", [whole.figures[f"cost_{name}"]]) for name in PARTS],
            connectors=measures.connectors,
            safety=measures.safety,
            columns=[BY_ID[name] for name in COLUMNS],
            rows=[_row(one, by) for one in measures.slices],
            groups=[(group, _lines(group, answer)) for group in Group],
            compared=_compared(answer),
            definitions=MEASURES,
            has_baseline=bool(answer.baseline.rows),
            baseline=answer.baseline,
        )

    async def style(self) -> Response:
        """The style of the page."""
        return Response(static("measures.css"), media_type="text/css", headers=KEPT)

    async def file(self, tenant_id: str, request: Request) -> Response:
        """Every figure as CSV."""
        answer = await self.calls.answer(request, _asked(request))
        written = io.StringIO()
        csv.writer(written).writerows([[_plain(cell) for cell in row] for row in csv_rows(answer)])
        day = answer.measures.wanted.until.date().isoformat()
        headers = {"Content-Disposition": f'attachment; filename="measures-{tenant_id}-{day}.csv"'}
        return Response(written.getvalue(), media_type="text/csv", headers=headers)


def routes(page: MeasurePage) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), page.calls.guard
    reading = guard.allow(PEOPLE)
    add(router, "GET", "/measures.css", page.style, guard.open("the style of the measures"))
    add(router, "GET", "/t/{tenant_id}/measures", page.show, reading)
    add(router, "GET", "/t/{tenant_id}/measures.csv", page.file, reading)
    return router


def _asked(request: Request) -> dict[str, str]:
    """What the address asks for. Without a cut, the page is cut by intent; `by=` alone cuts it not at all."""
    asked = {name: value for name, value in request.query_params.items() if value or name == "by"}
    return {"by": "intent", **asked}


def _plain(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula. https://owasp.org/www-community/attacks/CSV_Injection ."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell


def _words(name: str, by: str) -> str:
    if by == "intent":
        return intent(name)
    return name[:12] if by == "policy" else name.replace("_", " ")


def _tile(measure_id: str, answer: Answer) -> Tile:
    measure, whole = BY_ID[measure_id], answer.measures.whole
    figure = whole.figures[measure_id]
    trend = [one.figures[measure_id] for one in answer.measures.trend]
    return Tile(measure_id, measure.name, shown(figure, measure.unit), told(figure), spark(trend))


def _funnels(whole: Slice, slices: Sequence[Slice], by: str) -> list[Funnel]:
    """The whole, then each slice, in parts of the requests of the largest of them."""
    found = [Funnel("All", bars([(name, whole.sums[name]) for name in FUNNEL], whole.sums["requests"]))]
    most = max((one.sums["requests"] for one in slices), default=0)
    cut = [
        Funnel(_words(one.name, by), bars([(name, one.sums[name]) for name in FUNNEL], most))
        for one in slices[:MOST_BARS]
        if one.sums["requests"]
    ]
    return [*found, *cut]


def _costs(figures: Mapping[str, Figure]) -> list[Part]:
    """The parts of the cost of a resolution that are known, as one bar."""
    known = {name: figures[f"cost_{name}"] for name in PARTS}
    return stacked({name: round(1e6 * one.value) for name, one in known.items() if isinstance(one, Measured)})


def _line(measure_id: str, figures: Sequence[Figure | None]) -> Line:
    measure = BY_ID[measure_id]
    first = figures[0]
    why = told(first) if first is not None else ""
    return Line(measure_id, measure.name, [shown(one, measure.unit) for one in figures], why)


def _lines(group: Group, answer: Answer) -> list[Line]:
    """The measures of a group: the whole, and the baseline where one is imported."""
    old = answer.baseline.figures()
    figures = answer.measures.whole.figures
    return [_line(one.id, [figures[one.id], old.get(one.id)]) for one in MEASURES if one.group is group]


def _compared(answer: Answer) -> list[Line]:
    """What the agent, people alone, and the time before have in common; nothing where there is only the agent."""
    held, old = answer.measures.held_out, answer.baseline.figures()
    if not held.requests and not old:
        return []
    alone = held.figures() if held.requests else {}
    whole = answer.measures.whole.figures
    names = [one.id for one in MEASURES if one.id in alone or one.id in old]
    return [_line(name, [whole[name], alone.get(name), old.get(name)]) for name in names]


def _row(one: Slice, by: str) -> Line:
    cells = [shown(one.figures.get(name), BY_ID[name].unit) for name in COLUMNS]
    return Line(one.name, _words(one.name, by), cells, f"{one.sums['runs']:,}")
