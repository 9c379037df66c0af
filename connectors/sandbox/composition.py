"""All doubles in one application: Stripe, Claude, Zendesk, the shop's orders, who is told, and the control API.

Promises that everything shares one clock, one set of faults and one post office, and that later events fire as the
clock passes them. It refuses to be reached from another machine: `connectors.sandbox.server` binds loopback only.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from starlette.applications import Starlette

from connectors.sandbox.claude.answers import Responder, smallest_value
from connectors.sandbox.claude.double import ClaudeDouble
from connectors.sandbox.control_api import ControlApi
from connectors.sandbox.deliveries import Deliveries
from connectors.sandbox.faults import Faults
from connectors.sandbox.orders import OrdersDouble
from connectors.sandbox.receiver import Receiver
from connectors.sandbox.server import HOST, bind, configure
from connectors.sandbox.stripe.server import StripeDouble
from connectors.sandbox.world.loading import Doubles
from connectors.sandbox.world.schedule import Schedule
from connectors.sandbox.zendesk.apps import AppPlace
from connectors.sandbox.zendesk.double import ZendeskDouble
from connectors.sandbox.zendesk.limits import Limits

_TICK_S: Final = 0.05


class Clock(Protocol):
    """The sandbox's time; `connectors.sandbox.clock.SandboxClock`, or one that a test moves by hand."""

    def now(self) -> datetime:
        """The present, aware."""
        ...

    def advance(self, seconds: float) -> datetime:
        """Move forward; the new present."""
        ...


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Credentials that the doubles accept and addresses that their webhooks go to.

    Args:
        stripe_keys: permissions by API key; `*` is everything.
        stripe_webhook_secret: `whsec_...`.
        zendesk_subdomain: the account's name.
        zendesk_oauth_clients: client id -> (secret, e-mail of the admin whom its tokens act as).
        zendesk_webhook_secret: signs Zendesk's webhooks.
        orders_token: bearer token of the orders service.
        claude_keys: API keys of Claude.
        stripe_webhook_url: where Stripe's events go; `None` sends none.
        zendesk_webhook_url: where Zendesk's events go; `None` sends none.
        zendesk_app: the app in Zendesk's ticket sidebar; `None` is none.
        zendesk_api_tokens: legacy tokens.
        zendesk_limits: rate limits; `None` is the largest plan's.
        notices_secret: signs what the receiver of notices is sent; `None` checks no signature.
        claude_responder: what the model says where no answer is scripted.
        delivery_timeout_s: how long a webhook's consumer may take.
        seed: ids follow from it.
    """

    stripe_keys: Mapping[str, frozenset[str]]
    stripe_webhook_secret: str
    zendesk_subdomain: str
    zendesk_oauth_clients: Mapping[str, tuple[str, str]]
    zendesk_webhook_secret: str
    orders_token: str
    claude_keys: frozenset[str]
    stripe_webhook_url: str | None = None
    zendesk_webhook_url: str | None = None
    zendesk_api_tokens: tuple[str, ...] = ()
    zendesk_limits: Limits | None = None
    claude_responder: Responder = smallest_value
    zendesk_app: AppPlace | None = None
    notices_secret: bytes | None = None
    delivery_timeout_s: float = 10.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of a running sandbox, for whoever shares its process: `app.state.sandbox`."""

    doubles: Doubles
    deliveries: Deliveries
    schedule: Schedule
    clock: Clock
    receiver: Receiver

    def tick(self) -> None:
        """Let happen what the clock has made due."""
        self.schedule.fire(self.clock.now())
        self.doubles.stripe.tick()


def create_sandbox(config: SandboxConfig, clock: Clock, faults: Faults) -> Starlette:
    """The application with all doubles. Its parts are in `app.state.sandbox`."""
    deliveries = Deliveries(faults, timeout_s=config.delivery_timeout_s)
    doubles = _doubles(config, clock, faults, deliveries)
    sandbox = Sandbox(doubles, deliveries, Schedule(doubles), clock, Receiver(config.notices_secret))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(_keep_ticking(sandbox))
        try:
            yield
        finally:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking
            await asyncio.to_thread(deliveries.close)

    control = ControlApi(
        doubles=doubles,
        deliveries=deliveries,
        schedule=sandbox.schedule,
        receiver=sandbox.receiver,
        clock=clock,
        tick=sandbox.tick,
    )
    routes = [
        *control.routes(),
        *sandbox.receiver.routes(),
        # Claude's two paths stand before Stripe's, with which they share a prefix.
        *doubles.claude.routes(),
        *doubles.stripe.routes(),
        *doubles.orders.routes(),
        *doubles.zendesk.routes(),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.sandbox = sandbox
    return app


def serve_sandbox(
    config: SandboxConfig,
    *,
    port: int,
    clock: Clock,
    faults: Faults,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve all doubles until the process is told to stop. Prints nothing.

    Args:
        config: credentials and addresses.
        port: 0 lets the system choose.
        clock: the shared time.
        faults: armed from the start.
        ready: called with the address once connections are accepted.

    Raises:
        ConfigurationError: the port is taken.
    """
    listener = bind(port)
    server = configure(create_sandbox(config, clock, faults))
    if ready is not None:
        ready(f"http://{HOST}:{listener.getsockname()[1]}")
    server.run(sockets=[listener])


def _doubles(config: SandboxConfig, clock: Clock, faults: Faults, deliveries: Deliveries) -> Doubles:
    return Doubles(
        stripe=StripeDouble(
            now=clock.now,
            faults=faults,
            deliveries=deliveries,
            keys=config.stripe_keys,
            webhook_secret=config.stripe_webhook_secret,
            webhook_url=config.stripe_webhook_url,
            seed=config.seed,
        ),
        zendesk=ZendeskDouble(
            now=clock.now,
            faults=faults,
            deliveries=deliveries,
            account=config.zendesk_subdomain,
            oauth_clients=config.zendesk_oauth_clients,
            api_tokens=config.zendesk_api_tokens,
            webhook_secret=config.zendesk_webhook_secret,
            webhook_url=config.zendesk_webhook_url,
            seed=config.seed,
            limits=config.zendesk_limits,
            app=config.zendesk_app,
        ),
        orders=OrdersDouble(now=clock.now, faults=faults, token=config.orders_token, seed=config.seed),
        claude=ClaudeDouble(
            now=clock.now,
            faults=faults,
            keys=config.claude_keys,
            responder=config.claude_responder,
            seed=config.seed,
        ),
        faults=faults,
    )


async def _keep_ticking(sandbox: Sandbox) -> None:
    while True:
        sandbox.tick()
        await asyncio.sleep(_TICK_S)
