"""E-mail addresses in one spelling, so that nobody has two accounts or none because of a capital letter.

ASCII only: two addresses that look alike would be two people, and a capital letter elsewhere may fold into another one.
"""

from __future__ import annotations

import re
from typing import Final

from app.errors import UsageError

LONGEST: Final = 254
_ADDRESS: Final = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+")


def spelled(address: str) -> str:
    """The address as it would be stored: without blanks around it, in lower case. It may be none."""
    return address.strip().lower() if address.isascii() else address


def is_address(text: str) -> bool:
    """Whether the text is an address in its stored spelling."""
    return len(text) <= LONGEST and _ADDRESS.fullmatch(text) is not None


def checked(address: str) -> str:
    """The address in one spelling.

    Raises:
        UsageError: it is none.
    """
    found = spelled(address)
    if not is_address(found):
        raise UsageError(f"{address[:80]!r} is not an e-mail address; write it as name@shop.example")
    return found
