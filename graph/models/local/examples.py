"""The written examples the head learns from, and the hash that says which examples it learned.

Files lie in `data/`: `utterances_*.txt` hold one sentence a line under `== intent`, `cues.yaml` holds expressions.
All of them were written for this project. A line under an unknown heading is an error, not a new intent.
"""

from __future__ import annotations

import hashlib
import re
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


@dataclass(frozen=True, slots=True)
class Example:
    """One sentence and the label it stands for."""

    text: str
    label: str


def load_examples() -> tuple[Example, ...]:
    """Every written sentence, in file order.

    Raises:
        ValueError: a heading is no intent, or a sentence stands before any heading.
    """
    examples = []
    for name, content in _example_files():
        label = None
        for number, line in enumerate(content.splitlines(), start=1):
            if line.startswith("== "):
                label = line.removeprefix("== ").strip()
                if label not in LABELS:
                    raise ValueError(f"{name}:{number}: heading {label!r} is no intent: use one of {', '.join(LABELS)}")
            elif line.strip() and not line.startswith("#"):
                if label is None:
                    raise ValueError(f"{name}:{number}: a sentence before any heading: write '== intent' above it")
                examples.append(Example(line.strip(), label))
    return tuple(examples)


def data_hash() -> str:
    """SHA-256 over the examples and cues, in hexadecimal; the fitted head carries the one it was fitted on."""
    digest = hashlib.sha256()
    for name, content in (*_example_files(), ("cues.yaml", _read("cues.yaml"))):
        digest.update(f"{name}\0{content}\0".encode())
    return digest.hexdigest()


def _example_files() -> list[tuple[str, str]]:
    folder = files("graph.models.local") / "data"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.startswith("utterances_"))
    return [(name, _read(name)) for name in names]


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
