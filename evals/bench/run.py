"""Row `run`: one ticket from its stored event to its end, against a bare graph of as many nodes.

The run is real: a charge made twice, refunded and answered, with the vendors' doubles over HTTP in a process of their
own. Model time (the local model's, and the embedding of the question) is measured call by call and subtracted; the
doubles' time is not, and is shown beside it. One run at a time on both sides.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from app.db import Database
from app.runtime import open_advancer
from connectors.sandbox.control import SandboxControl
from connectors.sandbox.world.model import Setting
from connectors.sandbox.world.reading import read_yaml
from evals.bench.bare_graph import bare_graph
from evals.bench.place import TENANT, Place, doubles, opened_place
from evals.bench.rows import Row, Sample
from graph.build import build
from graph.intake.receive import Arrival, receive
from graph.intake.recognise import SWEPT
from graph.models.drafts import Brief
from graph.models.errand import AT_HOME, Errand
from graph.models.gateway import Chosen, Drafted, Gateway, Summarised, Understood
from graph.rulebook import publish
from graph.runs.advance import Advancer, Machine, advance
from graph.runtime import Embed, Runtime
from kb.ingest import ingest
from kb.sources import read_documents
from policies.shelf import shipped_text
from policies.vocabulary import Intent, ModelRole, Outcome

GOAL: Final = 0.5
WARM_UP: Final = 3
HOLD: Final = "hold: 600s"
MAX_TURNS: Final = 5

WORLD: Final = """
world:
  customers: [{{key: c, name: Ana Ruiz, email: ana.{number}@customers.example}}]
  charges:
    - {{key: a, customer: c, amount: 1.90, currency: usd, days_ago: 3.01, description: Order, order: "{order}"}}
    - {{key: b, customer: c, amount: 1.90, currency: usd, days_ago: 3, description: Order, order: "{order}"}}
ticket:
  requester: c
  subject: Charged twice for order {order}
  comments:
    - from: c
      body: >-
        Hello, my bank statement shows two charges of $1.90 for order {order}. I only ordered once, please refund the
        second charge.
"""
"""A ticket that is decided and answered without a person; small, so that no limit of the shop is reached."""

_STANDING: Final = text(
    "SELECT run_id, outcome FROM run WHERE tenant_id = :tenant AND ticket_id = :ticket ORDER BY started_at DESC LIMIT 1"
)
_NODES: Final = text(
    "SELECT count(*) FROM audit_event WHERE tenant_id = :tenant AND run_id = :run AND kind = 'node.completed'"
)
_CALLS: Final = text(
    """
    SELECT coalesce(sum((body ->> 'latency_ms')::int), 0) FROM audit_event
     WHERE tenant_id = :tenant AND run_id = :run AND kind = 'tool.called'
    """,
)


@dataclass(slots=True)
class Stopwatch:
    """Seconds spent in models. Calls of one run come one after the other."""

    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the block."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started


class TimedGateway(Gateway):
    """The gateway, with a watch on it."""

    def __init__(self, inner: Gateway, watch: Stopwatch) -> None:
        self._inner = inner
        self._watch = watch

    async def triage(
        self, subject: str, message: str, history: Sequence[str] = (), *, errand: Errand = AT_HOME
    ) -> Understood:
        """As the gateway does."""
        with self._watch.running():
            return await self._inner.triage(subject, message, history, errand=errand)

    async def choose(
        self, intent: Intent, message: str, described: Sequence[str], *, errand: Errand = AT_HOME
    ) -> Chosen:
        """As the gateway does."""
        with self._watch.running():
            return await self._inner.choose(intent, message, described, errand=errand)

    async def draft(self, brief: Brief, message: str, *, errand: Errand = AT_HOME) -> Drafted:
        """As the gateway does."""
        with self._watch.running():
            return await self._inner.draft(brief, message, errand=errand)

    async def summarise(self, subject: str, messages: Sequence[str], *, errand: Errand = AT_HOME) -> Summarised:
        """As the gateway does."""
        with self._watch.running():
            return await self._inner.summarise(subject, messages, errand=errand)

    def asks(self, role: ModelRole, errand: Errand) -> bool:
        """As the gateway does."""
        return self._inner.asks(role, errand)


def timed_embed(inner: Embed, watch: Stopwatch) -> Embed:
    """The embedding model, with a watch on it."""

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        with watch.running():
            return inner(texts)

    return embed


@dataclass(slots=True)
class Bench:
    """A worker's parts, and the world that gives it tickets."""

    advancer: Advancer
    database: Database
    control: SandboxControl
    watch: Stopwatch
    made: int = 0
    nodes: list[int] = field(default_factory=list)
    model_s: list[float] = field(default_factory=list)
    vendor_s: list[float] = field(default_factory=list)

    async def one(self) -> float:
        """One run from its stored event to its end; its seconds without the models'."""
        ticket_id = await self.arrive()
        before_s, started = self.watch.seconds, time.perf_counter()
        for _ in range(MAX_TURNS):
            await advance(self.advancer, TENANT, ticket_id)
            run_id, outcome = await self._standing(ticket_id)
            if outcome is not None:
                break
        seconds = time.perf_counter() - started
        if outcome != Outcome.RESOLVED.value:
            raise RuntimeError(f"the bench's run {run_id!r} ended as {outcome!r} and not resolved: look at its policy")
        model_s = self.watch.seconds - before_s
        await self._note(run_id, model_s)
        return seconds - model_s

    async def arrive(self) -> str:
        """A new ticket in the doubles, and its event in the inbox. Not measured."""
        self.made += 1
        source = WORLD.format(number=self.made, order=20_000 + self.made)
        setting = read_yaml(source, Setting, name="the bench's world")
        loaded = await asyncio.to_thread(self.control.load, setting)
        ticket_id = str(loaded.keys.tickets[0])
        now = self.advancer.runtime.now()
        arrival = Arrival(
            source="sweeper", event_id=f"bench:{self.made}", kind=SWEPT, ticket_id=ticket_id, occurred_at=now
        )
        async with self.database.tenant(TENANT) as session:
            await receive(session, TENANT, arrival, now=now, new_id=self.advancer.runtime.new_id)
        return ticket_id

    async def _standing(self, ticket_id: str) -> tuple[str, str | None]:
        async with self.database.tenant(TENANT) as session:
            row = (await session.execute(_STANDING, {"tenant": TENANT, "ticket": ticket_id})).one()
        return row.run_id, row.outcome

    async def _note(self, run_id: str, model_s: float) -> None:
        values = {"tenant": TENANT, "run": run_id}
        async with self.database.tenant(TENANT) as session:
            self.nodes.append((await session.execute(_NODES, values)).scalar_one())
            self.vendor_s.append((await session.execute(_CALLS, values)).scalar_one() / 1000)
        self.model_s.append(model_s)


