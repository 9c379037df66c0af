"""From what a person names or writes to the text of a policy that stands alone.

A version must mean the same on every machine, for ever, so what a file takes from other files is written into it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from app.errors import UsageError
from policies.commands import MAX_FILE_BYTES, beside
from policies.errors import PolicyFileError
from policies.language.inherit import Resolve
from policies.parse import parse_policy
from policies.shelf import SHIPPED, STARTER, from_library
from policies.standalone import stand_alone

SHIPPED_CASES: Final = {SHIPPED: "refunds.cases.yaml", STARTER: "starter.cases.yaml"}
"""The files of cases of the shipped policies."""


def publishable(file: str) -> str:
    """The text of a policy file, or of a shipped one by its name.

    Raises:
        UsageError: it cannot be read; the first problem with line and column.
    """
    shipped = None if Path(file).exists() else from_library(file)
    text = shipped if shipped is not None else _text(file)
    resolve = from_library if shipped is not None else beside(Path(file).parent)
    try:
        return standing_alone(text, name=file, resolve=resolve)
    except PolicyFileError as error:
        more = len(error.problems) - 1
        rest = f" (and {more} more: `countersign policy check {file}` lists them)" if more else ""
        raise UsageError(f"{error.problems[0]}{rest}") from error


def standing_alone(text: str, *, name: str, resolve: Resolve) -> str:
    """The text as a version may be stored: itself, or written out where it leans on another file.

    Raises:
        PolicyFileError: it cannot be read; every problem.
    """
    policy = parse_policy(text, name=name, resolve=resolve)
    try:
        if parse_policy(text, name=name).content_hash == policy.content_hash:
            return text
    except PolicyFileError:
        pass  # it leans on another file, so it is written out
    return stand_alone(text, resolve, name=name)


def _text(file: str) -> str:
    try:
        with Path(file).open("rb") as handle:
            raw = handle.read(MAX_FILE_BYTES + 1)
        text = raw.decode()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read {file!r}: {reason}; give a policy file, `shipped`, or a version") from error
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise UsageError(f"{file}:{line}:{column}: this byte is not UTF-8; save the file as UTF-8") from error
    if len(raw) > MAX_FILE_BYTES:
        raise UsageError(f"{file!r} is longer than {MAX_FILE_BYTES} bytes; no policy is that long")
    return text
