"""Made knowledge: sections about topics, with words as rare and as common as in language, and vectors that agree.

Words follow Zipf's law within the topic and beside it; a section's vector lies around its topic's. The same seed gives
the same sections. Nothing here says anything: it is for measuring how long things take.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kb.models import EMBEDDING_SIZE

TOPICS: Final = 400
VOCABULARY: Final = 30_000
WORDS_OF_A_TOPIC: Final = 300
SHORTEST: Final = 60
LONGEST: Final = 140
ASKED_WORDS: Final = 9
_SYLLABLES: Final = [first + vowel for first in "bdfghklmnprstvz" for vowel in "aeiou"]


@dataclass(frozen=True, slots=True)
class MadeSection:
    """A section's words and its unit vector."""

    text: str
    vector: NDArray[np.float32]


class MadeKnowledge:
    """Sections and questions about them, from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._words = np.array([_word(number) for number in range(VOCABULARY)])
        self._common = _zipf(VOCABULARY)
        self._of_topic = _zipf(WORDS_OF_A_TOPIC)
        self._topics = self._random.integers(200, VOCABULARY, size=(TOPICS, WORDS_OF_A_TOPIC))
        self._centres = self._random.normal(size=(TOPICS, EMBEDDING_SIZE))

    def sections(self, count: int) -> Iterator[MadeSection]:
        """So many sections, a sentence for every dozen words or so."""
        for _ in range(count):
            topic = int(self._random.integers(TOPICS))
            words = self._draw(topic, int(self._random.integers(SHORTEST, LONGEST)))
            sentences = (" ".join(words[start : start + 12]) for start in range(0, len(words), 12))
            yield MadeSection(". ".join(sentences) + ".", self._near(topic))

    def questions(self, count: int) -> list[MadeSection]:
        """So many questions, each about a topic."""
        topics = [int(topic) for topic in self._random.integers(TOPICS, size=count)]
        return [MadeSection(" ".join(self._draw(topic, ASKED_WORDS)), self._near(topic)) for topic in topics]

    def _draw(self, topic: int, count: int) -> list[str]:
        own = self._topics[topic][self._ranks(self._of_topic, count // 2)]
        other = self._ranks(self._common, count - count // 2)
        numbers = self._random.permutation(np.concatenate([own, other]))
        return [str(word) for word in self._words[numbers]]

    def _ranks(self, shares: NDArray[np.float64], count: int) -> NDArray[np.int64]:
        return np.searchsorted(shares, self._random.random(count))

    def _near(self, topic: int) -> NDArray[np.float32]:
        vector = self._centres[topic] + self._random.normal(size=EMBEDDING_SIZE)
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def _word(number: int) -> str:
    letters = []
    number += len(_SYLLABLES)  # at least two syllables
    while number:
        number, place = divmod(number, len(_SYLLABLES))
        letters.append(_SYLLABLES[place])
    return "".join(letters)


def _zipf(count: int) -> NDArray[np.float64]:
    """What share of all words the most frequent one makes up, the two most frequent ones, and so on."""
    shares = np.cumsum(1 / np.arange(1, count + 1))
    return np.asarray(shares / shares[-1])