def run(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Runs a second, beside those of the bare graph."""
    rounds, runs = (2, 4) if is_quick else (7, 12)
    with opened_place() as place, doubles(place) as control:
        return asyncio.run(_measure(place, control, rounds, runs, say))


async def _measure(
    place: Place, control: SandboxControl, rounds: int, runs: int, say: Callable[[str], None]
) -> list[Row]:
    async with open_advancer(place.settings, place.storage) as (advancer, database):
        bench = await prepared(advancer, database, control)
        for _ in range(WARM_UP):
            await bench.one()
        nodes = max(bench.nodes)
        async with bare_graph(place.bare_url, nodes) as bare:
            for number in range(WARM_UP):
                await bare(f"warm-{number}")
            ours, theirs = [], []
            for number in range(rounds):
                theirs.append(runs / sum([await bare(f"{number}-{one}") for one in range(runs)]))
                ours.append(runs / sum([await bench.one() for _ in range(runs)]))
                say(f"run round {number + 1} of {rounds}: {ours[-1]:.2f}/s against {theirs[-1]:.2f}/s")
    parts = {
        "nodes": float(nodes),
        "ours_ms": 1000 / Sample.of(ours).median,
        "baseline_ms": 1000 / Sample.of(theirs).median,
        "model_ms_subtracted": 1000 * Sample.of(bench.model_s).median,
        "vendor_reads_ms_included": 1000 * Sample.of(bench.vendor_s).median,
    }
    return [Row("run", Sample.of(ours), "runs/s", Sample.of(theirs), GOAL, parts=parts)]


async def prepared(advancer: Advancer, database: Database, control: SandboxControl) -> Bench:
    """The bench's tenant with the shipped policy and the demo shop's documents, and watches on the models."""
    watch = Stopwatch()
    runtime: Runtime = replace(
        advancer.runtime,
        gateway=TimedGateway(advancer.runtime.gateway, watch),
        embed=timed_embed(advancer.runtime.embed, watch),
    )
    machines: dict[str, Machine] = {}
    for name, machine in advancer.machines.items():
        saver = machine.checkpointer
        assert saver is not None
        assert not isinstance(saver, bool)
        machines[name] = build(runtime, saver)
    await furnish(advancer, database)
    return Bench(Advancer(runtime, machines), database, control, watch)


async def furnish(advancer: Advancer, database: Database) -> None:
    """Give the bench's tenant the shipped policy, without its hold, and the demo shop's documents."""
    now = advancer.runtime.now()
    async with database.tenant(TENANT) as session:
        await publish(session, TENANT, _without_hold(shipped_text()), author="bench", now=now)
        await ingest(
            session,
            tenant_id=TENANT,
            source="demo-shop",
            documents=list(read_documents(Path(str(files("kb.library") / "demo-shop")))),
            embed=advancer.runtime.embed,
            now=now,
        )


def _without_hold(policy: str) -> str:
    """The shipped policy without the minutes in which a person can stop a refund: they are waited, not worked.

    Raises:
        ValueError: the policy holds refunds in other words than this function knows.
    """
    if HOLD not in policy:
        raise ValueError(f"the shipped policy has no {HOLD!r}: adapt the bench to it")
    return policy.replace(HOLD, "hold: 0s")
