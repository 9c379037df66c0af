"""`countersign policy`: the commands of the policy package, and those that change which version decides.

Promises: a file that cannot be read publishes nothing and is refused with line and column; every change of what decides
is an event in the log; running runs keep the version that they began with; what loosens says what it still needs. What
needs no database starts none, so imports that reach one stand inside of the commands.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from app.errors import UsageError
from app.policy_files import publishable
from app.terminal import commanding_of, operator, say, say_json
from app.whatif_commands import app as whatif_app
from policies.commands import app as policy_app
from policies.shelf import from_library

if TYPE_CHECKING:
    from app.commanding import Commanding
    from app.policy_story import Story
    from graph.lifecycle.desk import Compared, Desk
    from graph.lifecycle.models import PolicySchedule
    from graph.lifecycle.publishing import Act, Answer
    from graph.rulebook import PolicyVersion

SHORTEST_PREFIX: Final = 6
_HASH = re.compile(r"[0-9a-f]{6,64}")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Why = Annotated[str, typer.Option("--why", help="Why; people and the log read it.")]
Version = Annotated[str, typer.Argument(help="Beginning of the version's hash; `policy versions` lists them.")]
Named = Annotated[str, typer.Argument(help="A policy file, a shipped one such as `shipped`, or a version's hash.")]
As = Annotated[str | None, typer.Option("--as", help="Your account's e-mail address; asks for its password.")]
Stdin = Annotated[bool, typer.Option("--stdin", help="Read that password from standard input, its first line.")]
Time = Annotated[str | None, typer.Option(help="A time with its zone, like 2026-11-27T00:00:00+00:00.")]

app = typer.Typer(name="policy", help="Check, explain, try and publish policy files.", no_args_is_help=True)
app.registered_commands.extend(policy_app.registered_commands)
app.registered_commands.extend(whatif_app.registered_commands)
app.registered_groups.extend(policy_app.registered_groups)
schedule_app = typer.Typer(name="schedule", help="What takes effect or reverts by itself.", no_args_is_help=True)
app.add_typer(schedule_app)


@app.command("publish")
def publish_command(  # noqa: PLR0913 - each is an option of the command
    ctx: typer.Context,
    policy: Named,
    *,
    why: Why = "",
    canary: Annotated[
        int | None, typer.Option(min=1, max=99, help="Let it decide this percentage of tickets first.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="For every ticket at once, whatever share the file states.")
    ] = False,
    at: Time = None,
    until: Time = None,
    email: As = None,
    stdin: Stdin = False,
    as_json: Json = False,
) -> None:
    """Let a policy decide from now on. What loosens needs a passing gate and a second person first."""
    from graph.lifecycle.desk import Wish

    commanding = commanding_of(ctx)
    if canary is not None and (full or at or until):
        raise UsageError(
            "--canary cannot be combined with --full, --at or --until; a canary ends by a person or by itself"
        )
    wish = Wish(canary, full, _time("--at", at), _time("--until", until))
    if wish.ends_at is not None and wish.ends_at <= (wish.starts_at or commanding.now()):
        raise UsageError(f"--until {until!r} is over before the change begins; give a later time")
    text = None if _is_version(policy) else publishable(policy)
    password = _password(email, from_stdin=stdin)

    async def work() -> tuple[Compared, Answer | PolicySchedule]:
        desk, act = _desk(commanding), await _act_as(commanding, why, email, password)
        version = _one(await desk.versions(), policy) if text is None else await desk.draft(text, act)
        compared = await desk.compared(version)
        return compared, await desk.publish(compared, wish, act)

    compared, answer = commanding.run(work())
    _report(commanding, compared, answer, as_json=as_json)


@app.command("draft")
def draft_command(
    ctx: typer.Context, policy: Named, *, email: As = None, stdin: Stdin = False, as_json: Json = False
) -> None:
    """Store a policy as a version that decides nothing yet, and say what it would change. Its author is who runs it."""
    from app.policy_story import story_of

    commanding = commanding_of(ctx)
    text = publishable(policy)

    password = _password(email, from_stdin=stdin)

    async def work() -> Story:
        desk, act = _desk(commanding), await _act_as(commanding, "", email, password)
        return await story_of(desk, await desk.compared(await desk.draft(text, act)))

    _show(commanding.run(work()), as_json=as_json)


@app.command("approve")
def approve_command(
    ctx: typer.Context,
    version: Version,
    *,
    why: Annotated[str, typer.Option("--why", help="What you looked at; the log keeps it.")],
    email: As = None,
    stdin: Stdin = False,
    as_json: Json = False,
) -> None:
    """Say yes, as the second person, to letting a version replace the one that decides now."""
    from app import policy_words as words

    commanding = commanding_of(ctx)

    password = _password(email, from_stdin=stdin)

    async def work() -> tuple[Compared, Answer]:
        from app.proven_people import must_be_an_account

        if email is None:
            await must_be_an_account(commanding)
        desk, act = _desk(commanding), await _act_as(commanding, why, email, password)
        compared = await desk.compared(_one(await desk.versions(), version))
        return compared, await desk.approve(compared, act)

    compared, answer = commanding.run(work())
    if as_json:
        say_json(words.answer_form(commanding.tenant_id, compared, answer))
    else:
        say(words.approved_lines(compared, answer))
    _fail_where_refused(answer)


@app.command("canary")
def canary_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Show how the tickets of the canary fare beside the others."""
    from app import policy_words as words

    commanding = commanding_of(ctx)
    seen = commanding.run(_desk(commanding).canary())
    if as_json:
        say_json(words.canary_form(seen))
    else:
        say(words.canary_lines(seen))


