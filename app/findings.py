"""The vocabulary of `countersign doctor`: what was looked at, how it stands, what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"  # nothing is broken; somebody should know
    WRONG = "wrong"  # Countersign cannot work like this


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `next_step` is empty where nothing is to be done."""

    subject: str
    state: State
    found: str
    next_step: str = ""


def ok(subject: str, found: str) -> Check:
    """All is well."""
    return Check(subject, State.OK, found)


def note(subject: str, found: str, next_step: str) -> Check:
    """Nothing is broken, but somebody should know."""
    return Check(subject, State.NOTE, found, next_step)


def wrong(subject: str, found: str, next_step: str) -> Check:
    """It cannot work like this."""
    return Check(subject, State.WRONG, found, next_step)
