"""Words without the person who wrote them: redacted, then filled with people, addresses and orders that nobody has.

Names of third people are hidden where what stands beside them tells that they are names; others stay. Whoever hands a
scenario on reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from graph.redaction.profile import KnownProfile, find_known
from graph.redaction.redact import redact

NAMES: Final = ("Robin Vale", "Kim Sutter", "Alex Moor", "Sam Holt")
STRANGERS: Final = ("Jo Ashby", "Lee Corran", "Max Tilden", "Pat Weller")
EMAIL: Final = "robin.vale@customers.example"
FIRST_ORDER: Final = 1001
_PLACEHOLDER: Final = re.compile(r"\[(NAME|EMAIL|PHONE|ADDRESS)_(\d{1,6})\]")


@dataclass(frozen=True, slots=True)
class Mask:
    """Hides one customer: their own data, and the numbers of their orders.

    Args:
        known: what is known of them.
        orders: a number that nobody has for each of their orders'.
        strangers: names of third people in their words.
    """

    known: KnownProfile
    orders: Mapping[str, str] = field(default_factory=dict)
    strangers: tuple[str, ...] = ()

    def hidden(self, text: str) -> str:
        """The text without the customer.

        Raises:
            RedactionError: personal data is still there after redaction, or redaction broke.
        """
        safe = redact(self._without_strangers(text), self.known).text
        for number in sorted(self.orders, key=len, reverse=True):
            pattern = rf"(?<![A-Za-z0-9]){re.escape(number)}(?![A-Za-z0-9])"
            safe = re.sub(pattern, f"\0{self.orders[number]}\0", safe, flags=re.IGNORECASE)
        return _PLACEHOLDER.sub(_invented, safe).replace("\0", "")

    def _without_strangers(self, text: str) -> str:
        for place, name in enumerate(self.strangers):
            spans = {(one.start, one.end) for one in find_known(text, KnownProfile(names=(name,)))}
            end = len(text)
            for start, stop in sorted(spans, key=lambda span: (-span[1], span[0])):
                if stop <= end:
                    text, end = text[:start] + STRANGERS[place % len(STRANGERS)] + text[stop:], start
        return text


def numbered(orders: list[str]) -> dict[str, str]:
    """A number that nobody has for each order.

    >>> numbered(["AB-77", "78"])
    {'AB-77': '1001', '78': '1002'}
    """
    return {order: str(FIRST_ORDER + place) for place, order in enumerate(dict.fromkeys(orders))}


def _invented(found: re.Match[str]) -> str:
    number = int(found[2])
    match found[1]:
        case "NAME":
            return NAMES[(number - 1) % len(NAMES)]
        case "EMAIL":
            return EMAIL if number == 1 else f"person{number}@customers.example"
        case "PHONE":
            return f"+1 202 555 01{number % 100:02}"
        case _:
            return f"{number} Example Street"
