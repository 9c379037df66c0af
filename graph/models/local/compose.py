"""Sentences made from written patterns, with the slips people make; the same seed makes the same sentences.

`(a|b|)` is a choice, `{slot}` a word of `slots.yaml`. Case, apostrophes and letters go astray as they do under thumbs.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from graph.models.local.examples import Example

_CHOICE: Final = re.compile(r"\(([^()]*)\)")
_SLOT: Final = re.compile(r"\{(\w+)\}")
_SHORTEST_MISSPELT: Final = 4
_LOWER: Final = 0.25
_UPPER: Final = 0.05
_CAPITAL: Final = 0.3
_NO_APOSTROPHE: Final = 0.25
_HURRIED: Final = 0.3
_SLIP: Final = 0.12


def compose(
    patterns: Sequence[Example], slots: Mapping[str, Sequence[str]], each: int, rng: random.Random
) -> Iterator[Example]:
    """`each` sentences of every pattern, in order."""
    for pattern in patterns:
        for _ in range(each):
            yield Example(_slipped(expand(pattern.text, slots, rng), rng), pattern.label)


def expand(pattern: str, slots: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    """One sentence of the pattern.

    Raises:
        KeyError: the pattern names a slot that is not written.
    """
    while (choice := _CHOICE.search(pattern)) is not None:
        pattern = pattern[: choice.start()] + rng.choice(choice[1].split("|")) + pattern[choice.end() :]
    return " ".join(_SLOT.sub(lambda slot: str(rng.choice(slots[slot[1]])), pattern).split())


def _slipped(sentence: str, rng: random.Random) -> str:
    case = rng.random()
    if case < _LOWER:
        sentence = sentence.lower()
    elif case < _LOWER + _UPPER:
        sentence = sentence.upper()
    elif case < _LOWER + _UPPER + _CAPITAL:
        sentence = sentence[:1].upper() + sentence[1:]
    if rng.random() < _NO_APOSTROPHE:
        sentence = sentence.replace("'", "")
    if rng.random() < _HURRIED:
        sentence = " ".join(_misspelt(word, rng) if rng.random() < _SLIP else word for word in sentence.split())
    return sentence


def _misspelt(word: str, rng: random.Random) -> str:
    if len(word) < _SHORTEST_MISSPELT or not word.isalpha():
        return word
    place = rng.randrange(1, len(word) - 1)
    before, here, after = word[:place], word[place], word[place + 1 :]
    swapped = before + after[0] + here + after[1:]
    return rng.choice((swapped, before + after, before + here + here + after))
