"""A whole shop in one process: vendors' doubles and the web process over HTTP, real adapters, a worker moved by hand.

Webhooks travel signed from the doubles to the web process; `work` then does what a worker does, until nothing moves.
Business time is the sandbox's and moves on demand. What is asserted is the doubles' own books.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from sqlalchemy import text

from app.ambient import new_id, new_key, sandbox_clock, vault_of
from app.db import Database
from app.identity.models import Account
from app.identity.roles import Role
from app.listening import free_port
from app.lookout import look_out
from app.runtime import CHECKPOINT_MODULES, tenant_of
from app.sandboxed import TENANT, Ports, config_of, write_settings
from app.settings import Settings, load_settings
from app.setup import publish_initial_policies
from app.web.app import create_app
from connectors.errors import ConnectorError
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.composition import Sandbox, create_sandbox
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.server import serve
from connectors.sandbox.world.loading import Keys, arrive, load
from connectors.sandbox.world.model import Setting
from graph.audit.answering_for import answered_for
from graph.audit.catalogue import problems
from graph.audit.verify import verify
from graph.build import build
from graph.intake.stripe_events import take_in
from graph.intake.sweep import sweep
from graph.models.embedding import Embedder
from graph.models.gateway import Gateway
from graph.runs.advance import Advancer, advance
from graph.runs.standing import failed
from graph.runtime import Runtime
from graph.settlement.send import send
from graph.settlement.switches import change_switch
from tests.app.web.people import a_person, signed_in

TURNS = 40
"""Turns of the worker after which a journey that still moves is a loop."""


@dataclass(frozen=True)
class Mind:
    """The model, which takes seconds to load."""

    embedder: Embedder
    gateway: Gateway


def a_setting(
    body: str,
    *,
    charges: Sequence[Mapping[str, Any]] = (),
    subject: str = "My order",
    customer: Mapping[str, Any] | None = None,
    others: Sequence[Mapping[str, Any]] = (),
    ticket: Mapping[str, Any] | None = None,
    **world: Any,
) -> Setting:
    """A customer `ana` with charges, and one ticket of hers."""
    ana = {"key": "ana", "name": "Ana Ruiz", "email": "ana.ruiz@customers.example", **(customer or {})}
    paid = [{"customer": "ana", "currency": "usd", "days_ago": "3", **charge} for charge in charges]
    return Setting.model_validate(
        {
            "world": {"customers": [ana, *others], "charges": paid, **world},
            "ticket": {
                "requester": "ana",
                "subject": subject,
                "comments": [{"from": "ana", "body": body}],
                **(ticket or {}),
            },
        },
    )


def charged_twice(amount: str = "24.90", currency: str = "usd", **changes: Any) -> Setting:
    """Two equal charges for order 1042 a quarter of an hour apart, and a customer who noticed."""
    twin = {"amount": amount, "currency": currency, "order": "1042", "description": "Order 1042"}
    return a_setting(
        changes.pop("body", "I was charged twice for order 1042. Please refund the duplicate charge."),
        **{
            "charges": [{"key": "first", **twin, "days_ago": "3.01"}, {"key": "second", **twin}],
            "subject": "Charged twice for order 1042",
            **changes,
        },
    )


@dataclass
class Shop:
    """The shop, its vendors and the worker."""

    settings: Settings
    database: Database
    sandbox: Sandbox
    faults: Faults
    clock: SandboxClock
    advancer: Advancer
    web: httpx.AsyncClient
    reviewer: Account
    keys: Keys = field(default_factory=lambda: Keys({}, {}, {}, {}))
    tenant: str = TENANT

    @property
    def vendor_url(self) -> str:
        return str(self.settings.tenants[self.tenant].stripe.base_url)  # type: ignore[union-attr]

    @property
    def runtime(self) -> Runtime:
        return self.advancer.runtime

    # What happens at the vendors.

    async def arrives(self, setting: Setting) -> str:
        """Load a world; its ticket arrives and is worked on. The ticket's id."""
        ticket_id = await self.is_opened(setting)
        await self.work()
        return ticket_id

    async def is_opened(self, setting: Setting) -> str:
        """Load a world; its ticket arrives, and nobody works yet. The ticket's id."""
        doubles = self.sandbox.doubles
        keys = load(setting.world, doubles, self.clock.now())
        for ticket in setting.all_tickets:
            keys = keys.with_ticket(arrive(ticket, setting.world, keys, doubles))
        self.keys = keys
        return str(keys.tickets[0])

    async def customer_writes(self, ticket_id: str, words: str) -> None:
        zendesk = self.sandbox.doubles.zendesk
        zendesk.customer_writes(int(ticket_id), int(str(zendesk.ticket(int(ticket_id))["requester_id"])), words)
        await self.work()

    async def agent_writes(self, ticket_id: str, words: str, **said: Any) -> None:
        doubles = self.sandbox.doubles
        doubles.zendesk.agent_writes(int(ticket_id), doubles.agent_id(), words, **said)
        await self.work()

    async def passes(self, **time: float) -> None:
        """So much time passes; what is due happens."""
        factors = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
        self.clock.advance(sum(factors[unit] * amount for unit, amount in time.items()))
        self.sandbox.tick()
        await self.work()

    def goes_wrong(self, at: str, kind: FaultKind, **how: Any) -> None:
        self.faults.add(Fault(at, kind, **{"delay_s": 0.1, **how}))

    # What the worker and people do.

    async def work(self) -> None:
        """Deliver, hear, advance, until nothing moves."""
        before = None
        for _ in range(TURNS):
            await self._delivered()
            now = await self._standing()
            if now == before:
                return
            before = now
            for event_id in await self._column(
                "SELECT event_id FROM inbox_event WHERE source = 'stripe' AND disposition = 'pending'"
            ):
                await take_in(self.runtime, self.tenant, event_id)
            for ticket_id in await self._column(
                """SELECT ticket_id FROM inbox_event WHERE disposition = 'pending' AND ticket_id IS NOT NULL
                   UNION SELECT ticket_id FROM run WHERE state <> 'ended' ORDER BY 1"""
            ):
                await self.advance(ticket_id)
        raise AssertionError(f"still moving after {TURNS} turns: {await self._standing()}")

    async def advance(self, ticket_id: str) -> None:
        try:
            await advance(self.advancer, self.tenant, ticket_id)
        except ConnectorError as error:
            await failed(self.runtime, self.tenant, ticket_id, error)

    async def _delivered(self) -> None:
        while self.sandbox.deliveries.busy():  # noqa: ASYNC110 - other threads deliver
            await asyncio.sleep(0.005)

    async def _standing(self) -> object:
        return await self.rows(
            """SELECT run_id, state, wait_for, cycle, failures, signal::text FROM run
               UNION ALL SELECT effect_id, state, kind, attempts, 0, NULL FROM effect
               UNION ALL SELECT event_id, disposition, source, 0, attempts, NULL FROM inbox_event ORDER BY 1""",
        )

    async def looks_out(self) -> None:
        """What the look-out of a worker finds, and what is due then."""
        await look_out(self.runtime, self.tenant)
        for effect_id in await self._column("SELECT effect_id FROM effect WHERE state = 'held'"):
            await send(self.advancer.sender(self.tenant), self.tenant, effect_id)
        await self.work()

    async def sweep(self) -> int:
        return await sweep(self.runtime, self.tenant)

    async def switch_off(self, tool: str) -> None:
        async with self.database.tenant(self.tenant) as session:
            await change_switch(
                session,
                tenant_id=self.tenant,
                tool=tool,
                is_off=True,
                reason="an exercise",
                actor="ops",
                now=self.clock.now(),
                new_id=new_id,
            )

    async def clicks(self, ticket_id: str, decision: str, **form: str) -> int:
        """A person opens the run's page and answers; the status of the answer."""
        return (await self.posts(await self.form(ticket_id), decision, **form)).status_code

    async def form(self, ticket_id: str) -> tuple[str, str]:
        """The form's address and token, as the page shows them."""
        run = await self.run(ticket_id)
        # Days may have passed, and sessions end.
        (await signed_in(self.database.tenant, self.reviewer, self.clock.now())).sits_at(self.web)
        page = (await self.web.get(f"/t/{self.tenant}/runs/{run['run_id']}")).text
        action = re.search(r'action="([^"]+/approvals/[^"]+)"', page)
        token = re.search(r'name="csrf" value="([^"]+)"', page)
        assert action is not None, page
        assert token is not None, page
        return action[1], token[1]

    async def posts(self, form: tuple[str, str], decision: str, **fields: str) -> httpx.Response:
        return await self.web.post(form[0], data={"csrf": form[1], "decision": decision, **fields})

    # What can be seen afterwards.

    def refunds(self) -> list[tuple[str, int, str]]:
        """Stripe's own books: (key of the charge, minor units, currency) of each refund that holds money."""
        names = {charge_id: key for key, charge_id in self.keys.charges.items()}
        return [
            (names.get(str(entry["charge"]), str(entry["charge"])), int(entry["amount_minor"]), str(entry["currency"]))
            for entry in self.sandbox.doubles.stripe.ledger()
            if entry["status"] not in {"failed", "canceled"}
        ]

    def ticket(self, ticket_id: str) -> Mapping[str, Any]:
        return self.sandbox.doubles.zendesk.ticket(int(ticket_id))

    def said(self, ticket_id: str, *, public: bool) -> list[str]:
        """What the agent has written on the ticket."""
        bot = self.runtime.tenant(self.tenant).zendesk.bot_user_id
        comments = self.sandbox.doubles.zendesk.comments(int(ticket_id))
        return [str(one["body"]) for one in comments if one["author_id"] == bot and one["public"] is public]

    async def run(self, ticket_id: str) -> dict[str, Any]:
        """The newest run of a ticket."""
        rows = await self.rows("SELECT * FROM run WHERE ticket_id = :t ORDER BY started_at DESC LIMIT 1", t=ticket_id)
        assert rows, f"no run for ticket {ticket_id}"
        return rows[0]

    async def outcome(self, ticket_id: str) -> tuple[str | None, str | None]:
        run = await self.run(ticket_id)
        return run["outcome"], run["reason"]

    async def rows(self, sql: str, **values: object) -> list[dict[str, Any]]:
        async with self.database.tenant(self.tenant) as session:
            return [dict(row) for row in (await session.execute(text(sql), values)).mappings()]

    async def _column(self, sql: str) -> list[str]:
        return [str(next(iter(row.values()))) for row in await self.rows(sql)]

    async def balanced(self) -> None:
        """Our log is whole and our books agree with Stripe's."""
        async with self.database.tenant(self.tenant) as session:
            assert (await verify(session, self.tenant)).holds
        told = await self.rows("SELECT kind, body FROM audit_event ORDER BY seq")
        found = [problem for event in told for problem in problems(event["kind"], event["body"])]
        assert found == [], found
        async with self.database.tenant(self.tenant) as session:
            assert [one for one in await answered_for(session, self.tenant) if one.missing] == []
        ours = await self.rows("SELECT charge_id, refunded_minor, reserved_minor FROM charge_ledger")
        theirs: dict[str, int] = {}
        for entry in self.sandbox.doubles.stripe.ledger():
            if entry["status"] not in {"failed", "canceled"}:
                theirs[entry["charge"]] = theirs.get(entry["charge"], 0) + entry["amount_minor"]
        assert {row["charge_id"]: row["refunded_minor"] for row in ours if row["refunded_minor"]} == theirs
        assert not [row for row in ours if row["reserved_minor"]]


