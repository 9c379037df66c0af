"""What was written for the head to learn from, and the hash that says what it learned.

Files lie in `data/`: `utterances_*.txt` hold one sentence a line under `== intent`, `patterns.txt` what sentences are
composed from, `tickets.txt` whole tickets, `cues.yaml` expressions. All of it was written for this project. A line
under an unknown heading is an error, not a new intent.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray

from graph.redaction.finding import fold
from policies.vocabulary import Intent

CHATTER: Final = "chatter"
"""Sentences that ask for nothing: greetings, background, thanks in passing."""

LABELS: Final[tuple[str, ...]] = (*(intent.value for intent in Intent), CHATTER)
_MAX_CUES: Final = 2
_HEADING: Final = "== "


@dataclass(frozen=True, slots=True)
class Example:
    """One sentence, or a pattern of sentences, and the label it stands for."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class WrittenTicket:
    """A whole ticket and what it asks for, the primary intent first."""

    subject: str
    body: str
    intents: tuple[Intent, ...]


def load_examples() -> tuple[Example, ...]:
    """Every written sentence, in file order.

    Raises:
        ValueError: a heading is no intent, or a sentence stands before any heading.
    """
    names = [name for name in _file_names() if name.startswith("utterances_")]
    return tuple(example for name in names for example in _lines_under_headings(name))


def load_patterns() -> tuple[Example, ...]:
    """Every pattern, in file order; `compose` makes sentences of them.

    Raises:
        ValueError: a heading is no intent, or a pattern stands before any heading.
    """
    return tuple(_lines_under_headings("patterns.txt"))


def load_slots() -> dict[str, list[str]]:
    """The words that may stand for each `{slot}` of a pattern."""
    slots: dict[str, list[str]] = yaml.safe_load(_read("slots.yaml"))
    return slots


def load_tickets() -> tuple[WrittenTicket, ...]:
    """Every whole ticket, in file order.

    Raises:
        ValueError: a heading names something that is no intent.
    """
    tickets = []
    for block in re.split(rf"^{_HEADING}", _read("tickets.txt"), flags=re.MULTILINE)[1:]:
        heading, _, body = block.partition("\n")
        intents, _, subject = heading.partition("|")
        try:
            named = tuple(Intent(name.strip()) for name in intents.split(","))
        except ValueError as error:
            raise ValueError(f"tickets.txt: heading {heading!r}: {error}: use the names of intents") from error
        tickets.append(WrittenTicket(subject.strip(), body.strip("\n"), named))
    return tuple(tickets)


def data_hash() -> str:
    """SHA-256 over all that was written, in hexadecimal; the fitted head carries the one it was fitted on."""
    digest = hashlib.sha256()
    for name in _file_names():
        digest.update(f"{name}\0{_read(name)}\0".encode())
    return digest.hexdigest()


def _lines_under_headings(name: str) -> Iterator[Example]:
    label = None
    for number, line in enumerate(_read(name).splitlines(), start=1):
        if line.startswith(_HEADING):
            label = line.removeprefix(_HEADING).strip()
            if label not in LABELS:
                raise ValueError(f"{name}:{number}: heading {label!r} is no intent: use one of {', '.join(LABELS)}")
        elif line.strip() and not line.startswith("#"):
            if label is None:
                raise ValueError(f"{name}:{number}: a sentence before any heading: write '== intent' above it")
            yield Example(line.strip(), label)


def _file_names() -> list[str]:
    folder = files("graph.models.local") / "data"
    return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith((".txt", ".yaml")))


def _read(name: str) -> str:
    return (files("graph.models.local") / "data" / name).read_text(encoding="utf-8")


class Cues:
    """Words that speak for an intent, found in a sentence."""

    def __init__(self) -> None:
        written: dict[str, list[str]] = yaml.safe_load(_read("cues.yaml"))
        self._patterns = [[re.compile(pattern) for pattern in written[intent.value]] for intent in Intent]

    def count(self, sentence: str) -> NDArray[np.float32]:
        """How many cues of each intent the sentence holds, at most two, in the order of `Intent`."""
        folded = fold(sentence)
        counts = [sum(1 for pattern in patterns if pattern.search(folded)) for patterns in self._patterns]
        return np.minimum(np.array(counts, dtype=np.float32), _MAX_CUES)
