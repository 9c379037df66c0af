"""`countersign demo`: boot everything, fire tickets as signed webhooks, and show what became of them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import text

from app.ambient import business_clock, new_id, new_token
from app.commanding import Commanding
from app.db import Database
from app.demo.boot import Booted, booted
from app.demo.report import Report, newest_runs, report, show
from app.demo.reset import reset_tenant
from app.demo.stories import demo_settings, settings_from
from app.identity import accounts, links
from app.identity.accounts import Act, NewAccount
from app.identity.links import Purpose
from app.identity.roles import Role
from app.listening import free_port, listen
from app.log_keys import load_signer
from app.sandboxed import LOOPBACK, TENANT, Ports, write_settings
from app.settings import Settings, load_settings
from app.storage import Storage
from app.witnessing import log_file
from connectors.sandbox.control import SandboxControl
from connectors.sandbox.world.model import Setting
from kb.ingest import ingest
from kb.sources import read_documents

PATIENCE_S: Final = 120.0
"""How long nothing may move before the demo stops waiting for a ticket."""
POLL_S: Final = 0.15
STEP_S: Final = 900.0
"""How far the sandbox's clock is moved at once while nothing but holds and later events is waited for."""
MAX_STEPS: Final = 20

DEMO_PERSON: Final = NewAccount(
    email="demo@larkspur-goods.example", name="Demo", roles=(Role.AGENT, Role.CS_LEAD, Role.OPS_LEAD, Role.ADMIN)
)
"""Who the demo signs in. Beside a sandbox there is nobody else, and nothing real to decide about."""

_MOVING: Final = text(
    """
    SELECT count(*) FROM run
     WHERE tenant_id = :tenant AND (state = 'running' OR (state = 'waiting' AND wait_for IN ('settlement', 'vendor')))
    """,
)
_HELD: Final = text("SELECT count(*) FROM effect WHERE tenant_id = :tenant AND state IN ('held', 'sending', 'unknown')")
_PENDING: Final = text(
    "SELECT count(*) FROM inbox_event WHERE tenant_id = :tenant AND disposition = 'pending' AND ticket_id IS NOT NULL"
)


@dataclass(slots=True)
class _Show:
    """One demo under way."""

    settings: Settings
    storage: Storage
    control: SandboxControl
    console: Console
    running: Booted
    tickets: list[tuple[str, str]] = field(default_factory=list)


