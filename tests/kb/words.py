"""A small embedding for tests that are about storage and fusion, not about meaning: every word has its direction."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kb.models import EMBEDDING_SIZE


class WordEmbedding:
    """Texts that share words have similar vectors. Remembers what it was asked for."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts += texts
        return np.stack([_vector(text) for text in texts]) if texts else np.zeros((0, EMBEDDING_SIZE), np.float32)


def _vector(text: str) -> NDArray[np.float32]:
    directions = [_direction(word) for word in re.findall(r"\w+", text.lower())] or [_direction("")]
    total = np.sum(directions, axis=0)
    return np.asarray(total / np.linalg.norm(total), dtype=np.float32)


def _direction(word: str) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=EMBEDDING_SIZE)
