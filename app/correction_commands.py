"""`countersign corrections list|keep|export`: what people corrected, and candidate scenarios made of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.errors import UsageError
from app.terminal import commanding_of, say, say_json

if TYPE_CHECKING:
    from app.corrections.groups import Group
    from app.corrections.keeping import NotMade
    from app.corrections.models import CandidateScenario

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="corrections", help="What people corrected, and what is made of it.", no_args_is_help=True)


@app.command("list")
def list_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List what people corrected in the last 90 days, in groups, the largest first."""
    from app.api.corrections import group_form
    from app.corrections.groups import grouped
    from app.corrections.keeping import LOOK_BACK

    commanding = commanding_of(ctx)

    async def work() -> list[Group]:
        async with commanding.tenant_session() as session:
            return await grouped(session, commanding.tenant_id, since=commanding.now() - LOOK_BACK)

    groups = commanding.run(work())
    if as_json:
        say_json({"groups": [group_form(one).model_dump(mode="json") for one in groups]})
        return
    for one in groups:
        reason = f" ({one.reason_code})" if one.reason_code else ""
        say([f"{one.count:4} {one.cause.value:8} {one.intent} {one.action}, rule {one.rule or 'none'}{reason}"])
        say([f"     {', '.join(run_id for run_id, _ in one.runs[:5])}{' ...' if one.count > 5 else ''}"])  # noqa: PLR2004
    if not groups:
        say(["nobody corrected anything"])


@app.command("keep")
def keep_command(
    ctx: typer.Context, run: Annotated[str, typer.Argument(help="A corrected run; `corrections list` names some.")]
) -> None:
    """Make a corrected run a candidate scenario without its customer, and print the file."""
    from app.ambient import vault_of
    from app.corrections.keeping import NotMade, keep
    from app.identity.accounts import Act

    commanding = commanding_of(ctx)
    vault = vault_of(commanding.settings)

    async def work() -> CandidateScenario | NotMade:
        act = Act(commanding.actor, commanding.now(), commanding.new_id)
        async with commanding.tenant_session() as session:
            made = await keep(session, vault, commanding.tenant_id, run, act)
            session.expunge_all()
            return made

    made = commanding.run(work())
    if isinstance(made, NotMade):
        raise UsageError(made.why)
    typer.echo(made.text, nl=False)


@app.command("export")
def export_command(ctx: typer.Context, out: Annotated[Path, typer.Argument(help="The suite file to write.")]) -> None:
    """Write all candidates as one suite file, which `countersign evals run FILE` plays."""
    from app.corrections.keeping import candidates
    from app.corrections.scenarios import suite_text

    commanding = commanding_of(ctx)

    async def work() -> list[str]:
        async with commanding.tenant_session() as session:
            return [one.text for one in await candidates(session, commanding.tenant_id)]

    texts = commanding.run(work())
    if not texts:
        raise UsageError("there is no candidate; `countersign corrections keep RUN` makes one")
    try:
        out.write_text(suite_text(texts), encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot write {str(out)!r}: {reason}; name a file in a folder that exists") from error
    say([f"{len(texts)} candidates written to {out}"])
