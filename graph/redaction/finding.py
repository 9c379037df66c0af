"""The words redaction is made of: a class of personal data, and a place where one of its values stands.

It promises nothing about how values are found; the recognisers do that.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum


class DataClass(StrEnum):
    """Kinds of personal data, in the order in which they win where two overlap."""

    SECRET = "secret"  # noqa: S105 -- the name of a class of data, not one of its values
    EMAIL = "email"
    IBAN = "iban"
    CARD = "card"
    CVC = "cvc"
    SSN = "ssn"
    IP = "ip"
    ADDRESS = "address"
    NAME = "name"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Finding:
    """One value at code points `[start, end)`; `key` is its normal form, so that equal values share a placeholder."""

    start: int
    end: int
    data_class: DataClass
    key: str


class _Flattening(dict[int, str]):
    """Maps each code point to one plain character, so that offsets in the flat text are offsets in the original."""

    def __missing__(self, code: int) -> str:
        plain = _plain(chr(code))
        self[code] = plain
        return plain


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd" or character == "\u2212":
        return "-"
    if category in {"Zs", "Cf"}:
        return " "
    compatible = unicodedata.normalize("NFKC", character)
    return compatible if len(compatible) == 1 else character


_FLATTENING = _Flattening()


def flatten(text: str) -> str:
    r"""The text with every digit, dash and space in its plain form, of exactly the same length.

    >>> flatten("\uff14\uff12\u20142")
    '42-2'
    """
    return text.translate(_FLATTENING)


class _Folding(dict[int, str]):
    """Maps each code point to one lower-case base letter."""

    def __missing__(self, code: int) -> str:
        base = unicodedata.normalize("NFKD", chr(code))[0].lower()
        folded = base if len(base) == 1 else chr(code)
        self[code] = folded
        return folded


_FOLDING = _Folding()


def fold(text: str) -> str:
    """The text in lower case without accents, of exactly the same length.

    >>> fold("Zoë ÁRVÍZ")
    'zoe arviz'
    """
    return text.translate(_FOLDING)
