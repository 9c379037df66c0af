"""Who sits at the command line, and which tenant they named: what every command of ours reads from its context.

Promises: text for the terminal carries no control character of a customer's or a vendor's. Nothing is looked up in a
database here.
"""

from __future__ import annotations

import json
import os
import pwd
import unicodedata
from collections.abc import Iterable

import typer

from app.commanding import Commanding


def commanding_of(ctx: typer.Context) -> Commanding:
    """What the command may ask for."""
    assert isinstance(ctx.obj, Commanding)
    return ctx.obj


def named_tenant(ctx: typer.Context) -> str | None:
    """The tenant in `countersign --tenant NAME ...`, or None where none was named."""
    named = ctx.find_root().params.get("tenant")
    return named if isinstance(named, str) else None


def operator() -> str:
    """The account of this machine that runs the command, as the log names it.

    Taken from the process and not from a variable, which anybody may set.
    """
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # an account without a name, as in many containers
        return f"cli:uid{os.getuid()}"


def say(lines: Iterable[str]) -> None:
    """Print lines for a person."""
    for line in lines:
        typer.echo(printable(line))


def say_json(form: object) -> None:
    """Print one line of JSON for a program."""
    typer.echo(json.dumps(form, ensure_ascii=False))


def printable(text: str) -> str:
    """The text without what could move the cursor, recolour or reorder the terminal."""
    return "".join(
        letter
        if letter in "\n\t" or unicodedata.category(letter) not in {"Cc", "Cf", "Cs"}
        else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