@app.command("promote")
def promote_command(ctx: typer.Context, *, why: Why = "", as_json: Json = False) -> None:
    """Let the canary decide every ticket."""
    commanding = commanding_of(ctx)
    answer = commanding.run(_desk(commanding).promote(_act(commanding, why)))
    _report(commanding, None, answer, as_json=as_json)


@app.command("rollback")
def rollback_command(
    ctx: typer.Context,
    version: Annotated[str | None, typer.Argument(help="Beginning of the version's hash; the one before else.")] = None,
    *,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Take back the canary, or the version that decides; an earlier one decides again. One person may do it."""
    commanding = commanding_of(ctx)

    async def work() -> Answer:
        desk, act = _desk(commanding), _act(commanding, why)
        chosen = None if version is None else _one(await desk.versions(), version).policy_hash
        return await desk.roll_back(chosen, act)

    _report(commanding, None, commanding.run(work()), as_json=as_json)


@schedule_app.command("list")
def schedule_list_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List what takes effect or reverts by itself, and what became of it."""
    from app import policy_words as words

    commanding = commanding_of(ctx)
    entries = commanding.run(_desk(commanding).entries())
    if as_json:
        say_json({"changes": [words.entry_form(entry) for entry in entries]})
        return
    say([words.entry_line(entry) for entry in entries] or ["nothing is on the calendar"])


@schedule_app.command("cancel")
def schedule_cancel_command(
    ctx: typer.Context, change: Annotated[str, typer.Argument(help="Its id.")], *, why: Why = "", as_json: Json = False
) -> None:
    """Take a change off the calendar. What decides at this moment goes on deciding."""
    from app import policy_words as words
    from graph.lifecycle.publishing import Refused

    commanding = commanding_of(ctx)
    answer = commanding.run(_desk(commanding).unschedule(change, _act(commanding, why)))
    if isinstance(answer, Refused):
        raise UsageError(answer.why)
    if as_json:
        say_json(words.entry_form(answer))
    else:
        say([words.entry_line(answer)])


@app.command("versions")
def versions_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List every version, the one that was published last first."""
    from app import policy_words as words

    commanding = commanding_of(ctx)
    versions = commanding.run(_desk(commanding).versions())
    if as_json:
        say_json({"versions": [words.version_form(version) for version in versions]})
    elif not versions:
        say([f"tenant {commanding.tenant_id} has no version yet; `countersign policy publish FILE` makes one"])
    else:
        say(words.version_line(version) for version in versions)


@app.command("show")
def show_command(
    ctx: typer.Context,
    version: Version,
    *,
    source: Annotated[bool, typer.Option("--source", help="Print the file as it was written.")] = False,
    as_json: Json = False,
) -> None:
    """Show a version: its state, what gates and people said, what it would change now, and its history."""
    from app.policy_story import story_of

    commanding = commanding_of(ctx)

    async def work() -> Story:
        desk = _desk(commanding)
        return await story_of(desk, await desk.compared(_one(await desk.versions(), version)))

    _show(commanding.run(work()), source=source, as_json=as_json)


# what the commands share


def _desk(commanding: Commanding) -> Desk:
    from graph.lifecycle.desk import Desk

    return Desk(commanding.tenant_session, commanding.tenant_id)


def _act(commanding: Commanding, why: str) -> Act:
    from app.ambient import new_id
    from graph.lifecycle.publishing import Act

    return Act(operator(), commanding.now(), why.strip(), new_id)


def _password(email: str | None, *, from_stdin: bool) -> str:
    from app.proven_people import password_for

    return "" if email is None else password_for(email, from_stdin=from_stdin)


async def _act_as(commanding: Commanding, why: str, email: str | None, password: str) -> Act:
    """Somebody's act: that of the account they named and proved to be theirs, else of the machine's account."""
    from app.proven_people import account_actor

    act = _act(commanding, why)
    return act if email is None else replace(act, actor=await account_actor(commanding, email, password))


def _report(
    commanding: Commanding, compared: Compared | None, answer: Answer | PolicySchedule, *, as_json: bool
) -> None:
    from app import policy_words as words

    if as_json:
        say_json(words.answer_form(commanding.tenant_id, compared, answer))
    else:
        say(words.answer_lines(commanding.tenant_id, compared, answer))
    _fail_where_refused(answer)


def _show(story: Story, *, source: bool = False, as_json: bool) -> None:
    from app import policy_words as words

    found = story.compared.version
    if as_json:
        say_json({**words.version_form(found), **story.form(), **({"source": found.source_text} if source else {})})
    elif source:
        say([found.source_text])
    else:
        say([words.version_line(found), *story.lines()])


def _fail_where_refused(answer: object) -> None:
    from graph.lifecycle.publishing import Refused

    if isinstance(answer, Refused):
        raise typer.Exit(1)


def _is_version(name: str) -> bool:
    return _HASH.fullmatch(name) is not None and not Path(name).exists() and from_library(name) is None


def _one(versions: list[PolicyVersion], prefix: str) -> PolicyVersion:
    if len(prefix) < SHORTEST_PREFIX:
        raise UsageError(f"version {prefix!r} is too short; give at least {SHORTEST_PREFIX} characters of its hash")
    found = [version for version in versions if version.policy_hash.startswith(prefix)]
    if len(found) != 1:
        raise UsageError(f"{len(found)} versions begin with {prefix!r}; `countersign policy versions` lists them")
    return found[0]


def _time(option: str, written: str | None) -> datetime | None:
    if written is None:
        return None
    try:
        time = datetime.fromisoformat(written)
    except ValueError as error:
        raise UsageError(f"{option} {written!r} is no time; write it like 2026-11-27T00:00:00+00:00") from error
    if time.tzinfo is None:
        raise UsageError(f"{option} {written!r} has no zone; write it like 2026-11-27T00:00:00+00:00")
    return time.astimezone(UTC)
