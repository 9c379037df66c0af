"""The wording of a text as numbers: words, pairs of words and pieces of words, each at a place given by its checksum.

Sentence vectors know what words mean, and little of how customers put things; wording is the other way round, and
still works where a word is misspelt. Checksums need no vocabulary, so that only weights are stored, and what no example
held says nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from graph.redaction.finding import fold

PLACES: Final = 2 * 8192
"""Half for words and their pairs, half for pieces of words. Places are shared by chance, which costs little."""

_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[?!$]")
_DIGITS: Final = re.compile(r"\d+")
_PIECES: Final = (3, 4, 5)


@dataclass(frozen=True, slots=True, eq=False)
class Wording:
    """Places in order of first appearance, and the weight of each; both halves have length one."""

    places: NDArray[np.int64]
    weights: NDArray[np.float32]


def wording(text: str) -> Wording:
    """The words of one text. Numbers all count as the same word: which order it is says nothing about the request."""
    words = _WORD.findall(_DIGITS.sub("0", fold(text)))
    halves = (_counted(_phrases(words), 0), _counted(_pieces(words), PLACES // 2))
    return Wording(np.concatenate([half.places for half in halves]), np.concatenate([half.weights for half in halves]))


def as_rows(texts: Sequence[Wording]) -> tuple[NDArray[np.float32], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Weights, and the row and column of each, as a sparse matrix of `(len(texts), PLACES)` is built from."""
    rows = np.repeat(np.arange(len(texts)), [len(text.places) for text in texts])
    return (
        np.concatenate([text.weights for text in texts]),
        (rows, np.concatenate([text.places for text in texts])),
    )


def _phrases(words: list[str]) -> Iterator[str]:
    yield from words
    yield from (f"{first} {second}" for first, second in pairwise(words))


def _pieces(words: list[str]) -> Iterator[str]:
    for word in words:
        framed = f" {word} "
        for length in _PIECES:
            yield from (framed[start : start + length] for start in range(len(framed) - length + 1))


def _counted(grams: Iterator[str], first_place: int) -> Wording:
    counts = Counter(first_place + crc32(gram.encode()) % (PLACES // 2) for gram in grams)
    weights = 1 + np.log(np.fromiter(counts.values(), dtype=np.float32, count=len(counts)))
    length = float(np.linalg.norm(weights))
    return Wording(
        np.fromiter(counts.keys(), dtype=np.int64, count=len(counts)),
        np.asarray(weights / max(length, 1e-6), dtype=np.float32),
    )
