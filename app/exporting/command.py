"""`countersign audit feed`: give the sinks what they lack, and say how far each is."""

from __future__ import annotations

from typing import Annotated

import typer

from app.ambient import new_id, vault_of
from app.commanding import Commanding
from app.errors import UsageError
from app.exporting.feeding import Feeder, SinkStanding, feed, sink_standing
from app.exporting.sinks import Sink, sinks_of
from app.owner import session_for
from app.storage import Storage
from app.terminal import commanding_of, say, say_json


def feed_command(
    ctx: typer.Context,
    *,
    look: Annotated[bool, typer.Option("--look", help="Send nothing, only say how far each sink is.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Give each sink of the settings what it lacks, now instead of when a worker comes by. Status 1 where one fails."""
    commanding = commanding_of(ctx)
    tenant = commanding.settings.tenants.get(commanding.tenant_id)
    sinks = sinks_of(tenant, commanding.now) if tenant is not None else []
    if not sinks:
        raise UsageError(f"{commanding.tenant_id} has no sink: set tenants.{commanding.tenant_id}.exports")
    standings = commanding.run(_fed(commanding, commanding.storage, sinks, sends=not look))
    if as_json:
        say_json({"sinks": [_form(one) for one in standings]})
    else:
        say(_words(one) for one in standings)
    raise typer.Exit(1 if any(one.problem for one in standings) else 0)


async def _fed(commanding: Commanding, storage: Storage, sinks: list[Sink], *, sends: bool) -> list[SinkStanding]:
    tenant_id = commanding.tenant_id
    feeder = Feeder(lambda name: session_for(storage, name), vault_of(commanding.settings), commanding.now, new_id)
    for sink in sinks if sends else []:
        fed = await feed(feeder, tenant_id, sink, at_once=True)
        while fed is not None and fed.has_more:
            fed = await feed(feeder, tenant_id, sink, at_once=True)
    async with session_for(storage, tenant_id) as session:
        return [await sink_standing(session, tenant_id, sink.name) for sink in sinks]


def _form(one: SinkStanding) -> dict[str, object]:
    at = one.at.isoformat() if one.at is not None else None
    return {"name": one.name, "has": one.has, "events": one.events, "at": at, "problem": one.problem}


def _words(one: SinkStanding) -> str:
    when = f", since {one.at:%Y-%m-%d %H:%M:%S} UTC" if one.at is not None else ""
    trouble = f": {one.problem}" if one.problem else ""
    return f"{one.name} has {one.has} of {one.events} events{when}{trouble}"
