"""What is already known of the requester, found again in their text: name, e-mail addresses, telephones, addresses.

Known values need no guessing, so they are matched exactly, apart from case, accents, spacing and punctuation.
A first or last name is matched alone only where it is no everyday word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from graph.redaction.finding import DataClass, Finding, fold

_MIN_ALONE: Final = 3
_MIN_PHONE_DIGITS: Final = 7
_EVERYDAY: Final = frozenset(
    [
        "art",
        "bill",
        "bob",
        "brown",
        "carol",
        "chance",
        "chase",
        "christian",
        "church",
        "cook",
        "day",
        "dean",
        "dick",
        "drew",
        "faith",
        "frank",
        "gene",
        "grace",
        "grant",
        "gray",
        "green",
        "guy",
        "hall",
        "hope",
        "house",
        "jack",
        "jan",
        "joy",
        "june",
        "king",
        "lane",
        "law",
        "long",
        "low",
        "mark",
        "marsh",
        "mason",
        "may",
        "mike",
        "miles",
        "mill",
        "new",
        "old",
        "page",
        "park",
        "parker",
        "price",
        "rich",
        "rob",
        "rose",
        "short",
        "sky",
        "small",
        "stone",
        "street",
        "summer",
        "sue",
        "the",
        "van",
        "von",
        "wade",
        "ward",
        "west",
        "white",
        "will",
        "wood",
        "young",
        "love",
        "best",
        "said",
        "order",
        "work",
    ]
)
_STREET_NUMBER: Final = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class KnownProfile:
    """The requester's own data from Zendesk and Stripe. Empty where nothing is known."""

    names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


def find_known(text: str, profile: KnownProfile) -> Iterator[Finding]:
    """Every place where a known value stands; offsets count in `text`."""
    folded = fold(text)
    for data_class, key, pattern in _patterns(profile):
        for match in re.finditer(pattern, folded):
            yield Finding(match.start(), match.end(), data_class, key)


def _patterns(profile: KnownProfile) -> Iterator[tuple[DataClass, str, str]]:
    for address in profile.addresses:
        yield from _address_patterns(address)
    for email in profile.emails:
        if email.strip():
            yield DataClass.EMAIL, email.strip().lower(), rf"(?<!\w){re.escape(fold(email.strip()))}(?!\w)"
    for phone in profile.phones:
        digits = re.sub(r"\D", "", phone)
        if len(digits) >= _MIN_PHONE_DIGITS:
            # The national part is enough: people leave their country code out.
            tail = r"[ .\-/()]{0,3}".join(digits[-_MIN_PHONE_DIGITS - 2 :])
            yield DataClass.PHONE, digits, rf"\+?(?:\d[ .\-/()]{{0,3}}){{0,6}}(?<!\d){tail}(?!\d)|{tail}(?!\d)"
    for name in profile.names:
        yield from _name_patterns(name)


def _name_patterns(name: str) -> Iterator[tuple[DataClass, str, str]]:
    tokens = re.findall(r"\w+", fold(name))
    if not tokens:
        return
    key = " ".join(tokens)
    if len(tokens) > 1:
        yield DataClass.NAME, key, _joined(tokens)
        yield DataClass.NAME, key, _joined([tokens[-1], *tokens[:-1]])
    for token in tokens:
        if len(token) >= _MIN_ALONE and token not in _EVERYDAY:
            yield DataClass.NAME, key, rf"(?<!\w){re.escape(token)}(?!\w)"


def _address_patterns(address: str) -> Iterator[tuple[DataClass, str, str]]:
    key = " ".join(re.findall(r"\w+", fold(address)))
    for line in {address, *re.split(r"[\n,;]", address)}:
        tokens = re.findall(r"\w+", fold(line))
        # A town alone says little and is often a word; a line with a house number says where somebody lives.
        if len(tokens) > 1 and _STREET_NUMBER.search(line):
            yield DataClass.ADDRESS, key, _joined(tokens)


def _joined(tokens: list[str]) -> str:
    return r"(?<!\w)" + r"[\W_]{1,4}".join(re.escape(token) for token in tokens) + r"(?!\w)"
