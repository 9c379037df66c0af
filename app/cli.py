"""The command line: `countersign COMMAND`. Knows the names of the commands and loads the one that is asked for.

Promises: `--help` imports no command; every error of ours is one clear line on standard error and exit status 2, never
a traceback (`--debug` shows it); 1 means that what was checked does not hold. Commands of the application stand in
`APPLICATION_COMMANDS`; those of other packages register as entry points of the group `countersign.commands`
(`name = "package.commands:function_or_app"`), so that this package never imports `evals`.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any, Final

import typer

from app.errors import UsageError

GROUP: Final = "countersign.commands"

APPLICATION_COMMANDS: Final = {
    "account": "app.account_commands:app",
    "alerts": "app.alert_commands:app",
    "autonomy": "app.autonomy_commands:app",
    "audit": "app.audit_commands:app",
    "app": "app.app_commands:app",
    "breaker": "app.breaker_commands:app",
    "connectors": "app.connector_commands:app",
    "corrections": "app.correction_commands:app",
    "demo": "app.demo.command:demo",
    "digest": "app.digest_command:digest",
    "doctor": "app.commands:doctor",
    "erase": "app.erasure_commands:erase_command",
    "hold": "app.erasure_commands:app",
    "inbox": "app.inbox_commands:app",
    "kb": "app.knowledge_commands:app",
    "keys": "app.keys.commands:app",
    "measures": "app.measure_commands:app",
    "migrate": "app.commands:migrate",
    "packet": "app.packet.command:packet_command",
    "policy": "app.policy_commands:app",
    "reconcile": "app.reconcile_command:reconcile",
    "runs": "app.run_commands:app",
    "sandbox": "app.processes:sandbox",
    "serve": "app.processes:serve",
    "settings": "app.commands:settings",
    "switch": "app.switch_commands:app",
    "worker": "app.processes:worker",
}
"""Commands of this package by name: module and function, or module and Typer application."""

SUMMARIES: Final = {
    "account": "Who may sign in, and as what.",
    "app": "Package the Zendesk app.",
    "audit": "Verify, export and prove the log.",
    "alerts": "What somebody should look at.",
    "autonomy": "What the agent has earned to do alone.",
    "bench": "Measure, against bare baselines.",
    "breaker": "What stops the agent from acting alone by itself.",
    "chaos": "Run tickets under faults and kills, and count.",
    "connectors": "Show connectors that fell back to draft-only, and let them act again.",
    "corrections": "What people corrected, and what is made of it.",
    "crash": "Kill before and after each statement and send.",
    "demo": "Everything embedded: boot, fire tickets, show what became of them.",
    "digest": "The last days on one page.",
    "doctor": "Say what is configured, what is missing and what to do.",
    "erase": "Erase a customer from everything that is stored.",
    "evals": "Run scenarios, compare runs, gate and promote.",
    "hold": "Keep a customer's data from being erased.",
    "inbox": "Show events that could not be worked on, and try them again.",
    "kb": "Ingest and search the documents that answers cite.",
    "keys": "List and rotate master keys, and seal secrets.",
    "measures": "Show what the log says of the service; compare it with what was before.",
    "migrate": "Bring the database to the schema of this version.",
    "packet": "Write the security packet.",
    "plants": "Remove each safeguard and see that it is noticed.",
    "policy": "Check, explain, try and publish policy files.",
    "reconcile": "Compare our books with Stripe's.",
    "redact": "Take personal data out of texts.",
    "runs": "List, show, stop, replay and export runs.",
    "sandbox": "The vendors' doubles alone.",
    "serve": "The web process: webhooks, pages and API.",
    "settings": "List every setting, or write the page about them.",
    "simulate": "Settle under a scheduler that a seed decides.",
    "switch": "Turn a tool off or on, at once and for all workers.",
    "triage": "Say what tickets ask for.",
    "worker": "Advance tickets; start as many as you like.",
}
"""What each command is for, in the words of `--help`: here, so that help need not load the commands."""

OUR_PACKAGES: Final = frozenset({"app", "connectors", "evals", "graph", "kb", "policies"})


def main() -> None:
    """Run the command that the arguments name, and exit with its status."""
    arguments = sys.argv[1:]
    try:
        build(arguments)(args=arguments, prog_name="countersign")
    except Exception as error:
        if "--debug" in arguments:
            raise
        for line in complaint(error):
            print(f"countersign: {line}", file=sys.stderr)
        sys.exit(2)


def build(arguments: list[str]) -> typer.Typer:
    """The command line, with the one command that the arguments name loaded and the others known by name only.

    Raises:
        UsageError: the command's package cannot be loaded.
    """
    cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    cli.callback()(_root)
    asked = asked_command(arguments)
    for name, target in sorted(registered().items()):
        if name != asked:
            cli.command(name, help=SUMMARIES.get(name, ""))(_not_loaded)
            continue
        loaded = _load(target)
        if isinstance(loaded, typer.Typer):
            cli.add_typer(loaded, name=name)
        else:
            cli.command(name)(loaded)
    return cli


def registered() -> dict[str, EntryPoint]:
    """Every command by name."""
    ours = {name: EntryPoint(name, value, GROUP) for name, value in APPLICATION_COMMANDS.items()}
    return {entry.name: entry for entry in entry_points(group=GROUP)} | ours


def asked_command(arguments: list[str]) -> str | None:
    """The first argument that is neither an option of `countersign` itself nor the value of one."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "--tenant":
            next(rest, None)
        elif not argument.startswith("-"):
            return argument
    return None


def complaint(error: Exception) -> list[str]:
    """What to tell the person at the keyboard: our own errors as they are, any other as a defect of ours."""
    name = type(error).__name__
    lines = [line for line in str(error).splitlines() if line.strip()]
    if type(error).__module__.partition(".")[0] in OUR_PACKAGES:
        return lines or [name]
    first = f": {lines[0]}" if lines else ""
    return [f"unexpected {name}{first}; this is a defect: run it again with `countersign --debug ...` and report it"]


def _load(target: EntryPoint) -> Any:  # noqa: ANN401 - a function or a Typer application
    try:
        return target.load()
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"the command {target.name!r} cannot be loaded from {target.value!r}: {error}; run `make` again"
        ) from error


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    if wanted:
        print(f"countersign {version('countersign')}")
        raise typer.Exit


def _root(
    ctx: typer.Context,
    *,
    tenant: Annotated[str | None, typer.Option(help="The tenant the command is about.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,  # noqa: ARG001
    show_version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """A support-resolution agent that can be trusted with money."""
    from app.commanding import Commanding

    commanding = Commanding(tenant=tenant)
    ctx.obj = commanding
    ctx.call_on_close(commanding.close)


def _not_loaded() -> None:
    raise AssertionError("a command that the arguments do not name was run")
