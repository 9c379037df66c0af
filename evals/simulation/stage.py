"""Where a seed plays: a database, the doubles of Stripe and Zendesk on one address, real adapters, its own clock.

Each seed is a tenant of its own on one database, so none has to be made anew.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import text
from starlette.applications import Starlette

from app.db import Database
from app.embedded import EmbeddedServer
from app.migrate import migrate
from connectors.sandbox.deliveries import Deliveries
from connectors.sandbox.faults import Faults
from connectors.sandbox.server import serve
from connectors.sandbox.stripe.server import StripeDouble
from connectors.sandbox.zendesk.double import Said, ZendeskDouble
from connectors.stripe.bodies import refund_body
from connectors.stripe.client import StripeAdapter
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.credentials import ApiToken
from connectors.zendesk.update import NewComment, update_body
from evals.trials.ground import Switchboard
from graph.settlement import performers, send
from graph.settlement.due import due_effects
from graph.settlement.models import EffectKind
from graph.settlement.reconcile import Drift, reconcile
from graph.settlement.requests import ChargeFacts, EffectRequest, ReserveAnswer
from graph.settlement.reserve import Means, reserve
from graph.settlement.switches import change_switch
from graph.settlement.vendor_events import Hearing, on_refund
from graph.vault import Vault
from policies.money import Money
from policies.vocabulary import Tool

START: Final = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
KEY: Final = "sk_test_simulation00000001"
MAIL: Final = "bot@example.com"
CUSTOMER: Final = "cus_1"
CURRENCY: Final = "usd"
CAPTURED_MINOR: Final = 10_000
POOL: Final = 60
LEASE_S: Final = 120.0
"""Nothing renews it within a history: leases end only when the schedule says so."""
"""Connections at hand from the start, so that making one is in no history; as many as the harness has workers."""


@dataclass(slots=True)
class Time:
    """Business time: it stands still unless it is moved."""

    moment: datetime = START

    def now(self) -> datetime:
        """The present."""
        return self.moment

    def advance(self, seconds: float) -> datetime:
        """Move forward; the new present."""
        self.moment += timedelta(seconds=seconds)
        return self.moment


@dataclass(slots=True)
class Stage:
    """What stays over all seeds, and the present seed's tenant, doubles and ids."""

    database: Database
    admin: psycopg.AsyncConnection[Any]
    monitor: psycopg.AsyncConnection[Any]
    switchboard: Switchboard
    adapter: StripeAdapter
    zendesk: ZendeskAdapter
    time: Time
    tenant: str = ""
    begun: int = 0
    faults: Faults = field(default_factory=Faults)
    stripe: StripeDouble = field(init=False)
    tickets: ZendeskDouble = field(init=False)
    _ids: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def begin(self, seed: int) -> None:
        """New doubles, a new tenant, the clock at its start."""
        self.begun += 1
        self.tenant = f"s{seed}n{self.begun}"
        self.time.moment = START
        self.faults = Faults(seed=seed)
        self._ids = count(1).__next__
        deliveries = Deliveries(self.faults)  # nobody is told: a seed's own actions bring the news
        self.stripe = StripeDouble(
            now=self.time.now,
            faults=self.faults,
            deliveries=deliveries,
            keys={KEY: frozenset({"*"})},
            webhook_secret="whsec_simulation",  # noqa: S106 - opens a double
            webhook_url=None,
            seed=seed,
        )
        self.tickets = ZendeskDouble(
            now=self.time.now,
            faults=self.faults,
            deliveries=deliveries,
            account="demo",
            oauth_clients={},
            api_tokens=("token",),
            webhook_secret="zendesk-secret",  # noqa: S106
            webhook_url=None,
            seed=7,
        )
        self.tickets.add_user(name="Bot", email=MAIL, role="agent")
        self.switchboard.app = Starlette(routes=[*self.stripe.routes(), *self.tickets.routes()])

    def new_id(self, prefix: str) -> str:
        """An id that follows from the history alone."""
        return f"{prefix}_{self.tenant}_{self._ids():06d}"

    def new_key(self) -> str:
        """An idempotency key, likewise."""
        return f"key-{self.tenant}-{self._ids():06d}"

    @property
    def means(self) -> Means:
        """What reserving needs."""
        return Means(now=self.time.now(), new_id=self.new_id, new_key=self.new_key, vault=_VAULT)

    def sender(self) -> send.Sender:
        """What sending needs."""
        return send.Sender(
            sessions=self.database.tenant,
            performers=performers.performers(self.adapter, self.zendesk),
            now=self.time.now,
            new_id=self.new_id,
            vault=_VAULT,
            lease_s=LEASE_S,
        )

    def ticket(self, customer: str) -> int:
        """A new ticket of a customer."""
        user = self.tickets.add_user(name=customer, email=f"{customer}.{self._ids()}@example.com")
        return self.tickets.create_ticket(
            requester=user, subject="Charged twice", channel="email", comments=[Said(user, "I was charged twice")]
        )

    def facts(self, charge: str) -> ChargeFacts:
        """What Stripe says about a charge of this stage."""
        held = [one for one in self.stripe.ledger() if one["charge"] == charge and holds_money(one)]
        refunded = sum(one["amount_minor"] for one in held)
        return ChargeFacts(charge, CUSTOMER, CURRENCY, CAPTURED_MINOR, refunded, self.time.now())

    def charge(self) -> str:
        """A new charge; its id."""
        return self.stripe.add_charge(
            customer=None, amount_minor=CAPTURED_MINOR, currency=CURRENCY, created=START - timedelta(days=3)
        )

    def refund(self, charge: str, amount_minor: int, **more: Any) -> EffectRequest:  # noqa: ANN401 - the request's own
        """A run wants to give money back."""
        amount = Money(amount_minor, CURRENCY)
        fields: dict[str, Any] = {
            "tenant_id": self.tenant,
            "run_id": "run_1",
            "ticket_id": "1",
            "cycle": 0,
            "kind": EffectKind.REFUND,
            "tool": Tool.STRIPE_REFUND.value,
            "actor": "agent",
            "body": lambda effect_id: refund_body(charge, amount, intent_id=effect_id),
            "charge": self.facts(charge),
            "amount": amount,
            "customer_id": CUSTOMER,
        }
        return EffectRequest(**{**fields, **more})

    def reply(self, ticket_id: int) -> EffectRequest:
        """A run wants to answer its ticket.

        Raises:
            ConnectorError: the ticket could not be read.
        """
        view = self.zendesk.ticket(ticket_id)
        return EffectRequest(
            tenant_id=self.tenant,
            run_id="run_1",
            ticket_id=str(ticket_id),
            cycle=0,
            kind=EffectKind.ZENDESK_UPDATE,
            tool=Tool.ZENDESK_REPLY.value,
            actor="agent",
            body=lambda effect_id: update_body(
                view, marker=effect_id, comment=NewComment("It is done.", public=True), status="solved"
            ),
            item_key="answer",
            subject_id="subject_1",
            is_personal=True,
        )

    async def intends(self, request: EffectRequest) -> ReserveAnswer:
        """Reserve, in a transaction of its own."""
        async with self.database.tenant(self.tenant) as session:
            return await reserve(session, request, self.means)

    async def send_due(self) -> None:
        """What a worker's look-out does."""
        async with self.database.tenant(self.tenant) as session:
            due = await due_effects(session, self.tenant, now=self.time.now())
        for effect_id in due:
            await send.send(self.sender(), self.tenant, effect_id)

    async def compare(self) -> Drift:
        """What the reconciler does, over all time.

        Raises:
            ConnectorError: Stripe's list could not be read.
        """
        return await reconcile(
            self.database.tenant,
            self.tenant,
            refunds_since=self.adapter.refunds_since,
            since=START - timedelta(days=30),
            now=self.time.now,
            new_id=self.new_id,
        )

    async def hear(self, refund_id: str) -> None:
        """What a webhook of Stripe leads to.

        Raises:
            ConnectorError: the refund could not be read.
        """
        refund = await asyncio.to_thread(self.adapter.refund, refund_id)
        async with self.database.tenant(self.tenant) as session:
            await on_refund(session, refund, Hearing(self.tenant, self.time.now(), self.new_id))

    async def switch_refunds(self, *, is_off: bool) -> None:
        """A person turns the switch."""
        async with self.database.tenant(self.tenant) as session:
            await change_switch(
                session,
                tenant_id=self.tenant,
                tool=Tool.STRIPE_REFUND.value,
                is_off=is_off,
                reason="a simulation",
                actor="ops",
                now=self.time.now(),
                new_id=self.new_id,
            )

    async def effects(self) -> list[str]:
        """The effects so far."""
        found = await self.admin.execute(
            "SELECT effect_id FROM effect WHERE tenant_id = %s ORDER BY effect_id", [self.tenant]
        )
        return [row[0] for row in await found.fetchall()]

    async def charge_row(self, charge: str) -> tuple[int, int]:
        """Refunded and reserved, in our ledger."""
        found = await self.admin.execute(
            "SELECT refunded_minor, reserved_minor FROM charge_ledger WHERE tenant_id = %s AND charge_id = %s",
            [self.tenant, charge],
        )
        row = await found.fetchone()
        assert row is not None
        return row[0], row[1]

    def passes(self, seconds: float) -> None:
        """Business time passes, and what it makes due at Stripe happens."""
        self.time.advance(seconds)
        self.stripe.tick()

    async def leases_end(self) -> None:
        """Database time passes, so that every lease on an effect is over; its holder may still be at work."""
        async with self.database.tenant(self.tenant) as session:
            await session.execute(
                text(
                    "UPDATE effect SET leased_until = clock_timestamp() - interval '1 s' WHERE leased_until IS NOT NULL"
                )
            )


