"""A ticket as the head sees it: the whole, the subject, each sentence and each pair of them, as vectors and words.

A request is one sentence of a long story, or two that mean nothing apart. So each part is read by itself, and by two
readers: one goes by what sentences mean, one by how they are worded.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from graph.models.local.examples import Cues
from graph.models.local.newest import sentences
from graph.models.local.wording import Wording, wording

Matrix = NDArray[np.float32]

_MAX_SENTENCES: Final = 60
_MAX_WHOLE: Final = 1500
"""Characters; the embedding model reads about as many, and the rest of a longer ticket is read by sentence."""
_VECTOR_WEIGHT: Final = 5.0
_CUE_WEIGHT: Final = 1.5
_MAX_CUES: Final = 2


class Embeds(Protocol):
    """Anything that turns texts into unit vectors of the model the head was fitted on."""

    def embed(self, texts: Sequence[str]) -> Matrix:
        """One row for each text."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Some texts in both readings: `meanings` has one row for each, vectors and cues side by side."""

    meanings: Matrix
    wordings: tuple[Wording, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The parts of one ticket. `subject` is None where there is none; `cues` has a row a line, the subject's last."""

    whole: Texts
    subject: Texts | None
    sentences: Texts
    pairs: Texts
    cues: Matrix


class Reader:
    """Reads tickets and single texts. Safe to share between threads if `embedder` is."""

    def __init__(self, embedder: Embeds, cues: Cues) -> None:
        self._embedder = embedder
        self._cues = cues

    def texts(self, texts: Sequence[str]) -> Texts:
        """Single texts, each for itself."""
        return Texts(_side_by_side(self._embedder.embed(texts), self._count(texts)), _worded(texts))

    def ticket(self, subject: str, text: str) -> Reading | None:
        """A ticket of this subject whose newest message is `text`; None where neither holds a word."""
        lines = [sentence.text for sentence in sentences(text)][:_MAX_SENTENCES]
        has_subject = bool(re.search(r"\w", subject))
        if not lines and not has_subject:
            return None
        title = " ".join(subject.split())
        lines = lines or [title]
        whole = " ".join([f"{title}.", *lines] if has_subject else lines)[:_MAX_WHOLE]
        vectors = self._embedder.embed([whole, *lines, *([title] if has_subject else [])])
        cues = self._count([*lines, *([title] if has_subject else [])])
        count = len(lines)
        return Reading(
            whole=Texts(_side_by_side(vectors[:1], cues.sum(axis=0, keepdims=True)), _worded([whole])),
            subject=Texts(_side_by_side(vectors[-1:], cues[-1:]), _worded([title])) if has_subject else None,
            sentences=Texts(_side_by_side(vectors[1 : count + 1], cues[:count]), _worded(lines)),
            pairs=_pairs(vectors[1 : count + 1], cues[:count], lines),
            cues=cues,
        )

    def _count(self, texts: Sequence[str]) -> Matrix:
        return np.array([self._cues.count(text) for text in texts], dtype=np.float32)


def _pairs(vectors: Matrix, cues: Matrix, lines: list[str]) -> Texts:
    """Neighbours together; a single sentence is its own pair. The vector between two costs no further look."""
    if len(lines) == 1:
        return Texts(_side_by_side(vectors, cues), _worded(lines))
    between = vectors[:-1] + vectors[1:]
    lengths = np.maximum(np.linalg.norm(between, axis=1, keepdims=True), 1e-6)
    joined = [f"{first} {second}" for first, second in itertools.pairwise(lines)]
    return Texts(_side_by_side(between / lengths, cues[:-1] + cues[1:]), _worded(joined))


def _worded(texts: Sequence[str]) -> tuple[Wording, ...]:
    return tuple(wording(text) for text in texts)


def _side_by_side(vectors: Matrix, cues: Matrix) -> Matrix:
    """Vectors and cue counts, scaled so that neither drowns the other."""
    scaled = [vectors * _VECTOR_WEIGHT, np.minimum(cues, _MAX_CUES) * _CUE_WEIGHT]
    return np.asarray(np.hstack(scaled), dtype=np.float32)
