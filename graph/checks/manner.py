"""How a reply is written: whole, in the customer's language, civil, and without words that a court would keep."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from lingua import IsoCode639_1, LanguageDetector, LanguageDetectorBuilder

from graph.checks.evidence import Binds, Check, Finding, Reading
from graph.checks.phrases import expression
from graph.checks.spellings import places
from graph.redaction.finding import flatten

MAX_CHARACTERS: Final = 6_000
_SLOT: Final = re.compile(
    r"\$?\{+[^{}\n]{0,60}\}+|\{\{|\}\}|\[\[|\]\]|\$[a-z_]{3,}|<[a-z_ ]{3,30}>|"
    r"\[(?:[A-Z]{2,}(?:_\d+)?|(?:your|insert|customer|order|date|amount|name)[^\]\n]{0,40})\]|"
    r"\bTODO\b|\bXX+\b|lorem ipsum",
)
_TAG: Final = re.compile(r"</?[a-zA-Z!][^>\n]*>|&(?:#\d+|#x[0-9a-f]+|nbsp|lt|gt|amp);|!?\[[^\]\n]*\]\([^)\n]*\)|```")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_SHOUTED: Final = re.compile(r"\b[A-Z]{4,}(?:[ ,]+[A-Z]{2,})+\b")
_EXCLAIMED: Final = re.compile(r"[!\uff01]{2,}|\?!|[!\uff01][^!\uff01]*[!\uff01][^!\uff01]*[!\uff01]", re.DOTALL)
_LANGUAGES: Final = ("EN", "ES", "FR", "DE", "PT", "JA", "IT", "NL", "SV", "PL", "RU", "TR", "ZH", "KO")
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_ENOUGH_WORDS: Final = 6
_ENOUGH_SIGNS: Final = 8
_MIN_CONFIDENCE: Final = 0.1


def shape(reading: Reading) -> Iterator[Finding]:
    """Something to read, of a length that is read, as plain text."""
    text = reading.text
    if not text.strip():
        yield Finding("shape", "the reply is empty")
    if len(text) > MAX_CHARACTERS:
        yield Finding("shape", f"the reply has {len(text)} characters, more than {MAX_CHARACTERS}")
    for match in _TAG.finditer(text):
        yield Finding("shape", "markup stands in the reply, which is plain text", match.span())
    for index, character in enumerate(text):
        if character not in "\n\t" and unicodedata.category(character) in _INVISIBLE:
            yield Finding("shape", "an invisible character stands in the reply", (index, index + 1))
            return


def slots(reading: Reading) -> Iterator[Finding]:
    """Nothing is left to be filled in."""
    for place in places(_SLOT, reading.text):
        yield Finding("slots", "a slot is not filled", place)


def admissions(reading: Reading) -> Iterator[Finding]:
    """No confession of guilt or liability."""
    for place in places(expression("admissions", reading.draft.language), flatten(reading.own)):
        yield Finding("admission", "the reply admits liability", place)


def tone(reading: Reading) -> Iterator[Finding]:
    """No shouting, no blame, no phrases of machines, and one apology at most."""
    flat, language = flatten(reading.own), reading.draft.language
    for pattern in (_SHOUTED, _EXCLAIMED):
        for place in places(pattern, flat):
            yield Finding("tone", "the reply shouts", place)
    for place in places(expression("harsh", language), flat):
        yield Finding("tone", "the reply blames or belittles the customer", place)
    for place in places(expression("machine", language), flat):
        yield Finding("tone", "the reply holds a phrase that only machines write", place)
    for place in list(places(expression("sorry", language), flat))[1:]:
        yield Finding("tone", "the reply apologises more than once", place)


def language(reading: Reading) -> Iterator[Finding]:
    """Every paragraph that is long enough to tell is in the reply's language. What is quoted keeps its own."""
    for match in re.finditer(r"[^\n]+", reading.own):
        if _is_foreign(match.group(), reading.draft.language):
            yield Finding("language", "a part of the reply is in another language", match.span())


@lru_cache(maxsize=1_024)
def _is_foreign(line: str, code: str) -> bool:
    """A reply is looked at when it is drafted and when it is sent, and most of its lines are those of other replies."""
    if code == "ja":
        signs = [one for one in line if one.isalpha()]
        native = sum(1 for one in signs if not one.isascii())
        return len(signs) >= _ENOUGH_SIGNS * 3 and native * 3 < len(signs)
    if len(_WORD.findall(line)) < _ENOUGH_WORDS:
        return sum(1 for one in line if one.isalpha() and ord(one) > 0x2E7F) >= _ENOUGH_SIGNS  # noqa: PLR2004 -- CJK
    # Names and figures say nothing about a language, and one name may outweigh six words.
    language_of_reply = IsoCode639_1.from_str(code.upper())
    ranked = _detector().compute_language_confidence_values(" ".join(_WORD.findall(line)))
    ours = next((one.value for one in ranked if one.language.iso_code_639_1 == language_of_reply), 0.0)
    return ours < _MIN_CONFIDENCE


@lru_cache(maxsize=1)
def _detector() -> LanguageDetector:
    codes = [getattr(IsoCode639_1, code) for code in _LANGUAGES]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*codes).with_low_accuracy_mode().build()


CHECKS: Final = (
    Check("shape", "it is plain text of a length that is read", Binds.EVERYONE, shape),
    Check("slots", "nothing is left to be filled in", Binds.EVERYONE, slots),
    Check("admission", "it admits no liability", Binds.EVERYONE, admissions),
    Check("language", "it is in the customer's language throughout", Binds.AGENT, language),
    Check("tone", "it neither shouts nor blames, and sounds like a person", Binds.AGENT, tone),
)
