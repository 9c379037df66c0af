from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.sandbox.deliveries import Deliveries
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.server import serve
from connectors.sandbox.stripe.server import StripeDouble
from connectors.stripe.bodies import refund_body
from connectors.stripe.client import StripeAdapter
from connectors.stripe.events import StripeEvent
from connectors.stripe.signing import verify
from connectors.stripe.transport import API_VERSION
from policies.money import Money

SECRET_KEY = "sk_test_sandbox0000000001"
READ_ONLY_KEY = "rk_test_sandbox0000000002"
WEBHOOK_SECRET = "whsec_sandbox"
READS = frozenset(
    {
        "rak_customer_read",
        "rak_charge_read",
        "rak_payment_intent_read",
        "rak_dispute_read",
        "rak_radar_early_fraud_warning_read",
        "rak_subscription_read",
    }
)


class Time:
    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, **by: float) -> None:
        self.moment += timedelta(**by)

    def ago(self, **by: float) -> datetime:
        return self.moment - timedelta(**by)


@dataclass
class Inbox:
    """A webhook endpoint: what it received, and what it answers."""

    url: str = ""
    received: list[tuple[bytes, str]] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    time: Time = field(default_factory=Time)
    statuses: list[int] = field(default_factory=list)

    async def accept(self, request: Request) -> Response:
        self.times.append(self.time.now())
        self.received.append((await request.body(), request.headers["stripe-signature"]))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 202)


@dataclass
class Shop:
    """A shop's Stripe account: the double, the adapter under test, and the plain SDK."""

    double: StripeDouble
    time: Time
    faults: Faults
    deliveries: Deliveries
    adapter: StripeAdapter
    sdk: stripe.StripeClient
    url: str
    inbox: Inbox

    def customer(self, **fields: Any) -> str:
        return self.double.add_customer(**{"email": "ana@example.com", "name": "Ana Ruiz", **fields})

    def charge(self, amount_minor: int = 2490, currency: str = "usd", **fields: Any) -> str:
        fields = {"customer": None, "created": self.time.ago(days=3), **fields}
        return self.double.add_charge(amount_minor=amount_minor, currency=currency, **fields)

    def subscription(self, **fields: Any) -> str:
        fields = {"price_minor": 3000, "currency": "usd", "interval": "month", **fields}
        fields.setdefault("current_period_start", self.time.ago(days=10))
        if "customer" not in fields:
            fields["customer"] = self.customer()
        return self.double.add_subscription(**fields)

    def fault(self, at: str, kind: FaultKind, **fields: Any) -> None:
        self.faults.add(Fault(at=at, kind=kind, **{"delay_s": 5.0, **fields}))

    def refund(self, charge: str, amount_minor: int, key: str, currency: str = "usd", intent: str = "int_1") -> Any:
        body = refund_body(charge, Money(amount_minor, currency), intent_id=intent)
        return self.adapter.create_refund(body, idempotency_key=key)

    async def events(self) -> list[StripeEvent]:
        await self.deliveries.drain()
        arrivals = zip(self.inbox.received, self.inbox.times, strict=True)
        return [verify(body, header, secrets=(WEBHOOK_SECRET,), now=at) for (body, header), at in arrivals]


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Inbox]:
    """One webhook endpoint for all tests of the session."""
    inbox = Inbox()
    app = Starlette(routes=[Route("/hook", inbox.accept, methods=["POST"])])
    with serve(app) as server:
        inbox.url = f"{server.url}/hook"
        yield inbox


class Vendor:
    """One running server for the session, which answers with the double of the test."""

    def __init__(self) -> None:
        self.app: ASGIApp = Starlette()
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def vendor() -> Iterator[Vendor]:
    vendor = Vendor()
    lifespan = Starlette()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (lifespan if scope["type"] == "lifespan" else vendor)(scope, receive, send)

    with serve(app) as server:
        vendor.url = server.url
        yield vendor


@pytest.fixture
def open_shop(endpoint: Inbox, vendor: Vendor) -> Iterator[Callable[..., Shop]]:
    opened: list[Any] = []
    endpoint.received.clear()
    endpoint.times.clear()
    endpoint.statuses.clear()

    def open_one(*, key: str = SECRET_KEY, webhooks: bool = False, timeout_s: float = 5.0) -> Shop:
        time, faults = Time(), Faults()
        endpoint.time = time
        deliveries = Deliveries(faults)
        double = StripeDouble(
            now=time.now,
            faults=faults,
            deliveries=deliveries,
            keys={SECRET_KEY: frozenset({"*"}), READ_ONLY_KEY: READS},
            webhook_secret=WEBHOOK_SECRET,
            webhook_url=endpoint.url if webhooks else None,
            seed=7,
        )
        vendor.app = Starlette(routes=double.routes())
        adapter = StripeAdapter(key, base_url=vendor.url, timeout_s=timeout_s)
        sdk = stripe.StripeClient(
            SECRET_KEY,
            base_addresses={"api": vendor.url},
            stripe_version=API_VERSION,
            http_client=stripe.RequestsClient(timeout=timeout_s),
        )
        opened.extend([adapter.close, deliveries.close])
        return Shop(double, time, faults, deliveries, adapter, sdk, vendor.url, endpoint)

    yield open_one
    for close in opened:
        close()


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    return open_shop()
