"""What does not leave: data of people, and what was written for colleagues."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from graph.checks.evidence import Binds, Check, Finding, Reading
from graph.checks.phrases import expression
from graph.checks.spellings import KNOWN, of_day, of_money, without
from graph.redaction.finding import flatten, fold
from graph.redaction.redact import RedactionError, redact

_ID: Final = re.compile(
    r"\b(?:ch|py|re|pi|pm|cus|sub|si|in|du|dp|acct|txn|evt|seti|src|tok|run|eff|art|apr|int)_[A-Za-z0-9_]{6,}\b"
)
_MIN_WORDS: Final = 5


def personal_data(reading: Reading) -> Iterator[Finding]:
    """Addresses, numbers and keys of anybody; and no other person's name in the greeting."""
    evidence, language = reading.evidence, reading.draft.language
    # Facts that look like a telephone number are no finding: an order number, a day, an amount.
    forms = [flatten(one) for one in (*evidence.ground.words, evidence.shop) if one]
    forms += [form for amount in evidence.ground.amounts for form in of_money(amount, language)]
    forms += [form for day in evidence.ground.days for form in of_day(day, language)]
    flat = flatten(reading.own)
    known = without(flat, forms)
    try:
        events = redact(flat).events
    except RedactionError:
        yield Finding("personal_data", "the reply could not be checked for personal data")
        return
    for event in events:
        if set(known[event.start : event.end]) != {KNOWN}:
            reason = f"the reply holds personal data of class {event.data_class.value!r}"
            yield Finding("personal_data", reason, (event.start, event.end))
    if evidence.name and (place := _greets_another(reading.text, evidence.name, language)) is not None:
        yield Finding("personal_data", "the reply greets somebody else", place)


def _greets_another(text: str, name: str, language: str) -> tuple[int, int] | None:
    match = expression("greets", language).match(flatten(text.lstrip()))
    if match is None:
        return None
    greeted = next(group for group in match.groups() if group is not None)
    return None if fold(name) in fold(greeted) else (0, match.end())


def internal(reading: Reading) -> Iterator[Finding]:
    """Vendors' and our ids, words of the trade, and sentences of rules and notes."""
    flat = flatten(reading.own)
    for match in _ID.finditer(flat):
        yield Finding("internal", "an internal id stands in the reply", match.span())
    for match in expression("internal", reading.draft.language).finditer(flat):
        yield Finding("internal", "a word for colleagues stands in the reply", match.span())
    folded = fold(" ".join(flat.split()))
    for one in reading.evidence.internal:
        sentence = fold(" ".join(flatten(one).split())).rstrip(".")
        if sentence in folded and (len(sentence.split()) >= _MIN_WORDS or re.search(r"[-_]", sentence)):
            yield Finding("internal", "what was written for colleagues stands in the reply")


CHECKS: Final = (
    Check(
        "personal_data",
        "nobody's address, number or key stands in it, and it greets its reader",
        Binds.EVERYONE,
        personal_data,
    ),
    Check("internal", "no internal id, rule or note stands in it", Binds.EVERYONE, internal),
)
