"""Amounts, days and numbers: each must be one that code read, or stand in a section that the reply cites.

The text is searched from the particular to the general, and what one check has named the next does not name again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from babel import Locale

from graph.checks.evidence import Binds, Check, Finding, Reading
from graph.checks.phrases import expression
from graph.checks.spellings import KNOWN, of_day, of_money, places, without
from graph.redaction.finding import flatten
from graph.replies.render import LOCALES, bank_time
from policies.money import CURRENCIES

_CODES: Final = "|".join(sorted(code.upper() for code in CURRENCIES))
_WORDS: Final = (
    r"dollars?|bucks|cents?|euros?|pounds?|quid|yen|reais|real|pesos?|d\u00f3lares|d\u00f3lar|libras?|francs?|"
    r"Dollar|Pfund|\u30c9\u30eb|\u30e6\u30fc\u30ed|\u5186"
)
_AMOUNT: Final = re.compile(
    rf"(?:[$\u20ac\u00a3\u00a5\u20b9\u20a9]|\b(?:{_CODES})\b)\s?\d[\d.,]*|"
    rf"\d[\d.,]*\s?(?:[$\u20ac\u00a3\u00a5\u20b9\u20a9\u5186\u5143]|\b(?:{_CODES})\b|(?:{_WORDS})\b|\u30c9\u30eb|\u30e6\u30fc\u30ed)"
)
_NUMERIC_DAY: Final = re.compile(
    r"\b\d{4}[-/.]\d{1,2}[-/.]\d{1,2}\b|\b\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})\b|\d{1,2}\u6708\d{1,2}\u65e5"
)
_NUMBER: Final = re.compile(r"\d[\d.,]*\s?%?")
_LISTED: Final = re.compile(r"^[ \t]*\d{1,2}[.)](?=\s)", re.MULTILINE)
_TOKEN: Final = re.compile(r"\d[\d.,]*\d|\d")
_PERCENT: Final = re.compile(
    r"\s?(?:%|per ?cent|prozent|por ciento|pour cent|por cento|\u30d1\u30fc\u30bb\u30f3\u30c8)", re.IGNORECASE
)


def unknown_amounts(reading: Reading) -> Iterator[Finding]:
    """Amounts of money that are neither a fact nor in a cited section."""
    for place in places(_AMOUNT, _without_money(reading)):
        yield Finding("amounts", "an amount stands in the reply that no fact and no cited section holds", place)


def unknown_days(reading: Reading) -> Iterator[Finding]:
    """Days, by date or in words, that are neither a fact nor in a cited section."""
    for place in places(_days(reading.draft.language), _without_words(reading)):
        yield Finding("dates", "a day or a time is named that no fact and no cited section holds", place)


def unknown_numbers(reading: Reading) -> Iterator[Finding]:
    """Whatever else has digits, or counts in words."""
    language = reading.draft.language
    left = without(_blank(_days(language), _without_words(reading)), _numbers_of_sections(reading))
    for place in (*places(_NUMBER, left), *places(expression("counted", language), left)):
        yield Finding("numbers", "a number stands in the reply that no fact and no cited section holds", place)


def _without_money(reading: Reading) -> str:
    """The flat text without known amounts and days, and without numbers that only count its lines."""
    language, evidence = reading.draft.language, reading.evidence
    forms: list[str] = []
    for amount in evidence.ground.amounts | evidence.refunded:
        forms += of_money(amount, language)
    for day in evidence.ground.days:
        forms += of_day(day, language)
    for text in _cited_texts(reading):
        for pattern in (_AMOUNT, _days(language), expression("counted", language)):
            forms += [match.group() for match in pattern.finditer(text)]
    flat = _LISTED.sub(lambda match: " " * len(match.group()), flatten(reading.own))
    return without(flat, forms)


def _without_words(reading: Reading) -> str:
    """What is left when amounts, known or not, and known words are gone: order numbers, cards, goods."""
    evidence = reading.evidence
    words = [*evidence.ground.words, evidence.shop, evidence.name, bank_time(reading.draft.language)]
    return without(_blank(_AMOUNT, _without_money(reading)), (flatten(one) for one in words))


def _numbers_of_sections(reading: Reading) -> Iterator[str]:
    for text in _cited_texts(reading):
        for match in _TOKEN.finditer(text):
            share = _PERCENT.match(text, match.end())
            yield match.group() + (share.group() if share else "")


def _cited_texts(reading: Reading) -> Iterator[str]:
    for cited in reading.draft.cites:
        section = reading.evidence.sections.named(cited)
        if section is not None:
            yield flatten(section.text)


def _blank(pattern: re.Pattern[str], flat: str) -> str:
    return pattern.sub(lambda match: KNOWN * len(match.group()), flat)


@cache
def _days(language: str) -> re.Pattern[str]:
    """Dates in figures, months beside a number, weekdays, and words such as "tomorrow"."""
    locale = Locale.parse(LOCALES[language])
    months = "|".join(
        sorted(
            (
                re.escape(flatten(name).rstrip("."))
                for width in ("wide", "abbreviated")
                for name in locale.months["format"][width].values()
            ),
            key=len,
            reverse=True,
        )
    )
    weekdays = "|".join(re.escape(flatten(name)) for name in locale.days["format"]["wide"].values())
    named = (
        rf"\b\d{{1,2}}(?:st|nd|rd|th|er|\.|\u00ba)?(?: (?:of|de|du))? (?:{months})\b|\b(?:{months})\.? \d{{1,2}}\b|"
        rf"(?:{months})\d{{1,2}}\u65e5"
    )
    edge = "" if language == "ja" else r"\b"
    return re.compile(
        rf"{_NUMERIC_DAY.pattern}|{named}|{edge}(?:{weekdays}){edge}|{expression('soon', language).pattern}",
        re.IGNORECASE,
    )


CHECKS: Final = (
    Check(
        "amounts",
        "every amount of money is a fact, a verdict's, or stands in a cited section",
        Binds.AGENT,
        unknown_amounts,
    ),
    Check("dates", "every day and every time by which something happens is a fact", Binds.AGENT, unknown_days),
    Check("numbers", "every other number is a fact or stands in a cited section", Binds.AGENT, unknown_numbers),
)
