"""`countersign audit feed`: give the sinks what they lack, and say how far each is."""

from __future__ import annotations

from typing import Annotated

import typer

from app.ambient import new_id, vault_of
from app.commanding import Commanding
from app.errors import UsageError
from app.exporting.feeding import Feeder, SinkStanding, feed, sink_standing
from app.exporting.named import sinks_now
from app.log_words import fed_form, fed_line
from app.owner import session_for
from app.storage import Storage
from app.tenants import TenantSettings
from app.terminal import commanding_of, say, say_json


def feed_command(
    ctx: typer.Context,
    *,
    look: Annotated[bool, typer.Option("--look", help="Send nothing, only say how far each sink is.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Give each sink of the settings and of the policy what it lacks, now instead of when a worker comes by.

    Exit status 1 where one fails.
    """
    commanding = commanding_of(ctx)
    tenant = commanding.settings.tenants.get(commanding.tenant_id, TenantSettings())
    standings = commanding.run(_fed(commanding, commanding.storage, tenant, sends=not look))
    if not standings:
        name = commanding.tenant_id
        raise UsageError(f"{name} has no sink: set tenants.{name}.exports, or logging.trace_export of its policy")
    if as_json:
        say_json({"sinks": [fed_form(one) for one in standings]})
    else:
        say(fed_line(one) for one in standings)
    raise typer.Exit(1 if any(one.problem for one in standings) else 0)


async def _fed(commanding: Commanding, storage: Storage, tenant: TenantSettings, *, sends: bool) -> list[SinkStanding]:
    tenant_id = commanding.tenant_id
    async with session_for(storage, tenant_id) as session:
        sinks = await sinks_now(session, tenant_id, tenant, commanding.now)
    feeder = Feeder(lambda name: session_for(storage, name), vault_of(commanding.settings), commanding.now, new_id)
    for sink in sinks if sends else []:
        fed = await feed(feeder, tenant_id, sink, at_once=True)
        while fed is not None and fed.has_more:
            fed = await feed(feeder, tenant_id, sink, at_once=True)
    async with session_for(storage, tenant_id) as session:
        return [await sink_standing(session, tenant_id, sink.name) for sink in sinks]
