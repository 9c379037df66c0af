"""Prompts: versioned files, each named in events by its hash. Those of the product, and those of an installation.

A file of an installation's folder may replace none of the product's: its name must be another, so that a name means one
text and a canary can compare two.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from policies.vocabulary import ModelRole

SHIPPED: Final = {role.value: role.value for role in ModelRole}
"""The prompt of each role where nothing else is wished."""
MAX_BYTES: Final = 64 * 1024
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,40}")


class UnknownPrompt(LookupError):
    """No prompt of that name, or one that cannot be read."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file: its name, its text and its hash."""

    name: str
    text: str
    digest: str

    @classmethod
    def of(cls, name: str, text: str) -> Prompt:
        """The prompt with this text."""
        return cls(name, text, hashlib.sha256(text.encode()).hexdigest()[:16])


@cache
def shipped(name: str) -> Prompt:
    """A prompt of the product, `graph/prompts/NAME.md`."""
    return Prompt.of(name, (files("graph.prompts") / f"{name}.md").read_text("utf-8"))


class Prompts:
    """Prompts by name.

    Args:
        folder: further files `NAME.md` of this installation; None has none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def named(self, name: str) -> Prompt:
        """The prompt of that name, read anew where it is the installation's own, so that its hash is what was asked.

        Raises:
            UnknownPrompt: there is none, it is too long, or it is no text.
        """
        if name in SHIPPED:
            return shipped(name)
        if self._folder is None or not _NAME.fullmatch(name):
            raise UnknownPrompt(f"no prompt {name!r}: the product has {', '.join(sorted(SHIPPED))}")
        path = self._folder / f"{name}.md"
        try:
            raw = path.read_bytes()
            if len(raw) > MAX_BYTES:
                raise UnknownPrompt(f"prompt {name!r} has {len(raw)} bytes, more than {MAX_BYTES}")
            return Prompt.of(name, raw.decode("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UnknownPrompt(f"prompt {name!r} cannot be read from {str(path)!r}: add the file") from error
