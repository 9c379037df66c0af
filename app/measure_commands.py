"""`countersign measures ...`: show the figures of a period, fold the log anew, import what was before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.ambient import new_id
from app.api.measures import form_of
from app.measures.asking import Answer, Asking, shown, told, wanted_of
from app.measures.baseline import KIND, read_file
from app.measures.catalogue import MEASURES, definition_lines
from app.measures.keeping import Folded, fold_some, rebuild
from app.owner import session_for
from app.terminal import commanding_of, operator, say, say_json
from graph.audit.log import append

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="measures", help="Show, rebuild and compare the measures.", no_args_is_help=True)


@app.command("show")
def show_command(
    ctx: typer.Context,
    *,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days until today (UTC).")] = 30,
    by: Annotated[str, typer.Option(help="intent, segment, channel, language, tier, policy or model.")] = "",
    as_json: Json = False,
) -> None:
    """Every measure of the last days, with what it rests on."""
    commanding = commanding_of(ctx)
    settings, storage, tenant_id = commanding.settings, commanding.storage, commanding.tenant_id
    wanted = wanted_of({"days": str(days), "by": by}, commanding.now())
    asking = Asking(
        lambda name: session_for(storage, name), {name: one.measures for name, one in settings.tenants.items()}
    )
    answer = commanding.run(asking.read(tenant_id, wanted))
    if as_json:
        say_json(form_of(answer).model_dump(mode="json"))
    else:
        say(_lines(answer))


@app.command("rebuild")
def rebuild_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Forget what was computed, and compute it from the log's first event."""
    commanding = commanding_of(ctx)
    storage, tenant_id = commanding.storage, commanding.tenant_id
    folded = commanding.run(rebuild(lambda name: session_for(storage, name), tenant_id))
    _say_folded(folded, as_json=as_json)


@app.command("definitions")
def definitions_command() -> None:
    """Print what every measure means, as `docs/measures.md` has it."""
    say(definition_lines())


@app.command("import-baseline")
def import_command(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE.csv", exists=True, dir_okay=False)],
    *,
    as_json: Json = False,
) -> None:
    """Let measures be compared with old tickets: intent, handle_minutes, resolution_minutes, reopened, rating.

    One line for each ticket; what is not known is left empty. Counts and medians enter the log, nothing of a ticket.
    """
    commanding = commanding_of(ctx)
    body = read_file(path)
    storage, tenant_id, now = commanding.storage, commanding.tenant_id, commanding.now()

    async def work() -> None:
        async with session_for(storage, tenant_id) as session:
            await append(session, tenant_id=tenant_id, at=now, kind=KIND, actor=operator(), new_id=new_id, body=body)
            await fold_some(session, tenant_id)

    commanding.run(work())
    if as_json:
        say_json(body)
    else:
        say([f"{body['tickets']} tickets of before are what measures are compared with from now on"])


def _lines(answer: Answer) -> list[str]:
    measures, old = answer.measures, answer.baseline.figures()
    wanted = measures.wanted
    runs, period = measures.whole.sums["runs"], f"from {wanted.since.date()} until {wanted.until.date()}"
    seen = f"{measures.seen} of {measures.size} events"
    lines = [f"runs that began {period}: {runs}, and {measures.running} that have not ended; {seen}"]
    for one in MEASURES:
        figure = measures.whole.figures[one.id]
        rests = told(figure)
        before = f"; before: {shown(old[one.id], one.unit)}" if one.id in old else ""
        lines.append(f"  {one.name:36} {shown(figure, one.unit):>12}  {rests}{before}")
    for some in measures.slices:
        cells = (f"{one.name} {shown(some.figures[one.id], one.unit)}" for one in MEASURES[:2])
        lines.append(f"  {wanted.by} {some.name}: {some.sums['runs']} runs, {', '.join(cells)}")
    return lines


def _say_folded(folded: Folded, *, as_json: bool) -> None:
    if as_json:
        say_json({"events_folded": folded.next_seq, "events": folded.size})
    else:
        say([f"{folded.next_seq} of {folded.size} events are in the measures"])
