"""Redaction of a text: personal data becomes numbered placeholders, and a doubt becomes an error.

The same value gets the same placeholder within one text (`[EMAIL_1]`). Order numbers survive, because the answer needs
them. It opens no socket and keeps no value. It fails closed: where a recogniser breaks, or where personal data is still
found in its own output, it raises `RedactionError` and the caller has no text to pass on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from graph.redaction.addresses import find_addresses
from graph.redaction.finding import DataClass, Finding, flatten
from graph.redaction.phones import find_phones
from graph.redaction.profile import KnownProfile, find_known
from graph.redaction.structured import (
    find_cards,
    find_cvcs,
    find_emails,
    find_ibans,
    find_ips,
    find_secrets,
    find_ssns,
)

_RECOGNISERS: Final[tuple[Callable[[str], Iterator[Finding]], ...]] = (
    find_secrets,
    find_emails,
    find_ibans,
    find_cards,
    find_cvcs,
    find_ssns,
    find_ips,
    find_addresses,
    find_phones,
)
_CHECKED_AGAIN: Final[tuple[Callable[[str], Iterator[Finding]], ...]] = (find_emails, find_ibans, find_cards, find_ssns)
_PRIORITY: Final = {data_class: place for place, data_class in enumerate(DataClass)}
_PLACEHOLDER: Final = re.compile(r"\[(" + "|".join(name.name for name in DataClass) + r")_(\d{1,6})\]")


class RedactionError(Exception):
    """The text could not be made safe. No model call and no log line may carry it; hand the ticket to a person."""


@dataclass(frozen=True, slots=True)
class RedactionEvent:
    """That a value of a class stood at code points `[start, end)` of the input; never the value itself."""

    data_class: DataClass
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Redacted:
    """The safe text, and what was taken out of it in order of place."""

    text: str
    events: tuple[RedactionEvent, ...]


def redact(text: str, known: KnownProfile | None = None) -> Redacted:
    """Replace personal data by placeholders such as `[CARD_1]`.

    >>> redact("card 4242 4242 4242 4242, order 1042").text
    'card [CARD_1], order 1042'

    Args:
        text: any text, of any length; time grows linearly with it.
        known: the requester's own data, to be found again.

    Raises:
        RedactionError: a recogniser broke, or the output still holds a card, an IBAN, an e-mail address or an SSN.
    """
    try:
        findings = _without_overlaps(text, known or KnownProfile())
        redacted = _replace(text, findings)
        leftover = next(chain.from_iterable(find(flatten(redacted.text)) for find in _CHECKED_AGAIN), None)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, re.error) as error:
        raise RedactionError(f"redaction broke on a {type(error).__name__!r}: hand the ticket to a person") from error
    if leftover is not None:
        raise RedactionError(
            f"{leftover.data_class.value!r} is still there after redaction: hand the ticket to a person"
        )
    return redacted


def _without_overlaps(text: str, known: KnownProfile) -> list[Finding]:
    flat = flatten(text)
    found = [*chain.from_iterable(find(flat) for find in _RECOGNISERS), *find_known(text, known)]
    found.sort(key=lambda finding: (_PRIORITY[finding.data_class], finding.start, -finding.end))
    taken = bytearray(len(text))
    kept = []
    for finding in found:
        if taken.find(1, finding.start, finding.end) == -1:
            taken[finding.start : finding.end] = b"\x01" * (finding.end - finding.start)
            kept.append(finding)
    return sorted(kept, key=lambda finding: finding.start)


def _replace(text: str, findings: list[Finding]) -> Redacted:
    numbers = _numbers_in_use(text)
    placeholders: dict[tuple[DataClass, str], str] = {}
    pieces, place = [], 0
    for finding in findings:
        identity = (finding.data_class, finding.key)
        if identity not in placeholders:
            numbers[finding.data_class] = numbers.get(finding.data_class, 0) + 1
            placeholders[identity] = f"[{finding.data_class.name}_{numbers[finding.data_class]}]"
        pieces += [text[place : finding.start], placeholders[identity]]
        place = finding.end
    pieces.append(text[place:])
    events = tuple(RedactionEvent(finding.data_class, finding.start, finding.end) for finding in findings)
    return Redacted("".join(pieces), events)


def _numbers_in_use(text: str) -> dict[DataClass, int]:
    """A customer may type a placeholder; numbering goes on after it, so that theirs never stands for our value."""
    numbers: dict[DataClass, int] = {}
    for match in _PLACEHOLDER.finditer(text):
        data_class = DataClass[match.group(1)]
        numbers[data_class] = max(numbers.get(data_class, 0), int(match.group(2)))
    return numbers
