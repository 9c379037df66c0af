"""Measures for programs: every figure with what it rests on, or why there is none, and the definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from app.api.access import Called
from app.api.routing import Word, bad, call
from app.api.runs import READERS
from app.errors import UsageError
from app.identity.service_tokens import Scope
from app.measures.asking import Answer, Asking, wanted_of
from app.measures.catalogue import BY_ID, LEDGER, MEASURES
from app.measures.figures import Figure, Measured
from app.measures.reading import Slice
from app.web.access import Guard, signed_in


class FigureForm(BaseModel):
    """A figure: a share is `part` of `over`, a median is over so many values; or none, and why."""

    value: float | None
    unit: str
    part: int | None = None
    over: int | None = None
    not_measured_because: str | None = None


class SliceForm(BaseModel):
    """The figures of some runs, by the measure's id."""

    name: str
    runs: int
    measures: dict[str, FigureForm]


class ConnectorForm(BaseModel):
    """Calls of one tool: how many, how many without an answer, and how long reads took on average."""

    tool: str
    calls: int
    lost: int
    mean_ms: int | None


class MeasuresForm(BaseModel):
    """A period's figures. `events_folded` of `events` are in; the rest will be in a moment."""

    since: datetime
    until: datetime
    by: str | None
    only: dict[str, str]
    whole: SliceForm
    slices: list[SliceForm]
    trend: list[SliceForm]
    baseline: dict[str, FigureForm] = Field(description="the measures that imported old tickets know")
    ledger: dict[str, int] = Field(description="what became of each request; each is in one of these")
    handed_off_because: dict[str, int]
    connectors: list[ConnectorForm]
    safety_beside_runs: dict[str, int]
    running: int
    shadow: int
    held_out_requests: int
    held_out: dict[str, FigureForm] = Field(description="the measures of requests that people had alone")
    events_folded: int
    events: int


class DefinitionForm(BaseModel):
    """What a measure means, how it is computed, and which kinds of events it rests on."""

    id: str
    name: str
    group: str
    means: str
    formula: str
    unit: str
    kinds: list[str]
    more_is_better: bool | None


class Definitions(BaseModel):
    """All of them."""

    measures: list[DefinitionForm]
    ledger: dict[str, str]


@dataclass(frozen=True, slots=True)
class MeasureCalls:
    """The handlers."""

    guard: Guard
    asking: Asking

    async def get_measures(  # noqa: PLR0913 - what can be asked, all by name
        self,
        request: Request,
        *,
        days: Word = None,
        since: Word = None,
        until: Word = None,
        by: Word = None,
        intent: Word = None,
        segment: Word = None,
        channel: Word = None,
        language: Word = None,
        tier: Word = None,
        policy: Word = None,
        model: Word = None,
    ) -> MeasuresForm:
        """The measures of a period: `days` until today, or `since` and `until` as days (UTC); cut `by` a dimension."""
        asked = {
            "days": days, "since": since, "until": until, "by": by, "intent": intent, "segment": segment,
            "channel": channel, "language": language, "tier": tier, "policy": policy, "model": model,
        }  # fmt: skip
        return form_of(await self.answer(request, {name: value for name, value in asked.items() if value}))

    async def list_definitions(self) -> Definitions:
        """What every measure means."""
        return Definitions(
            measures=[
                DefinitionForm(
                    id=one.id,
                    name=one.name,
                    group=one.group.value,
                    means=one.means,
                    formula=one.formula,
                    unit=one.unit.value,
                    kinds=list(one.kinds),
                    more_is_better=one.more_is_better,
                )
                for one in MEASURES
            ],
            ledger=dict(LEDGER),
        )

    async def answer(self, request: Request, asked: Mapping[str, str]) -> Answer:
        """The figures that an address asks for; what cannot be asked is refused."""
        try:
            wanted = wanted_of(asked, self.guard.now())
        except UsageError as error:
            raise bad(f"{error}.") from error
        return await self.asking.read(signed_in(request).tenant_id, wanted)


def routes(calls: MeasureCalls) -> APIRouter:
    """The routes of this module."""
    router, reading = APIRouter(), Called(calls.guard, READERS, Scope.READ)
    call(router, "GET", "/measures", calls.get_measures, reading, gives=MeasuresForm)
    call(router, "GET", "/measures/definitions", calls.list_definitions, reading, gives=Definitions)
    return router


def form_of(answer: Answer) -> MeasuresForm:
    """The answer as JSON values."""
    measures, wanted = answer.measures, answer.measures.wanted
    return MeasuresForm(
        since=wanted.since,
        until=wanted.until,
        by=wanted.by,
        only=dict(wanted.only),
        whole=_slice(measures.whole),
        slices=[_slice(one) for one in measures.slices],
        trend=[_slice(one) for one in measures.trend],
        baseline=_figures(answer.baseline.figures()),
        ledger=measures.ledger,
        handed_off_because=dict(measures.causes),
        connectors=[
            ConnectorForm(tool=one.tool, calls=one.calls, lost=one.lost, mean_ms=one.mean_ms)
            for one in measures.connectors
        ],
        safety_beside_runs=dict(measures.safety),
        running=measures.running,
        shadow=measures.shadow,
        held_out_requests=measures.held_out.requests,
        held_out=_figures(measures.held_out.figures()),
        events_folded=measures.seen,
        events=measures.size,
    )


def _slice(one: Slice) -> SliceForm:
    return SliceForm(name=one.name, runs=one.sums["runs"], measures=_figures(one.figures))


def _figures(figures: Mapping[str, Figure]) -> dict[str, FigureForm]:
    return {name: _figure(figure, BY_ID[name].unit.value) for name, figure in figures.items()}


def _figure(figure: Figure, unit: str) -> FigureForm:
    if isinstance(figure, Measured):
        return FigureForm(value=figure.value, unit=unit, part=figure.part, over=figure.over)
    return FigureForm(value=None, unit=unit, not_measured_because=figure.why)
