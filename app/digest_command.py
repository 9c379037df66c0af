"""`countersign digest`: the last days on one page."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from app.identity.accounts import Act
from app.notices.digest import Digest, gather, tell
from app.terminal import commanding_of, say, say_json


def digest(
    ctx: typer.Context,
    *,
    days: Annotated[int, typer.Option(min=1, max=92, help="Of how many days.")] = 7,
    tells: Annotated[bool, typer.Option("--tell", help="Put it into the log, whence notices tell of it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the week: work, evaluations, cost, hostile attempts, alerts, incidents, autonomy."""
    commanding = commanding_of(ctx)

    async def work() -> Digest:
        act = Act(commanding.actor, commanding.now(), commanding.new_id)
        async with commanding.tenant_session() as session:
            found = await gather(session, commanding.tenant_id, act.now, timedelta(days=days))
            if tells:
                await tell(session, commanding.tenant_id, found, act)
            return found

    found = commanding.run(work())
    if as_json:
        say_json(found.form())
    else:
        say(found.lines())
