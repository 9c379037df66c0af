"""`countersign audit verify|export`: check the log, and hand it out.

Exit status 1 where the log does not hold. The log of tenant `*`, where changes that concern everybody are written, is
read with `countersign --tenant '*' audit ...` as the owner of the database.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from app.event_lines import event_lines
from app.owner import session_for
from app.terminal import commanding_of, say, say_json
from graph.audit.verify import Verification, verify

SHOWN = 20
"""Broken numbers that the text names; the JSON has all."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="audit", help="Verify and export the log.", no_args_is_help=True)


@app.command("verify")
def verify_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Compute every hash of the log again and look for gaps. Exit status 1 where something does not hold."""
    commanding = commanding_of(ctx)
    storage = commanding.storage

    async def work() -> tuple[Verification, float]:
        async with session_for(storage, commanding.tenant_id) as session:
            started = time.perf_counter()
            return await verify(session, commanding.tenant_id), time.perf_counter() - started

    found, seconds = commanding.run(work())
    if as_json:
        broken = [{"seq": one.seq, "why": one.why} for one in found.broken]
        say_json({"ok": found.holds, "events": found.events, "seconds": round(seconds, 4), "broken": broken})
    elif found.holds:
        say([f"the log of {commanding.tenant_id} holds: {found.events} events in {seconds:.2f} s"])
    else:
        say([f"the log of {commanding.tenant_id} DOES NOT HOLD: {len(found.broken)} of {found.events} events"])
        say(f"  event {one.seq}: {one.why.replace('_', ' ')}" for one in found.broken[:SHOWN])
        if len(found.broken) > SHOWN:
            say([f"  and {len(found.broken) - SHOWN} more; --json lists them"])
    raise typer.Exit(0 if found.holds else 1)


@app.command("export")
def export_command(ctx: typer.Context) -> None:
    """Print the whole log, a line of JSON for each event. Sealed values stay sealed."""
    commanding = commanding_of(ctx)
    storage = commanding.storage

    async def work() -> None:
        async with session_for(storage, commanding.tenant_id) as session:
            async for line in event_lines(session, commanding.tenant_id):
                typer.echo(line)

    commanding.run(work())
