"""Errors of the application.

AppError
├── SettingsError       a setting is wrong or missing; carries one line for each problem; whoever installs must act
├── DatabaseError       a database that cannot be reached or used as it is; whoever installs must act
│   └── EmbeddedError   the embedded server cannot be started in this data folder
└── UsageError          a command was asked for something it cannot do; the person at the keyboard must act

Messages start in lower case, name the value and say what to do next. The command line prints them as one line each.
"""

from __future__ import annotations

from collections.abc import Sequence

from graph.errors import DatabaseAway


class AppError(Exception):
    """Root of this package's errors."""


class SettingsError(AppError):
    """Settings that cannot be used; `problems` holds one line for each thing to correct."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class DatabaseError(AppError, DatabaseAway):
    """A database that cannot be reached, or cannot be used as it is."""


class EmbeddedError(DatabaseError):
    """The embedded server cannot be started in this data folder."""


class UsageError(AppError):
    """A command was asked for something it cannot do."""
