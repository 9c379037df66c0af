"""`countersign autonomy show|propose|accept|decline`: what the agent has earned to do alone, and people's yes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.errors import UsageError
from app.terminal import commanding_of, say, say_json

if TYPE_CHECKING:
    from app.autonomy.deciding import Answer
    from app.autonomy.looking import Seen
    from app.autonomy.models import AutonomyCell, AutonomyMove
    from app.autonomy.rules import AutonomyRules
    from app.commanding import Commanding
    from app.identity.accounts import Act

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
MoveId = Annotated[str, typer.Argument(help="Its id; `autonomy show` lists them.")]
Why = Annotated[str, typer.Option("--why", help="Why; people and the log read it.")]
As = Annotated[str | None, typer.Option("--as", help="Your account's e-mail address; asks for its password.")]
Stdin = Annotated[bool, typer.Option("--stdin", help="Read that password from standard input, its first line.")]

app = typer.Typer(name="autonomy", help="What the agent has earned to do alone.", no_args_is_help=True)


@app.command("show")
def show_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Show each cell of the matrix with its evidence as it was looked at last, and the newest moves."""
    _show(commanding_of(ctx), as_json=as_json)


@app.command("propose")
def propose_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Work out the evidence anew, and propose what is earned. Changes nothing that decides."""
    from app.autonomy.looking import look

    commanding = commanding_of(ctx)

    async def work() -> Seen:
        act, rules = _act(commanding, commanding.actor), _rules(commanding)
        return await look(commanding.tenant_session, commanding.tenant_id, rules, act, proposes=True)

    commanding.run(work())
    _show(commanding, as_json=as_json)


@app.command("accept")
def accept_command(
    ctx: typer.Context, move: MoveId, *, why: Why = "", email: As = None, stdin: Stdin = False, as_json: Json = False
) -> None:
    """Say yes to a proposal; two people must where money would move without one."""
    _decide(ctx, move, why, email, from_stdin=stdin, as_json=as_json, is_yes=True)


@app.command("decline")
def decline_command(
    ctx: typer.Context, move: MoveId, *, why: Why = "", email: As = None, stdin: Stdin = False, as_json: Json = False
) -> None:
    """Say no to a proposal. It comes again only with half as much evidence again."""
    _decide(ctx, move, why, email, from_stdin=stdin, as_json=as_json, is_yes=False)


def _decide(
    ctx: typer.Context, move: str, why: str, email: str | None, *, from_stdin: bool, as_json: bool, is_yes: bool
) -> None:
    from app.autonomy.deciding import NotDecided, accept, decline
    from app.autonomy.words import decided_form, move_line
    from app.proven_people import account_actor, must_be_an_account, password_for

    commanding = commanding_of(ctx)
    password = "" if email is None else password_for(email, from_stdin=from_stdin)

    async def work() -> Answer:
        if email is None:
            await must_be_an_account(commanding, what="change autonomy")
            actor = commanding.actor
        else:
            actor = await account_actor(commanding, email, password, what="autonomy is changed")
        decide = accept if is_yes else decline
        return await decide(commanding.tenant_session, commanding.tenant_id, move, _act(commanding, actor), why.strip())

    made = commanding.run(work())
    if isinstance(made, NotDecided):
        raise UsageError(made.why)
    if as_json:
        say_json(decided_form(made).model_dump(mode="json"))
    else:
        say([move_line(made.move), made.said, *(f"- {one}" for one in made.lacking)])


def _show(commanding: Commanding, *, as_json: bool) -> None:
    from app.autonomy.looking import cells_kept, moves
    from app.autonomy.words import AutonomyForm, cell_form, lines, move_form

    async def work() -> tuple[list[AutonomyCell], list[AutonomyMove]]:
        async with commanding.tenant_session() as session:
            tenant_id = commanding.tenant_id
            found = list(await cells_kept(session, tenant_id)), list(await moves(session, tenant_id))
            session.expunge_all()
            return found

    cells, made = commanding.run(work())
    if as_json:
        form = AutonomyForm(cells=[cell_form(one) for one in cells], moves=[move_form(one) for one in made])
        say_json(form.model_dump(mode="json"))
    else:
        say(lines(cells, made))


def _rules(commanding: Commanding) -> AutonomyRules:
    from app.autonomy.rules import AutonomyRules
    from app.autonomy.tending import rules_of

    tenant = commanding.settings.tenants.get(commanding.tenant_id)
    return rules_of(tenant.autonomy) if tenant is not None else AutonomyRules()


def _act(commanding: Commanding, actor: str) -> Act:
    from app.identity.accounts import Act

    return Act(actor, commanding.now(), commanding.new_id)
