"""`countersign inbox parked|retry`: events that could not be worked on, and trying them again.

An event is parked with its reason after bounded attempts, or at once where it could not be read; it is never dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from app.ambient import new_id
from app.errors import UsageError
from app.terminal import commanding_of, operator, say, say_json
from graph.intake.models import InboxEvent
from graph.intake.parking import UNREADABLE, parked, retry

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="inbox", help="Events that could not be worked on.", no_args_is_help=True)


@app.command("parked")
def parked_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the parked events, the newest first, each with its reason."""
    commanding = commanding_of(ctx)

    async def work() -> Sequence[InboxEvent]:
        async with commanding.tenant_session() as session:
            return await parked(session, commanding.tenant_id)

    events = commanding.run(work())
    if as_json:
        say_json({"parked": [_form(event) for event in events]})
    elif not events:
        say([f"nothing of {commanding.tenant_id} is parked"])
    else:
        say(_line(event) for event in events)


@app.command("retry")
def retry_command(
    ctx: typer.Context,
    events: Annotated[
        list[str] | None, typer.Argument(metavar="EVENT...", help="Ids, as `inbox parked` shows.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that can be tried again.")] = False,
    as_json: Json = False,
) -> None:
    """Let parked events be worked on again. Exit status 1 where none of them could be."""
    if bool(events) is everything:
        raise UsageError("name the events, or give --all; `countersign inbox parked` lists them")
    commanding = commanding_of(ctx)

    async def work() -> list[str]:
        async with commanding.tenant_session() as session:
            return await retry(
                session,
                commanding.tenant_id,
                None if everything else events,
                actor=operator(),
                now=commanding.now(),
                new_id=new_id,
            )

    retried = commanding.run(work())
    if as_json:
        say_json({"retried": retried})
    else:
        say([f"{len(retried)} will be tried again{': ' if retried else ''}{', '.join(retried)}"])
    raise typer.Exit(0 if retried else 1)


def _form(event: InboxEvent) -> dict[str, object]:
    return {
        "event": event.event_id,
        "source": event.source,
        "kind": event.kind,
        "ticket": event.ticket_id,
        "object": event.object_id,
        "reason": event.reason,
        "attempts": event.attempts,
        "received_at": event.received_at.isoformat(),
        "can_retry": event.kind != UNREADABLE,
    }


def _line(event: InboxEvent) -> str:
    about = f"ticket {event.ticket_id}" if event.ticket_id else (event.object_id or "")
    why = str(event.details.get("error") or event.reason)
    return f"{event.received_at:%Y-%m-%d %H:%M:%S}  {event.source}  {event.kind}  {about}  {event.event_id}: {why}"
