"""A small world around the double: a clock that is moved by hand, a consumer that keeps its webhooks, adapters."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.sandbox.deliveries import Deliveries
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.server import RunningServer
from connectors.sandbox.zendesk.double import Said, ZendeskDouble
from connectors.sandbox.zendesk.limits import Limits
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.credentials import ApiToken, OAuthClient

SUBDOMAIN = "shop"
BOT_EMAIL = "bot@shop.example"
CLIENT_SECRET = "a-client-secret-of-the-sandbox"
API_TOKEN = "an-api-token-of-the-sandbox"
WEBHOOK_SECRET = "a-signing-secret-of-the-sandbox"
ALL_SCOPES = "read write"
TIMEOUT_S = 5.0


class ManualClock:
    """Business time that moves only when told."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 21, 9, 0, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Received:
    """One webhook as it arrived."""

    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        body = json.loads(self.raw)
        assert isinstance(body, dict)
        return body


class Consumer:
    """Keeps the webhooks it is sent, and answers with the statuses it was told, then with 202."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.statuses: list[int] = []
        self._lock = threading.Lock()

    async def take(self, request: Request) -> Response:
        raw = await request.body()
        with self._lock:
            self.received.append(Received(dict(request.headers), raw))
            return Response(status_code=self.statuses.pop(0) if self.statuses else 202)


class Stage:
    """An HTTP server whose app can be changed, because starting one for each test takes half a second."""

    def __init__(self) -> None:
        self.app: ASGIApp = Starlette()
        self._server = RunningServer(self)
        self.url = ""
        self.calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += scope["type"] == "http"
        await self.app(scope, receive, send)

    def start(self) -> None:
        self.url = self._server.start().url

    def stop(self) -> None:
        self._server.stop()


class Make(Protocol):
    """Makes a world."""

    def __call__(self, *, limits: Limits | None = None, webhooks: bool = True) -> World: ...


class World:
    """The double behind real HTTP, its consumer, and adapters that talk to it."""

    def __init__(self, zendesk: Stage, ours: Stage, *, limits: Limits | None, webhooks: bool) -> None:
        self.clock = ManualClock()
        self.faults = Faults(seed=7)
        self.deliveries = Deliveries(self.faults)
        self.consumer = Consumer()
        ours.app = Starlette(routes=[Route("/hook", self.consumer.take, methods=["POST"])])
        self.hook = f"{ours.url}/hook"
        self.double = ZendeskDouble(
            now=self.clock.now,
            faults=self.faults,
            deliveries=self.deliveries,
            account=SUBDOMAIN,
            oauth_clients={"countersign": (CLIENT_SECRET, BOT_EMAIL)},
            api_tokens=[API_TOKEN],
            webhook_secret=WEBHOOK_SECRET,
            webhook_url=self.hook if webhooks else None,
            seed=7,
            limits=limits,
        )
        zendesk.app = Starlette(routes=self.double.routes())
        self.stage = zendesk
        self.url = zendesk.url
        self.bot = self.double.user_id(BOT_EMAIL)
        self.ana = self.double.add_user(name="Ana Ruiz", email="ana@example.com")
        self.agent = self.double.add_user(name="Agent Smith", email="agent@shop.example", role="agent")
        self._adapters: list[ZendeskAdapter] = []
        self.zendesk = self.adapter()

    def adapter(
        self,
        *,
        scope: str = ALL_SCOPES,
        auth: OAuthClient | ApiToken | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> ZendeskAdapter:
        adapter = ZendeskAdapter(
            subdomain=SUBDOMAIN,
            base_url=self.url,
            auth=auth or OAuthClient("countersign", CLIENT_SECRET, scope),
            timeout_s=timeout_s,
            now=self.clock.now,
        )
        self._adapters.append(adapter)
        return adapter

    def a_ticket(self, body: str = "I was charged twice.", **values: Any) -> int:
        values = {"requester": self.ana, "subject": "Charged twice", "channel": "email", **values}
        comments = values.pop("comments", [Said(values["requester"], body)])
        return self.double.create_ticket(comments=comments, **values)

    def fault(self, at: str, kind: FaultKind, **values: Any) -> None:
        self.faults.add(Fault(at=at, kind=kind, **values))

    def webhooks(self) -> list[Received]:
        """Everything delivered so far."""
        asyncio.run(self.deliveries.drain())
        return list(self.consumer.received)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of the delivered events of one kind."""
        return [hook.body for hook in self.webhooks() if hook.body.get("type") == f"zen:event-type:ticket.{kind}"]

    def close(self) -> None:
        for adapter in self._adapters:
            adapter.close()
        self.deliveries.close()
