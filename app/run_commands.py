"""`countersign runs list|show|export|stop|replay|fork`: what became of tickets, one run as a story, and the like.

Only `stop` changes anything, and only what is still held. Personal data is shown as the run saw it, redacted; what was
sealed for an erased person is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from app.ambient import new_id, vault_of
from app.commanding import Commanding
from app.errors import UsageError
from app.event_lines import event_lines
from app.problems import nearest
from app.replay_commands import fork_command, replay_command
from app.run_story import Story, find_run, read_story
from app.run_words import run_form, run_line, story_form, story_lines
from app.terminal import commanding_of, operator, say, say_json
from app.web.reading import read_runs
from graph.runs.models import Run
from graph.settlement.stop import stop_run
from policies.vocabulary import Outcome

Name = Annotated[str, typer.Argument(metavar="RUN_OR_TICKET", help="A run's id, or a ticket's: its newest run.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="runs", help="List, show and export runs.", no_args_is_help=True)


@app.command("list")
def list_command(
    ctx: typer.Context,
    *,
    outcome: Annotated[str | None, typer.Option(help="Only runs that ended or wait so, such as handed_off.")] = None,
    as_json: Json = False,
) -> None:
    """List the newest runs, those that wait for a person first."""
    commanding = commanding_of(ctx)
    outcomes = [known.value for known in Outcome]
    if outcome is not None and outcome not in outcomes:
        raise UsageError(f"unknown outcome {outcome!r}; {nearest(outcome, outcomes)}")

    async def work() -> Sequence[Run]:
        async with commanding.tenant_session() as session:
            return await read_runs(session, commanding.tenant_id, outcome=outcome)

    runs = commanding.run(work())
    if as_json:
        say_json({"runs": [run_form(run) for run in runs]})
    elif not runs:
        say([f"no runs of {commanding.tenant_id} here"])
    else:
        say(run_line(run) for run in runs)


@app.command("show")
def show_command(ctx: typer.Context, name: Name, *, as_json: Json = False) -> None:
    """Tell the story of one run: ticket, what was understood, facts, verdicts, effects, outcome, steps."""
    commanding = commanding_of(ctx)
    vault = vault_of(commanding.settings)

    async def work() -> Story:
        async with commanding.tenant_session() as session:
            run_id = await _named(session, commanding, name)
            story = await read_story(session, vault, commanding.tenant_id, run_id)
        assert story is not None
        return story

    story = commanding.run(work())
    if as_json:
        say_json(story_form(story))
    else:
        say(story_lines(story))


@app.command("export")
def export_command(ctx: typer.Context, name: Name) -> None:
    """Print the events of one run, a line of JSON for each. Sealed values stay sealed."""
    commanding = commanding_of(ctx)

    async def work() -> None:
        async with commanding.tenant_session() as session:
            run_id = await _named(session, commanding, name)
            async for line in event_lines(session, commanding.tenant_id, run_id=run_id):
                typer.echo(line)

    commanding.run(work())


@app.command("stop")
def stop_command(
    ctx: typer.Context,
    name: Name,
    *,
    reason: Annotated[str, typer.Option(help="Why, for whoever takes the ticket over.")],
    as_json: Json = False,
) -> None:
    """Stop what a run holds back before it is sent; the ticket goes to a person. Exit status 1 where it is too late."""
    commanding = commanding_of(ctx)

    async def work() -> tuple[str, list[str]]:
        async with commanding.tenant_session() as session:
            run_id = await _named(session, commanding, name)
            stopped = await stop_run(
                session,
                commanding.tenant_id,
                run_id,
                reason="person",
                detail=reason,
                actor=operator(),
                now=commanding.now(),
                new_id=new_id,
            )
            return run_id, stopped

    run_id, stopped = commanding.run(work())
    if as_json:
        say_json({"run_id": run_id, "stopped": stopped})
    elif stopped:
        say([f"stopped {len(stopped)} of run {run_id} before anything was sent: {', '.join(stopped)}"])
    else:
        say([f"nothing of run {run_id} is held: `countersign runs show {run_id}` says how it stands"])
    raise typer.Exit(0 if stopped else 1)


app.command("replay")(replay_command)
app.command("fork")(fork_command)


async def _named(session: AsyncSession, commanding: Commanding, name: str) -> str:
    run_id = await find_run(session, commanding.tenant_id, name)
    if run_id is None:
        raise UsageError(
            f"no run and no ticket {name!r} of {commanding.tenant_id}; `countersign runs list` shows what there is"
        )
    return run_id
