"""How code writes a value, in every form that a reader takes for the same, and a text with those forms taken out.

What is left of a text after all known values are taken out is what nobody vouches for. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from itertools import groupby
from typing import Final

from babel.dates import format_date
from babel.numbers import format_currency

from graph.redaction.finding import flatten
from graph.replies.render import LOCALES
from policies.money import Money

KNOWN: Final = "\ue000"
"""Stands in a text for each character of a known value: no letter, no digit, in no language."""
_AFTER_LATIN: Final = "\u0250"
_NO_WORD_BEFORE: Final = r"(?<![A-Za-z\u00c0-\u024f])"
_NO_WORD_AFTER: Final = r"(?![A-Za-z\u00c0-\u024f])"
_NAMED: Final = {"usd": ("US$",), "jpy": ("\u5186",)}


@lru_cache(maxsize=4_096)
def of_money(amount: Money, language: str) -> tuple[str, ...]:
    """An amount with its currency, as the language's readers write it, and with the currency's code."""
    code = amount.currency.upper()
    written = {format_currency(amount.major, code, locale=LOCALES[name]) for name in (language, "en")}
    bare = {re.sub(r"[^\d.,]", "", one) for one in written}
    if amount.major == int(amount.major):
        bare |= {f"{int(amount.major)}", f"{int(amount.major):,}"}
    forms = {
        f"{one}{space}{mark}" for one in bare for space in ("", " ") for mark in (code, *_NAMED.get(code.lower(), ()))
    }
    forms |= {
        f"{mark}{space}{one}" for one in bare for space in ("", " ") for mark in (code, *_NAMED.get(code.lower(), ()))
    }
    symbol = re.sub(r"[\d.,\s]", "", format_currency(1, code, locale=LOCALES["en"]))
    forms |= {f"{symbol}{one}" for one in bare} | {f"{one} {symbol}" for one in bare}
    return tuple(sorted({flatten(one) for one in written | forms}, key=lambda one: (-len(one), one)))


@lru_cache(maxsize=4_096)
def of_day(day: date, language: str) -> tuple[str, ...]:
    """A day, as the language's readers write it."""
    formats = ("full", "long", "medium", "short", "MMMM d", "d MMMM", "d. MMMM")
    written = {format_date(day, format=one, locale=LOCALES[language]) for one in formats}
    written |= {day.isoformat(), day.isoformat().replace("-", "/")}
    if language == "pt":
        written |= {format_date(day, format="d 'de' MMMM 'de' y", locale=LOCALES["pt"])}
    return tuple(sorted({flatten(one) for one in written}, key=lambda one: (-len(one), one)))


def without(flat: str, known: Iterable[str]) -> str:
    """The text, of the same length, with every known form taken out; a form never matches inside a longer number."""
    forms = frozenset(one.strip() for one in known if one.strip())
    return _any_of(forms).sub(lambda match: KNOWN * len(match.group()), flat) if forms else flat


@lru_cache(maxsize=64)
def _any_of(forms: frozenset[str]) -> re.Pattern[str]:
    """The longest form first. Compiling takes longer than searching, and the checks of one reply share their forms.

    Neighbours with the same ends share what stands around them: that is half of what compiling takes.
    """
    ordered = sorted(forms, key=lambda one: (-len(one), one))
    parts = "|".join(
        f"{_NO_WORD_BEFORE if begins else ''}(?:{'|'.join(map(re.escape, alike))}){_NO_WORD_AFTER if ends else ''}"
        for (begins, ends), alike in groupby(ordered, key=_is_latin_at_ends)
    )
    not_inside = r"(?<![\d.,])(?<!\d[-/])"
    return re.compile(rf"{not_inside}(?:{parts})(?![.,]?\d)(?![-/]\d)(?!\s?(?:%|per ?cent))", re.IGNORECASE)


def _is_latin_at_ends(form: str) -> tuple[bool, bool]:
    """A form that ends in Latin letters matches no part of a word; Japanese puts no space around a name."""
    begins, ends = (one.isalpha() and one < _AFTER_LATIN for one in (form[0], form[-1]))
    return begins, ends


def places(pattern: re.Pattern[str], flat: str) -> Iterator[tuple[int, int]]:
    """Where an expression stands in a flat text; offsets are those of the text itself."""
    for match in pattern.finditer(flat):
        yield match.start(), match.end()
