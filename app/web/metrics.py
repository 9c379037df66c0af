"""`/metrics` for Prometheus: the measures of the last thirty days, and what happened in them as counts.

The same figures by the same definitions as the page, so a dashboard elsewhere cannot say otherwise. Nothing here is
about a person: names of measures, tools, outcomes and reasons, and the tenant's name where the settings say so. Read by
whoever has the token of the settings, or from this machine itself; a request that a proxy passes on is not from here.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

from fastapi import APIRouter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response

from app.identity.roles import Role
from app.identity.tokens import same
from app.measures.asking import Answer, Asking, wanted_of
from app.measures.catalogue import BY_ID
from app.measures.definitions import Unit
from app.measures.figures import Measured
from app.web.access import Guard, Refused, add

PASSED_ON: Final = ("forwarded", "x-forwarded-for", "x-real-ip")
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="metrics"'}
UNITS: Final = {
    Unit.SHARE: "as a share",
    Unit.PER_THOUSAND: "per 1,000 runs",
    Unit.SECONDS: "in seconds",
    Unit.USD: "in US dollars",
}


@dataclass(frozen=True, slots=True)
class Scraped:
    """Prometheus, by its token or from this machine."""

    token: str | None

    async def enter(self, request: Request) -> None:
        """Let it in, or refuse it."""
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if self.token is not None:
            is_known = kind.lower() == "bearer" and same(given.strip(), self.token)
        else:
            is_known = _is_from_here(request)
        if not is_known:
            text = "Metrics are for who has the token of the settings, or for this machine itself where there is none."
            raise Refused(HTTPStatus.UNAUTHORIZED, "Not signed in", text, headers=CHALLENGE)

    def may(self, role: Role | None) -> bool:  # noqa: ARG002 - no role matters
        """No person may, whatever they are."""
        return False

    @property
    def told(self) -> str:
        """Who may."""
        return "Prometheus, by its token or from this machine"


def _is_from_here(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in PASSED_ON):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Metrics:
    """The handler. Tenants are told apart where `tenant_label` says so; else their counts are added up."""

    guard: Guard
    asking: Asking
    tenant_label: bool

    async def show(self) -> Response:
        """Everything, as Prometheus reads it."""
        wanted = wanted_of({}, self.guard.now())
        answers = {name: await self.asking.read(name, wanted) for name in sorted(self.guard.tenants)}
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Read(answers, is_labelled=self.tenant_label))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def routes(metrics: Metrics, token: str | None) -> APIRouter:
    """The route of this module."""
    router = APIRouter()
    add(router, "GET", "/metrics", metrics.show, Scraped(token))
    return router


class _Read(Collector):
    """What was read, as families of series."""

    def __init__(self, answers: Mapping[str, Answer], *, is_labelled: bool) -> None:
        self._answers = answers
        self._labels: tuple[str, ...] = ("tenant",) if is_labelled else ()

    def collect(self) -> Iterator[Metric]:
        """The families."""
        yield from self._measures()
        yield self._family("runs", "Ended runs of the last 30 days, by outcome.", ("outcome",), self._outcomes())
        yield self._family(
            "hand_offs", "Runs handed off in the last 30 days, by reason.", ("reason",),
            [(tenant, (name,), count) for tenant, one in self._each() for name, count in one.measures.causes],
        )  # fmt: skip
        yield self._family(
            "resolutions", "What became of the requests of the last 30 days.", ("state",),
            [(tenant, (name,), count) for tenant, one in self._each() for name, count in one.measures.ledger.items()],
        )  # fmt: skip
        for name, words in (("calls", "Calls"), ("lost", "Calls without an answer")):
            yield self._family(
                f"tool_{name}", f"{words} of the last 30 days, by tool.", ("tool",),
                [(tenant, (one.tool,), getattr(one, name)) for tenant, all_ in self._each()
                 for one in all_.measures.connectors],
            )  # fmt: skip
        yield self._family(
            "safety_beside_runs", "Safety events of no run in the last 30 days, by kind.", ("kind",),
            [(tenant, (kind,), count) for tenant, one in self._each() for kind, count in one.measures.safety],
        )  # fmt: skip
        yield self._family(
            "events_to_fold", "Events of the log that the measures have yet to take in.", (),
            [(tenant, (), one.measures.size - one.measures.seen) for tenant, one in self._each()],
        )  # fmt: skip

    def _each(self) -> Iterator[tuple[str, Answer]]:
        yield from self._answers.items()

    def _outcomes(self) -> list[tuple[str, tuple[str, ...], float]]:
        rows: list[tuple[str, tuple[str, ...], float]] = []
        for tenant, one in self._each():
            sums = one.measures.whole.sums
            rows += [(tenant, (outcome,), sums[outcome]) for outcome in ("resolved", "handed_off")]
            rows.append((tenant, ("ignored",), sums["runs"] - sums["requests"]))
        return rows

    def _measures(self) -> Iterator[Metric]:
        """Each measure with its figure, and shares with their two numbers; what is not measured has no series."""
        whole = [
            (tenant, name, figure)
            for tenant, one in self._each()
            for name, figure in one.measures.whole.figures.items()
            if isinstance(figure, Measured)
        ]
        parts = [(tenant, (name,), float(one.part)) for tenant, name, one in whole if one.part is not None]
        overs = [(tenant, (name,), float(one.over)) for tenant, name, one in whole]
        yield self._family("measure_part", "Numerator of a share of the last 30 days.", ("measure",), parts)
        yield self._family("measure_over", "How many a figure of the last 30 days is over.", ("measure",), overs)
        if not self._labels and len(self._answers) > 1:
            return  # a share of several tenants is part by over; a median of several is nobody's
        values = [(tenant, (name, UNITS[BY_ID[name].unit]), figure.value) for tenant, name, figure in whole]
        yield self._family("measure", "A measure of the last 30 days; docs/measures.md.", ("measure", "unit"), values)

    def _family(
        self, name: str, words: str, labels: tuple[str, ...], rows: Sequence[tuple[str, tuple[str, ...], float]]
    ) -> Metric:
        family = GaugeMetricFamily(f"countersign_{name}", words, labels=(*self._labels, *labels))
        added: dict[tuple[str, ...], float] = {}
        for tenant, values, figure in rows:
            key = (tenant, *values) if self._labels else values
            added[key] = added.get(key, 0) + figure
        for key, figure in added.items():
            family.add_metric(key, figure)
        return family
