from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from app.models import Tenant
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.stripe.server import StripeDouble
from connectors.sandbox.zendesk.double import Said, ZendeskDouble
from connectors.stripe.bodies import refund_body
from connectors.stripe.client import StripeAdapter
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.update import NewComment, update_body
from graph.audit.verify import verify
from graph.settlement.changes import read_effect
from graph.settlement.models import Effect, EffectKind, EffectState
from graph.settlement.performers import Performers, performers
from graph.settlement.requests import ChargeFacts, EffectRequest, ReserveAnswer, Reserved
from graph.settlement.reserve import Means, reserve
from graph.settlement.send import Sender, send
from graph.vault import Vault
from policies.money import Money
from policies.vocabulary import Tool

KEY = "sk_test_sandbox0000000001"
START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class Time:
    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment

    def advance(self, **by: float) -> None:
        self.moment += timedelta(**by)


class Killed(BaseException):
    """The process died here."""


@dataclass
class Desk:
    """The settlement against a real database and, over HTTP, the Stripe double."""

    database: Database
    tenant: str
    stripe: StripeDouble
    adapter: StripeAdapter
    faults: Faults
    time: Time
    vault: Vault
    tickets: ZendeskDouble
    zendesk: ZendeskAdapter
    ids: Callable[[], int] = field(default_factory=lambda: count(1).__next__)
    performers: Performers = field(default_factory=dict)
    lease_s: float = 120.0

    def __post_init__(self) -> None:
        self.performers = dict(performers(self.adapter, self.zendesk))

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{self.ids():06d}"

    def new_key(self) -> str:
        return f"key-{self.ids():06d}"

    @property
    def means(self) -> Means:
        return Means(now=self.time.now(), new_id=self.new_id, new_key=self.new_key, vault=self.vault)

    def session(self) -> AbstractAsyncContextManager[AsyncSession]:
        return self.database.tenant(self.tenant)

    def sender(self, **changes: Any) -> Sender:
        fields: dict[str, Any] = {
            "sessions": self.database.tenant,
            "performers": self.performers,
            "now": self.time.now,
            "new_id": self.new_id,
            "vault": self.vault,
            "lease_s": self.lease_s,
        }
        return Sender(**{**fields, **changes})

    def customer(self) -> str:
        return self.stripe.add_customer(email=f"ana{self.ids()}@example.com", name="Ana Ruiz")

    def charge(self, amount_minor: int = 10_000, currency: str = "usd", **fields: Any) -> str:
        created = self.time.now() - timedelta(days=3)
        return self.stripe.add_charge(
            **{"customer": None, "amount_minor": amount_minor, "currency": currency, "created": created, **fields},
        )

    def facts(self, charge_id: str, **changes: Any) -> ChargeFacts:
        read_at = self.time.now()
        view = self.adapter.charge(charge_id)
        fields = {
            "charge_id": charge_id,
            "customer_id": view.customer_id,
            "currency": view.amount.currency,
            "captured_minor": view.captured_amount.minor,
            "refunded_minor": view.refunded.minor,
            "read_at": read_at,
        }
        return ChargeFacts(**{**fields, **changes})

    def refund(self, charge_id: str, amount_minor: int = 2_490, **changes: Any) -> EffectRequest:
        facts = changes.pop("charge", None) or self.facts(charge_id)
        amount = Money(amount_minor, facts.currency)
        fields: dict[str, Any] = {
            "tenant_id": self.tenant,
            "run_id": "run_1",
            "ticket_id": "1",
            "cycle": 0,
            "kind": EffectKind.REFUND,
            "tool": Tool.STRIPE_REFUND.value,
            "actor": "agent",
            "body": lambda effect_id: refund_body(charge_id, amount, intent_id=effect_id),
            "charge": facts,
            "amount": amount,
            "customer_id": "cus_1",
        }
        return EffectRequest(**{**fields, **changes})

    def ticket(self) -> int:
        ana = self.tickets.add_user(name="Ana Ruiz", email=f"ana{self.ids()}@example.com")
        return self.tickets.create_ticket(
            requester=ana,
            subject="Charged twice",
            channel="email",
            comments=[Said(ana, "I was charged twice")],
        )

    def update(self, ticket_id: int, words: str = "Your refund is on its way.", **changes: Any) -> EffectRequest:
        view = self.zendesk.ticket(ticket_id)
        fields: dict[str, Any] = {
            "tenant_id": self.tenant,
            "run_id": "run_1",
            "ticket_id": str(ticket_id),
            "cycle": 0,
            "kind": EffectKind.ZENDESK_UPDATE,
            "tool": Tool.ZENDESK_REPLY.value,
            "actor": "agent",
            "body": lambda effect_id: update_body(
                view, marker=effect_id, comment=NewComment(words, public=True), add_tags=("refunded",), status="solved"
            ),
            "item_key": "answer",
            "subject_id": "subject_1",
            "is_personal": True,
        }
        return EffectRequest(**{**fields, **changes})

    def replies(self, ticket_id: int) -> int:
        """How many comments the ticket has besides the customer's first."""
        return len(self.tickets.comments(ticket_id)) - 1

    async def reserve(self, request: EffectRequest) -> ReserveAnswer:
        async with self.session() as session:
            return await reserve(session, request, self.means)

    async def held(self, request: EffectRequest) -> str:
        answer = await self.reserve(request)
        assert isinstance(answer, Reserved), answer
        return answer.effect_id

    async def send(self, effect_id: str, **changes: Any) -> EffectState:
        return await send(self.sender(**changes), self.tenant, effect_id)

    async def refunded(self, request: EffectRequest) -> str:
        effect_id = await self.held(request)
        assert await self.send(effect_id) is EffectState.SETTLED
        return effect_id

    async def effect(self, effect_id: str) -> Effect:
        async with self.session() as session:
            return await read_effect(session, self.tenant, effect_id)

    async def row(self, sql: str, **parameters: object) -> Any:
        async with self.session() as session:
            return (await session.execute(text(sql), parameters)).one_or_none()

    async def mark_installation(self, mark: str) -> None:
        async with self.session() as session:
            session.add(Tenant(tenant_id=self.tenant, title="", installation_id=mark, created_at=self.time.now()))

    async def charge_row(self, charge_id: str) -> tuple[int, int]:
        """Refunded and reserved."""
        row = await self.row(
            "SELECT refunded_minor, reserved_minor FROM charge_ledger WHERE charge_id = :c", c=charge_id
        )
        return (row[0], row[1])

    async def limit_row(self, limit_id: str) -> tuple[int, int, int]:
        """Spent, reserved and count of what draws on a limit."""
        row = await self.row(
            "SELECT coalesce(sum(amount_minor) FILTER (WHERE spent_at IS NOT NULL), 0),"
            " coalesce(sum(amount_minor) FILTER (WHERE spent_at IS NULL), 0), count(*)"
            " FROM reservation WHERE limit_id = :l",
            l=limit_id,
        )
        return (int(row[0]), int(row[1]), int(row[2]))

    async def kinds(self, effect_id: str | None = None) -> list[str]:
        async with self.session() as session:
            result = await verify(session, self.tenant)
            assert result.holds, result
            rows = await session.execute(text("SELECT kind, body FROM audit_event ORDER BY seq"))
            return [row.kind for row in rows if effect_id is None or row.body.get("effect_id") == effect_id]

    async def expire_lease(self, effect_id: str) -> None:
        async with self.session() as session:
            await session.execute(
                text("UPDATE effect SET leased_until = clock_timestamp() - interval '1 s' WHERE effect_id = :e"),
                {"e": effect_id},
            )

    def fault(self, kind: FaultKind, at: str = "stripe.refunds.create", **fields: Any) -> None:
        self.faults.add(Fault(at=at, kind=kind, **{"delay_s": 2.0, **fields}))

    def ledger(self, charge_id: str) -> list[int]:
        """What Stripe itself says went out on a charge."""
        return [
            entry["amount_minor"]
            for entry in self.stripe.ledger()
            if entry["charge"] == charge_id and entry["status"] not in {"failed", "canceled"}
        ]

    def dying_after(self, commits: int) -> Callable[[str], AbstractAsyncContextManager[AsyncSession]]:
        """Sessions of a process that is killed right after so many commits."""
        left = count(commits, -1)

        @asynccontextmanager
        async def sessions(tenant_id: str) -> AsyncIterator[AsyncSession]:
            async with self.database.tenant(tenant_id) as session:
                yield session
            if next(left) <= 1:
                raise Killed

        return sessions

    def dying_before(self, commit: int) -> Callable[[str], AbstractAsyncContextManager[AsyncSession]]:
        """Sessions of a process that is killed right before one of its commits."""
        left = count(commit, -1)

        @asynccontextmanager
        async def sessions(tenant_id: str) -> AsyncIterator[AsyncSession]:
            async with self.database.tenant(tenant_id) as session:
                yield session
                if next(left) <= 1:
                    raise Killed

        return sessions
