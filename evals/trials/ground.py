"""Where trials take place: a PostgreSQL, the vendors' doubles, the web process, the nursery; and fresh ones each time.

Everything lies in a temporary folder. The database is a clone of a migrated one, the doubles are new objects behind one
address, the clock begins at the machine's time. Business time and the database's time pass when a trial says so: the
leases, which count in the latter, are then moved back by as much.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from app.ambient import CLOCK_FILE, sandbox_clock
from app.db import Database
from app.embedded import EmbeddedServer
from app.listening import free_port
from app.migrate import migrate
from app.sandboxed import TENANT, Ports, config_of, write_settings
from app.settings import Settings
from app.setup import publish_initial_policies
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.composition import Sandbox, create_sandbox
from connectors.sandbox.faults import Faults
from connectors.sandbox.server import serve
from connectors.sandbox.world.loading import Keys, arrive, load
from connectors.sandbox.world.model import Setting
from evals.trials.births import DOOR, WORKER, Birth, Nursery, settings_of
from graph.audit.verify import verify

TEMPLATE: Final = "prepared"
DATABASE: Final = "trial"
POLL_S: Final = 0.2
"""How often a trial's worker looks out."""

_LEASES: Final = (
    "UPDATE ticket_lease SET expires_at = expires_at - make_interval(secs => %(s)s)",
    "UPDATE effect SET leased_until = leased_until - make_interval(secs => %(s)s)",
    "UPDATE pgqueuer SET heartbeat = heartbeat - make_interval(secs => %(s)s)",
)


class Switchboard:
    """One address for doubles that are replaced between trials."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to the doubles of the present trial."""
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return
        assert self.app is not None
        with suppress(ClientDisconnect):  # a killed worker's request ends in the middle
            await self.app(scope, receive, send)


@dataclass(slots=True)
class Ground:
    """The place, and the present trial's doubles."""

    folder: Path
    server: EmbeddedServer
    nursery: Nursery
    settings: Settings
    switchboard: Switchboard
    clock: SandboxClock
    sandbox: Sandbox
    faults: Faults
    numbers: Iterator[int] = field(default_factory=count)
    admin: psycopg.Connection[dict[str, Any]] | None = None
    door: int | None = None
    """The web process."""

    @property
    def database_url(self) -> str:
        """The present trial's database, for the application."""
        return self.server.app_url(DATABASE)

    def fresh(self, *, seed: int = 7) -> None:
        """A new database, new doubles, and the clock at its beginning."""
        if self.admin is not None:
            self.admin.close()
        with psycopg.connect(self.server.admin_url("postgres"), autocommit=True) as admin:
            admin.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(DATABASE)))
            admin.execute(
                SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                    Identifier(DATABASE), Identifier(TEMPLATE)
                )
            )
        self.admin = psycopg.connect(self.server.admin_url(DATABASE), autocommit=True, row_factory=dict_row)
        self.sandbox.deliveries.close()
        (self.folder / CLOCK_FILE).unlink(missing_ok=True)
        self.faults = Faults(seed=seed)
        vendors = create_sandbox(config_of(self.settings, seed=seed), self.clock, self.faults)
        self.sandbox, self.switchboard.app = vendors.state.sandbox, vendors

    def birth(self, role: str, **how: Any) -> Birth:  # noqa: ANN401 - fields of `Birth`
        """A child of this ground, with a log of its own."""
        log = self.folder / f"{role}-{next(self.numbers)}.log"
        settings = {"worker": {"poll_s": POLL_S, "concurrency": 1, **how.pop("worker", {})}, "models": {"threads": 1}}
        return Birth(role, str(self.folder), self.database_url, str(log), settings=settings, **how)

    def open_door(self) -> None:
        """Start the web process, in the place of the one that was there, which is killed where it lives."""
        if self.door is not None:
            self.nursery.kill(self.door)
        self.door = self.nursery.start(self.birth(DOOR))

    def worker(self, **how: Any) -> int:  # noqa: ANN401 - fields of `Birth`
        """Start a worker; its process id."""
        return self.nursery.start(self.birth(WORKER, **how))

    def arrives(self, setting: Setting) -> tuple[int, Keys]:
        """Load a world; its ticket arrives. The ticket's id, and what the world's keys have become."""
        doubles = self.sandbox.doubles
        keys = load(setting.world, doubles, self.clock.now())
        for ticket in setting.all_tickets:
            keys = keys.with_ticket(arrive(ticket, setting.world, keys, doubles))
        return keys.tickets[0], keys

    def passes(self, seconds: float) -> None:
        """So much time passes, in the business and in the database."""
        self.clock.advance(seconds)
        self.sandbox.tick()
        self.leases_pass(seconds)

    def leases_pass(self, seconds: float) -> None:
        """So much time passes in the database only."""
        assert self.admin is not None
        with self.admin.transaction():
            for statement in _LEASES:
                self.admin.execute(statement, {"s": seconds})

    def rows(self, statement: str, values: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Rows of the present trial's database, as its owner sees them."""
        assert self.admin is not None
        return self.admin.execute(statement, values).fetchall()

    def log_holds(self) -> bool:
        """Whether the audit log verifies."""

        async def check() -> bool:
            database = Database(self.database_url, pool_size=1)
            try:
                async with database.tenant(TENANT) as session:
                    return (await verify(session, TENANT)).holds
            finally:
                await database.close()

        return asyncio.run(check())


@contextmanager
def opened_ground(*, durable: bool = False) -> Iterator[Ground]:
    """A ground with its web process and a nursery that is ready, for as long as the block lasts.

    Args:
        durable: whether the database survives a stop without notice, as it must where it is stopped so.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cs-", ignore_cleanup_errors=True)))
        nursery = stack.enter_context(Nursery(folder / "nursery.log"))
        server = stack.enter_context(EmbeddedServer(folder, durable=durable))
        ports = Ports(free_port(), free_port())
        write_settings(folder, ports)
        settings = settings_of(folder, server.app_url(TEMPLATE), {})
        clock = sandbox_clock(folder)
        _prepare(server, settings, clock)
        faults = Faults()
        vendors = create_sandbox(config_of(settings, seed=7), clock, faults)
        switchboard = Switchboard()
        stack.enter_context(serve(switchboard, port=ports.sandbox))
        ground = Ground(folder, server, nursery, settings, switchboard, clock, vendors.state.sandbox, faults)
        ground.fresh()
        nursery.ready()
        ground.open_door()
        yield ground
        ground.sandbox.deliveries.close()
        if ground.admin is not None:
            ground.admin.close()


def _prepare(server: EmbeddedServer, settings: Settings, clock: SandboxClock) -> None:
    """A migrated database with the tenant and its policy, to be cloned."""
    with psycopg.connect(server.admin_url("postgres"), autocommit=True) as admin:
        admin.execute(SQL("CREATE DATABASE {}").format(Identifier(TEMPLATE)))
    migrate(server.admin_url(TEMPLATE))

    async def publish() -> None:
        database = Database(server.app_url(TEMPLATE), pool_size=1)
        try:
            await publish_initial_policies(database, settings, clock.now)
        finally:
            await database.close()

    asyncio.run(publish())
