"""What the ops lead's pages say: amounts, shares and what became of a wish. Pure."""

from __future__ import annotations

from app.web.formats import Formats
from policies.money import MAX_MINOR, Money

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86400


def money_text(f: Formats, minor: int | None, currency: str) -> str:
    """An amount as its reader writes it. A sum over a history may be larger than what one refund can be."""
    if minor is None:
        return "without bound"
    return f.money(Money(minor, currency)) if abs(minor) <= MAX_MINOR else f"{minor:,} minor units {currency.upper()}"


def major_text(minor: int, currency: str) -> str:
    """The amount as a field of a form holds it: `35`, `24.90`."""
    major = Money(minor, currency).major
    return str(major.to_integral_value() if major == major.to_integral_value() else major)


def percent_text(share: float | None) -> str:
    """A share with one decimal; a dash where there is nothing to divide by."""
    return "–" if share is None else f"{share:.1%}"  # noqa: RUF001 - a dash for people


def duration_text(seconds: int) -> str:
    """A span of a policy: `10 minutes`, `1 day`."""
    for unit_s, unit in ((DAY_S, "day"), (HOUR_S, "hour"), (MINUTE_S, "minute")):
        if seconds >= unit_s and seconds % unit_s == 0:
            count = seconds // unit_s
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"


def sentence(told: object) -> str:
    """What an error says, as a sentence."""
    text = str(told)
    return f"{text[:1].upper()}{text[1:]}."


def done_text(*, changed: bool, share: int | None, is_scheduled: bool) -> str:
    """What became of a wish to let a version decide."""
    if is_scheduled:
        return "It is on the calendar and takes effect by itself."
    if not changed:
        return "It decides already; nothing was changed."
    return "It decides from now on." if share is None else f"It decides {share} % of the tickets from now on."