@asynccontextmanager
async def opened(
    mind: Mind, database: Database, database_url: str, folder: Path, *, help_center: bool = False
) -> AsyncIterator[Shop]:
    """Everything started, for as long as the block lasts."""
    write_settings(folder, Ports(free_port(), free_port()))
    settings = load_settings()
    clock, faults = sandbox_clock(folder), Faults()
    vendors = create_sandbox(config_of(settings, seed=7), clock, faults)
    vendor_port = int(str(settings.tenants[TENANT].stripe.base_url).rsplit(":", 1)[1])  # type: ignore[union-attr]
    tenant = replace(tenant_of(TENANT, settings.tenants[TENANT], clock.now), help_center=help_center)
    runtime = Runtime(
        sessions=database.tenant,
        now=clock.now,
        new_id=new_id,
        new_key=new_key,
        vault=vault_of(settings),
        tenant={TENANT: tenant}.__getitem__,
        gateway=mind.gateway,
        embed=mind.embedder.embed,
        worker_id="journey",
    )
    serializer = JsonPlusSerializer(allowed_msgpack_modules=CHECKPOINT_MODULES)
    await publish_initial_policies(database, settings, clock.now)
    with (
        serve(vendors, port=vendor_port),
        serve(create_app(settings, database_url), port=settings.port) as door,
    ):
        saver = AsyncPostgresSaver(await database.checkpoint_pool(TENANT), serde=serializer)
        async with httpx.AsyncClient(base_url=door.url, trust_env=False, timeout=60) as web:
            reviewer = await a_person(database.tenant, TENANT, Role.CS_LEAD, Role.ADMIN, now=clock.now())
            advancer = Advancer(runtime, {TENANT: build(runtime, saver)})
            yield Shop(settings, database, vendors.state.sandbox, faults, clock, advancer, web, reviewer.account)
        tenant.zendesk.close()
        tenant.stripe.close()
        if tenant.orders is not None:
            tenant.orders.close()
