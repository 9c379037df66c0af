"""Errors of the policy package.

PolicyPackageError
├── MoneyError        an amount or a currency that cannot be money; tell whoever wrote it
├── FactError         a fact that the catalogue does not know, or a value of another type
├── DecisionError     a question that no policy can answer (a time without a zone); decide() answers it with deny
└── PolicyFileError   a policy file that cannot be read; carries every problem with line and column

Messages start in lower case, name the value and say what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass


class PolicyPackageError(Exception):
    """Root of this package's errors."""


class MoneyError(PolicyPackageError):
    """An amount or a currency that cannot be money."""


class FactError(PolicyPackageError):
    """A fact that the catalogue does not know, or a value that does not fit its type."""


class DecisionError(PolicyPackageError):
    """A question that no policy can answer. `policies.evaluate.decide` turns it into a denial."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a policy file, for the person who edits it.

    `line` and `column` count from 1. `value` is what stands there, `nearest` the closest valid name where there is one,
    `hint` the next step.
    """

    file: str
    line: int
    column: int
    message: str
    value: str | None = None
    nearest: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        said = f"{self.file}:{self.line}:{self.column}: {self.message}"
        if self.nearest is not None:
            said += f"; did you mean {self.nearest!r}?"
        if self.hint is not None:
            said += f"; {self.hint}"
        return said


class PolicyFileError(PolicyPackageError):
    """A policy file that cannot be read. `problems` holds all of them, in the order of the file, never none."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