def holds_money(entry: Mapping[str, object]) -> bool:
    """Whether a refund of the double's ledger has not failed."""
    return entry["status"] not in {"failed", "canceled"}


_VAULT: Final = Vault({"k1": b"m" * 32}, "k1")


@asynccontextmanager
async def opened_stage() -> AsyncIterator[Stage]:
    """A stage for as long as the block lasts."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cs-", ignore_cleanup_errors=True)))
        server = stack.enter_context(EmbeddedServer(folder, durable=False))
        await asyncio.to_thread(migrate, server.admin_url())
        yield await stack.enter_async_context(stage_on(server.app_url(), server.admin_url()))


@asynccontextmanager
async def stage_on(app_url: str, admin_url: str) -> AsyncIterator[Stage]:
    """A stage on a migrated database."""
    switchboard, time = Switchboard(), Time()
    async with AsyncExitStack() as stack:
        url = stack.enter_context(serve(switchboard)).url
        database = Database(app_url, pool_size=POOL)
        stack.push_async_callback(database.close)
        admin, monitor = [
            await stack.enter_async_context(await psycopg.AsyncConnection[Any].connect(admin_url, autocommit=True))
            for _ in range(2)
        ]
        adapter = StripeAdapter(KEY, base_url=url, timeout_s=5.0)
        stack.callback(adapter.close)
        zendesk = ZendeskAdapter(
            subdomain="demo", base_url=url, auth=ApiToken(MAIL, "token"), timeout_s=5.0, now=time.now
        )
        stack.callback(zendesk.close)
        yield Stage(database, admin, monitor, switchboard, adapter, zendesk, time)
