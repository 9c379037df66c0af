"""The application's own small commands: `migrate`, `doctor` and `settings`. Each imports what it needs when it runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.commanding import Commanding

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def migrate(ctx: typer.Context, as_json: Json = False) -> None:
    """Bring the database to the schema of this version. Safe to repeat."""
    from app.migrate import migrate_storage

    commanding = _commanding(ctx)
    done = migrate_storage(commanding.settings)
    if as_json:
        print(json.dumps({"before": done.before, "after": done.after, "changed": done.changed}))
    elif done.changed:
        print(f"migrated from {done.before or 'nothing'} to {done.after}")
    else:
        print(f"nothing to do: the schema has version {done.after}")


def doctor(ctx: typer.Context, as_json: Json = False) -> None:
    """Say what is configured, what is missing and what to do. Exit status 1 where something is wrong."""
    from app.doctor import State, examine

    commanding = _commanding(ctx)
    checks = examine(commanding.settings, now=commanding.now)
    is_well = all(check.state is not State.WRONG for check in checks)
    if as_json:
        print(json.dumps({"ok": is_well, "checks": [asdict(check) for check in checks]}))
    else:
        signs = {State.OK: "ok   ", State.NOTE: "note ", State.WRONG: "WRONG"}
        for check in checks:
            print(f"{signs[check.state]}  {check.subject}: {check.found}")
            if check.next_step:
                print(f"       -> {check.next_step}")
    raise typer.Exit(0 if is_well else 1)


def settings(
    as_json: Json = False,
    write: Annotated[bool, typer.Option("--write", help="Write docs/settings.md and .env.example here.")] = False,
) -> None:
    """List every setting with its variable, default and meaning; with --write, write the pages about them."""
    from app.settings_page import entries, settings_page, write_pages

    if write:
        for path in write_pages(Path.cwd()):
            print(path)
    elif as_json:
        print(json.dumps([asdict(entry) for entry in entries()]))
    else:
        print(settings_page(), end="")


def _commanding(ctx: typer.Context) -> Commanding:
    assert isinstance(ctx.obj, Commanding)
    return ctx.obj
