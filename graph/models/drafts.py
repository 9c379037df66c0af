"""What a model may write for a customer: a text whose every figure is a slot that code fills, and what it cites.

Code says what is to be told (`Brief`): points in its own words, the slots they need and the sections they rest on. The
model says it well (`WrittenDraft`). `problems` is the first check of what it wrote, the same for every provider: slots
from the list, each in its place, and no figure, link or address of the model's own. Verifiers check the filled text
again. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_TEXT: Final = 3_000
MAX_NOTE: Final = 1_000
"""Characters. What a customer needs to know about one matter fits, and so does what a colleague needs."""

_SLOT: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_BRACE: Final = re.compile(r"[{}]")
_ADDRESS: Final = re.compile(r"@|://|\bwww\.|\]\(|<[^>]*>", re.IGNORECASE)
_MONEY_SIGN: Final = re.compile(
    r"[$€£¥￥₹円]|\b(?:usd|eur|gbp|jpy|dollars?|d[oó]lar(?:es)?|euros?|cents?|centimes?|centavos?|cêntimos?|reais)\b",
    re.IGNORECASE,
)
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


class SlotKind(StrEnum):
    """What fills a slot."""

    MONEY = "money"
    DATE = "date"
    TEXT = "text"
    QUOTE = "quote"  # the words of a section, byte for byte


@dataclass(frozen=True, slots=True)
class OfferedSlot:
    """A slot that the text may hold: `{name}`, and in words of ours what will stand there, never the value."""

    name: str
    kind: SlotKind
    meaning: str


@dataclass(frozen=True, slots=True)
class OfferedSection:
    """A section of the shop's documents that the text may cite."""

    section_id: str
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that must be said, as code says it: a sentence with slots, and the section it rests on."""

    text: str
    cites: str | None = None


@dataclass(frozen=True, slots=True)
class Brief:
    """What a reply is to say, in which language, with which slots and sections. All of it comes from code."""

    language: str
    points: tuple[Point, ...]
    slots: tuple[OfferedSlot, ...] = ()
    sections: tuple[OfferedSection, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenDraft:
    """A reply as somebody wrote it, a model or a template, before code fills the slots.

    `text` holds `{slot}` names of the brief and neither greeting nor signature, which code adds; `cites` are section
    ids; `note` is for colleagues and never leaves.
    """

    language: str
    text: str
    cites: tuple[str, ...] = ()
    note: str = ""

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the slots it holds, in order, as often as they stand there."""
        return tuple(_SLOT.findall(self.text))


def problems(draft: WrittenDraft, brief: Brief) -> tuple[str, ...]:
    """Why a written draft cannot be used, one line each; none means that its slots may be filled."""
    return tuple(_problems(draft, brief))


def _problems(draft: WrittenDraft, brief: Brief) -> Iterator[str]:
    if draft.language != brief.language:
        yield f"the draft is in {draft.language!r} and the customer is answered in {brief.language!r}"
    if not draft.text.strip() or len(draft.text) > MAX_TEXT or len(draft.note) > MAX_NOTE:
        yield f"the draft has {len(draft.text)} characters and its note {len(draft.note)}"
    yield from _slot_problems(draft, brief)
    yield from _own_words_problems(_SLOT.sub("", draft.text))
    known = {section.section_id for section in brief.sections}
    yield from (f"section {cited!r} was not offered" for cited in draft.cites if cited not in known)
    wanted = {point.cites for point in brief.points if point.cites is not None}
    yield from (f"section {missing!r} is not cited" for missing in sorted(wanted - set(draft.cites)))


def _slot_problems(draft: WrittenDraft, brief: Brief) -> Iterator[str]:
    """Every slot stands exactly once: told twice, an amount reads like two."""
    held = Counter(draft.slots)
    offered = {slot.name for slot in brief.slots}
    yield from (f"slot {name!r} was not offered" for name in sorted(held.keys() - offered))
    yield from (f"slot {name!r} is missing" for name in sorted(offered - held.keys()))
    yield from (f"slot {name!r} stands there {held[name]} times" for name in sorted(offered) if held[name] > 1)


def _own_words_problems(words: str) -> Iterator[str]:
    """What stands between the slots are words: figures, money, links and addresses are code's."""
    if _BRACE.search(words):
        yield "a brace stands outside a slot"
    if any(unicodedata.category(sign).startswith("N") for sign in words):
        yield "a figure stands outside a slot"
    if _MONEY_SIGN.search(words):
        yield "a currency stands outside a slot"
    if _ADDRESS.search(words):
        yield "a link, an address or markup stands in the text"
    if _CONTROL.search(words):
        yield "an invisible sign stands in the text"


def filled(draft: WrittenDraft, values: Mapping[str, str]) -> str:
    """The text with its slots filled, in one pass, so that a value is never read as a slot.

    Raises:
        KeyError: a slot without a value; `problems` finds it first.
    """
    return _SLOT.sub(lambda match: values[match[1]], draft.text).strip()
