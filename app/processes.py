"""Commands that keep a process running: web server, worker, sandbox. Each imports what it needs when it runs."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commanding import Commanding

if TYPE_CHECKING:
    from app.settings import Settings

QUIET = (
    "httpx", "httpcore", "urllib3", "sentence_transformers", "pgqueuer", "stripe", "alembic", "zenpy", "opentelemetry"
)  # fmt: skip
"""Loggers that only warn: their lines have addresses with personal data, or tell nothing that our own log does not."""

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; the setting where left out.")]


def serve(ctx: typer.Context, port: Port = None) -> None:
    """The web process: webhooks, pages and API."""
    with _starting():
        import uvicorn

        from app.listening import listen
        from app.web.app import create_app

        commanding = _commanding(ctx)
        settings = commanding.settings
        _log(settings)
        listener = listen(settings.host, settings.port if port is None else port)
        app = create_app(settings, commanding.storage.app_url)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        loop="uvloop",
        http="httptools",
        # Open panels are streams that never end by themselves: they come back to another process.
        timeout_graceful_shutdown=3,
    )
    print(f"listening on http://{settings.host}:{listener.getsockname()[1]}", file=sys.stderr)
    with _traced(settings, f"web/{os.getpid()}"):
        uvicorn.Server(config).run(sockets=[listener])


def worker(ctx: typer.Context) -> None:
    """Advance tickets; start as many as you like."""
    with _starting():
        from app.alerts.tending import Alerting
        from app.alerts.tending import rules_of as alerts_of
        from app.ambient import new_id
        from app.autonomy.tending import Tending
        from app.autonomy.tending import rules_of as autonomy_of
        from app.exporting.feeding import Feeder
        from app.exporting.upkeep import Feeding
        from app.identity.accounts import Act
        from app.keys.credentials import tell_of_credentials
        from app.librarian import Library
        from app.log_keys import load_signer, write_public
        from app.measures.keeping import Measuring
        from app.notices.changes import note_models
        from app.notices.digesting import Digesting
        from app.notices.noticing import Noticing, mailer_of, places_of
        from app.retaining import Retaining
        from app.runtime import librarians_of, open_advancer
        from app.scopes import hold_back
        from app.setup import publish_initial_policies
        from app.waiting.upkeep import Upkeep, rules_of
        from app.witnessing import Witnessing, sinks_of
        from app.worker import Worker

        commanding = _commanding(ctx)
        settings = commanding.settings
        _log(settings)
        storage = commanding.storage

    async def work() -> None:
        async with open_advancer(settings, storage) as (advancer, database):
            await publish_initial_policies(database, settings, advancer.runtime.now)
            print(f"worker {advancer.runtime.worker_id} is ready", file=sys.stderr)
            now, stopping = advancer.runtime.now, asyncio.Event()
            await hold_back(database.tenant, settings.tenants, now, new_id)
            await tell_of_credentials(database.tenant, advancer.runtime.vault, settings, now, new_id)
            for name in advancer.machines:
                async with database.tenant(name) as session:
                    await note_models(session, name, settings.models, Act("settings", advancer.runtime.now(), new_id))
            names, signer = list(advancer.machines), load_signer(settings)
            write_public(settings, signer)
            witnessing = Witnessing(database.tenant, names, signer, sinks_of(settings, now), now, stopping)
            rules = {name: rules_of(settings.tenants[name].review) for name in names}
            watched = {name: alerts_of(settings.tenants[name].alerts) for name in names}
            beside = (
                witnessing,
                Noticing(database.tenant, places_of(settings), now, stopping, mailer_of(settings)),
                Digesting(database.tenant, names, now, new_id, stopping),
                Alerting(database.tenant, watched, now, new_id, stopping),
                Tending(
                    database.tenant,
                    {one: autonomy_of(settings.tenants[one].autonomy) for one in names},
                    now,
                    new_id,
                    stopping,
                ),
                Upkeep(database.tenant, rules, now, new_id, stopping),
                Retaining(database.tenant, names, now, new_id, stopping),
                Feeding(
                    Feeder(database.tenant, advancer.runtime.vault, now, new_id),
                    {name: settings.tenants[name] for name in names},
                    stopping,
                ),
                Measuring(database.tenant, names, stopping),
                Library(librarians_of(settings, advancer.runtime), stopping),
            )
            await Worker(advancer, database, settings, storage.app_url, stopping, beside).run()

    with _traced(settings, f"worker/{os.getpid()}"):
        asyncio.run(work())


def sandbox(
    ctx: typer.Context,
    world: Annotated[Path | None, typer.Option(help="A scenario file whose world and tickets are loaded.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the doubles.")] = None,
    faults: Annotated[Path | None, typer.Option(help="A file of faults to arm.")] = None,
    seed: Annotated[int, typer.Option(help="Ids and faults follow from it.")] = 0,
) -> None:
    """The vendors' doubles alone: Zendesk, Stripe, the shop's orders and Claude's Messages API on one port."""
    from urllib.parse import urlsplit

    from app.listening import free_port
    from app.sandboxed import Ports, load_world, read_fault_file, run_sandbox, sandbox_tenant, write_settings
    from app.settings import SANDBOX_FILE, load_settings

    commanding = _commanding(ctx)
    settings = commanding.settings
    if not (settings.data_dir / SANDBOX_FILE).exists():
        write_settings(settings.data_dir, Ports(port or free_port(), settings.port))
        settings = load_settings()
    _log(settings)
    tenant = sandbox_tenant(settings)
    assert tenant.stripe is not None
    configured = urlsplit(tenant.stripe.base_url or "").port or 0
    armed = read_fault_file(faults) if faults is not None else ()

    def ready(url: str) -> None:
        print(f"sandbox on {url}", file=sys.stderr, flush=True)
        if world is not None:
            load_world(url, world)

    run_sandbox(settings, port=configured if port is None else port, seed=seed, faults=armed, ready=ready)


@contextmanager
def _starting() -> Iterator[None]:
    """No search for garbage while a process loads, nor ever again in what it loaded: all of that stays.

    A fifth less work until a process is ready, and no pause later for walking through the modules
    (https://docs.python.org/3/library/gc.html#gc.freeze).
    """
    gc.disable()
    try:
        yield
        gc.collect()
        gc.freeze()
    finally:
        gc.enable()


def _log(settings: Settings) -> None:
    from app.telemetry import start_logging

    start_logging(settings.logging, settings.log_level, QUIET)


@contextmanager
def _traced(settings: Settings, process: str) -> Iterator[None]:
    """Export the spans of what is done inside; those that are left go at the end."""
    from app.telemetry import start_tracing

    provider = start_tracing(settings.logging, process)
    try:
        yield
    finally:
        if provider is not None:
            provider.shutdown()


def _commanding(ctx: typer.Context) -> Commanding:
    assert isinstance(ctx.obj, Commanding)
    return ctx.obj
