"""What was read of a customer's files: pages of redacted text with what was hidden in them. Data, never a ground.

Nothing that understands, plans or decides takes these values: an import contract in pyproject.toml sees to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FileKind(StrEnum):
    """What a file is by its content; its name and what the sender calls it are not asked."""

    PDF = "pdf"
    TEXT = "text"
    PICTURE = "picture"
    OTHER = "other"


class FileOutcome(StrEnum):
    """How reading a file ended."""

    READ = "read"
    NO_TEXT = "no_text"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    ENCRYPTED = "encrypted"
    BROKEN = "broken"
    UNSUPPORTED = "unsupported"
    NOT_GIVEN = "not_given"
    WITHHELD = "withheld"
    NOT_OPENED = "not_opened"


@dataclass(frozen=True, slots=True)
class Page:
    """The visible text of one page, redacted; pages count from 1, and a text or a picture has one."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class ReadFile:
    """One file. `hidden_characters` were in it and cannot be seen by who opens it; they are counted and not read.

    `page_count` is None where it is not known; there may be more pages than were read. `name` is redacted.
    """

    name: str
    kind: FileKind
    outcome: FileOutcome
    pages: tuple[Page, ...] = ()
    page_count: int | None = None
    hidden_characters: int = 0

    def row(self) -> dict[str, object]:
        """What the log says of it: no name and no text."""
        return {
            "kind": self.kind.value,
            "outcome": self.outcome.value,
            "pages": self.page_count,
            "characters": sum(len(page.text) for page in self.pages),
            "hidden_characters": self.hidden_characters,
        }


@dataclass(frozen=True, slots=True)
class Files:
    """The files of the newest message, in its order."""

    found: tuple[ReadFile, ...] = ()
