"""The policy files that ship with the product, and how one file finds another. Reads package data, nothing else."""

from __future__ import annotations

import re
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

SHIPPED: Final = "shipped"
"""The name of the shop policy that the product ships with, wherever a policy file is asked for."""

STARTER: Final = "starter"
"""The name of the policy that a new tenant begins with: it watches, and a person does everything."""

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def library() -> Traversable:
    """The folder of shipped policies."""
    return resources.files("policies") / "library"


def shipped_text() -> str:
    """The shop policy that the product ships with."""
    return (library() / "refunds.yaml").read_text(encoding="utf-8")


def from_library(name: str) -> str | None:
    """The text of a shipped policy file by its plain name, for `extends:` and `ruleset:`; None where there is none."""
    if name in {SHIPPED, f"{SHIPPED}.yaml"}:
        return shipped_text()
    if name == STARTER:
        return (library() / "starter.yaml").read_text(encoding="utf-8")
    if not _PLAIN_NAME.fullmatch(name):
        return None
    for folder in (library(), library() / "articles"):
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    return None