def demo(
    ctx: typer.Context,
    tickets: Annotated[int, typer.Option(min=1, max=10_000, help="How many tickets.")] = 24,
    seed: Annotated[int, typer.Option(help="Tickets and ids follow from it.")] = 1,
    exit_: Annotated[bool, typer.Option("--exit", help="Run the tickets, print the table, stop.")] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the pages; a free one else.")] = None,
    from_: Annotated[Path | None, typer.Option("--from", help="Tickets by others: a file of JSON lines.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Everything embedded: boot, fire tickets, show what became of them."""
    commanding: Commanding = ctx.obj
    console = Console(stderr=as_json, soft_wrap=False)
    started = time.monotonic()
    if from_ is not None:
        arriving = settings_from(from_)
    else:
        arriving = [(str(number), setting) for number, setting in enumerate(demo_settings(tickets, seed), start=1)]
    web_port = free_port() if port is None else port
    listen(LOOPBACK, web_port).close()
    ports = Ports(free_port(), web_port)
    write_settings(commanding.settings.data_dir, ports)
    settings = load_settings()
    console.print(f"data folder {settings.data_dir}", highlight=False)
    storage = commanding.storage
    reset_tenant(storage.admin_url, TENANT)
    # The log begins anew, and checkpoints of the one that is gone would rightly not agree with it.
    log_file(settings, load_signer(settings), TENANT).unlink(missing_ok=True)
    _ingest(commanding, storage, console)
    sandbox_url, web_url = f"http://{LOOPBACK}:{ports.sandbox}", f"http://{LOOPBACK}:{ports.web}"
    with (
        booted(settings, sandbox_url=sandbox_url, web_url=web_url, seed=seed, say=console.print) as running,
        SandboxControl(sandbox_url) as control,
    ):
        shown = _Show(settings, storage, control, console, running)
        console.print(f"ready after {time.monotonic() - started:.1f} s; tickets arrive as signed webhooks at {web_url}")
        found = _run(shown, arriving)
        if as_json:
            print(json.dumps(found.as_json()))
        else:
            show(found, console)
        if not exit_:
            _stay(shown, f"{web_url}{asyncio.run(_door(shown))}")


def _ingest(commanding: Commanding, storage: Storage, console: Console) -> None:
    """The demo shop's documents. Only what changed is embedded, so a second start loads no model here."""
    folder = files("kb.library") / "demo-shop"

    async def work() -> int:
        database = Database(storage.app_url, pool_size=2)
        try:
            async with database.tenant(TENANT) as session:
                done = await ingest(
                    session,
                    tenant_id=TENANT,
                    source="demo-shop",
                    documents=list(read_documents(Path(str(folder)))),
                    embed=commanding.embed,
                    now=commanding.now(),
                )
                return done.embedded
        finally:
            await database.close()

    embedded = asyncio.run(work())
    if embedded:
        console.print(f"embedded {embedded} policy sections of the demo shop")


def _run(shown: _Show, arriving: Sequence[tuple[str, Setting]]) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    known: frozenset[str] = frozenset()
    began = time.monotonic()
    with Progress(*columns, console=shown.console, transient=True) as progress:
        coming = progress.add_task("tickets arrive", total=len(arriving))
        for label, setting in arriving:
            loaded = shown.control.load(setting)
            known |= set(loaded.keys.refunds)
            shown.tickets += [(str(ticket_id), label) for ticket_id in loaded.keys.tickets]
            progress.advance(coming)
            shown.running.tend()
        working = progress.add_task("outcomes", total=len(shown.tickets))
        asyncio.run(_until_quiet(shown, progress, working))
    seconds = time.monotonic() - began
    return asyncio.run(_report(shown, known, seconds))


async def _report(shown: _Show, known: frozenset[str], seconds: float) -> Report:
    database = Database(shown.storage.app_url, pool_size=2)
    try:
        async with database.tenant(TENANT) as session:
            runs = await newest_runs(session, TENANT)
    finally:
        await database.close()
    return report(shown.tickets, runs, shown.control.ledger(), known_refunds=known, seconds=seconds)


async def _until_quiet(shown: _Show, progress: Progress, working: object) -> None:
    """Wait until every ticket has its outcome. The clock is moved when only holds and later events are waited for."""
    database = Database(shown.storage.app_url, pool_size=2)
    steps = 0
    moved_at, before = time.monotonic(), (-1, -1, -1, -1)
    try:
        while True:
            for name in shown.running.tend():
                shown.console.print(f"the {name} had died and was started again")
            async with database.tenant(TENANT) as session:
                values = {"tenant": TENANT}
                moving = (await session.execute(_MOVING, values)).scalar_one()
                held = (await session.execute(_HELD, values)).scalar_one()
                pending = (await session.execute(_PENDING, values)).scalar_one()
                runs = await newest_runs(session, TENANT)
            finished = sum(run.outcome is not None for run in runs.values())
            progress.update(working, completed=finished)  # type: ignore[arg-type]  # rich's own id
            now = (moving, held, pending, finished)
            if now != before:
                moved_at, before = time.monotonic(), now
            idle_s = time.monotonic() - moved_at
            only_waits = moving <= held and not pending and len(runs) >= len(shown.tickets)
            if only_waits and idle_s > 3 * POLL_S:
                waiting = shown.control.events_waiting()
                if not held and not waiting:
                    return
                if steps < MAX_STEPS:
                    steps += 1
                    shown.control.advance(STEP_S)
                    moved_at = time.monotonic()
            if idle_s > PATIENCE_S:
                return
            await asyncio.sleep(POLL_S)
    finally:
        await database.close()


async def _door(shown: _Show) -> str:
    """The path of a link that signs in the demo's person, once."""
    database = Database(shown.storage.app_url, pool_size=2)
    now = business_clock(shown.settings)()
    act, token = Act("demo", now, new_id), new_token()
    try:
        async with database.tenant(TENANT) as session:
            account = await accounts.create(session, TENANT, DEMO_PERSON, act)
            await links.keep(session, TENANT, token, Purpose.SIGN_IN, now=now, account_id=account.account_id)
    finally:
        await database.close()
    return f"/t/{TENANT}/demo/{token}"


def _stay(shown: _Show, door: str) -> None:
    shown.console.print(
        "\nRead the runs and answer what waits. This link signs you in, once (Ctrl-C stops everything):"
    )
    shown.console.print(door, soft_wrap=True, highlight=False)
    try:
        while True:
            shown.running.tend()
            time.sleep(0.5)
    except KeyboardInterrupt:
        shown.console.print("stopping")
