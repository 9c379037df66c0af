"""`countersign breaker list|reset`: which breakers have tripped and why, and letting the agent act again.

A breaker that has tripped makes what it covers draft-only, at once and in every worker. It is reset by a person with a
reason, or by itself after the cool-down that its policy states. Trip and reset are events in the log.
"""

from __future__ import annotations

from typing import Annotated

import typer

from app.ambient import new_id
from app.commanding import Commanding
from app.errors import UsageError
from app.problems import nearest
from app.terminal import commanding_of, operator, say, say_json
from graph.breakers.models import TrippedBreaker
from graph.breakers.standing import standing
from graph.breakers.trips import reset
from policies.breakers import Breaker

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="breaker", help="What stops the agent from acting alone by itself.", no_args_is_help=True)


@app.command("list")
def list_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the breakers of the policy that decides, and every one that has ever tripped."""
    commanding = commanding_of(ctx)
    stated, rows = commanding.run(_read(commanding))
    names = sorted({*stated, *rows})
    if as_json:
        say_json({"breakers": [_form(name, stated.get(name), rows.get(name)) for name in names]})
    elif not names:
        say(["the policy that decides states no breaker; docs/policies.md shows how"])
    else:
        say(_line(name, stated.get(name), rows.get(name)) for name in names)


@app.command("reset")
def reset_command(
    ctx: typer.Context,
    breaker: Annotated[str, typer.Argument(help="Its id.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why the agent may act again; the log keeps it.")],
    as_json: Json = False,
) -> None:
    """Let the agent act again. Counting begins anew; money that was paid still counts for its window."""
    commanding = commanding_of(ctx)
    if not reason.strip():
        raise UsageError("a reset without a reason; say with --reason why the agent may act again")
    done = commanding.run(_reset(commanding, breaker, reason.strip()))
    if as_json:
        say_json({"breaker": breaker, "changed": done})
    else:
        say([f"breaker {breaker} is reset" if done else f"breaker {breaker} was not tripped"])


async def _read(commanding: Commanding) -> tuple[dict[str, Breaker], dict[str, TrippedBreaker]]:
    async with commanding.tenant_session() as session:
        return await standing(session, commanding.tenant_id)


async def _reset(commanding: Commanding, breaker: str, reason: str) -> bool:
    stated, rows = await _read(commanding)
    if breaker not in {*stated, *rows}:
        raise UsageError(f"unknown breaker {breaker!r}; {nearest(breaker, [*stated, *rows])}")
    async with commanding.tenant_session() as session:
        return await reset(
            session,
            commanding.tenant_id,
            breaker,
            reason=reason,
            actor=operator(),
            now=commanding.now(),
            new_id=new_id,
        )


def _form(name: str, stated: Breaker | None, row: TrippedBreaker | None) -> dict[str, object]:
    form: dict[str, object] = {
        "breaker": name,
        "stated": stated is not None,
        "tripped": row is not None and row.is_tripped,
    }
    form["measure"] = stated.measure.value if stated is not None else row.measure if row is not None else None
    if row is not None:
        form |= {
            "cause": row.cause,
            "figures": row.figures,
            "tripped_at": row.tripped_at.isoformat(),
            "resets_at": row.resets_at.isoformat() if row.resets_at is not None else None,
            "reset_at": row.reset_at.isoformat() if row.reset_at is not None else None,
            "changed_by": row.changed_by,
            "reason": row.reason,
        }
    return form


def _line(name: str, stated: Breaker | None, row: TrippedBreaker | None) -> str:
    if row is None or not row.is_tripped:
        last = f", tripped last {row.tripped_at:%Y-%m-%d %H:%M:%S UTC}" if row is not None else ""
        return f"{name:24} ready{last}" if stated is not None else f"{name:24} no longer stated{last}"
    until = f"until {row.resets_at:%Y-%m-%d %H:%M:%S UTC}" if row.resets_at is not None else "until a person resets it"
    return f"{name:24} TRIPPED {row.tripped_at:%Y-%m-%d %H:%M:%S UTC}, {until}: {row.cause}"
