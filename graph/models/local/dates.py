"""Full dates in a customer's words. A date without a year, or whose day and month could be swapped, is not guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]{{0,6}}\.?"
_PATTERNS: Final = (
    re.compile(r"(?<!\d)(?P<year>20\d\d)-(?P<month>\d\d)-(?P<day>\d\d)(?!\d)"),
    re.compile(rf"(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH},? (?P<year>20\d\d)(?!\d)", re.IGNORECASE),
    re.compile(rf"\b{_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>20\d\d)(?!\d)", re.IGNORECASE),
)


@dataclass(frozen=True, slots=True)
class StatedDate:
    """A date at code points `[start, end)`."""

    start: int
    end: int
    day: date


def find_dates(text: str) -> list[StatedDate]:
    """Dates with a year, in order of place."""
    found = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            month = match["month"].lower()
            number = int(month) if month.isdigit() else _MONTHS.index(month) + 1
            try:
                day = date(int(match["year"]), number, int(match["day"]))
            except ValueError:  # the 31st of February is no date
                continue
            found.append(StatedDate(match.start(), match.end(), day))
    return sorted(found, key=lambda stated: stated.start)
