"""The safeguards that can be taken out of a process when it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

PLANTS: Mapping[str, Callable[[], None]] = {}


def plant(name: str) -> None:
    """Take a safeguard out of this process, for the rest of its life."""
    PLANTS[name]()
