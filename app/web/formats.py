"""Money, days and times as their reader writes them: the locale that the browser asks for, and its time zone.

https://www.rfc-editor.org/rfc/rfc9110#field.accept-language
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_currency
from starlette.requests import Request

from policies.money import Money

DEFAULT: Final = Locale("en", "US")
ZONE_HEADER: Final = "x-time-zone"
ZONE_COOKIE: Final = "countersign-zone"
"""What the panel's script knows of the browser, and tells; it is no secret and decides nothing but how times look."""

_LONGEST: Final = 64


@dataclass(frozen=True, slots=True)
class Formats:
    """How one reader writes things."""

    locale: Locale
    zone: tzinfo
    now: datetime

    def money(self, money: Money) -> str:
        """`$24.90`, `24,90 €`, `￥3,000`."""
        return format_currency(money.major, money.currency.upper(), locale=self.locale)

    def moment(self, at: datetime) -> str:
        """Day and time with the zone, for whoever wants it exactly."""
        return format_datetime(at.astimezone(self.zone), "d MMM yyyy, HH:mm:ss z", locale=self.locale)

    def day(self, at: datetime) -> str:
        """`18 Nov`, with the year where it is another one."""
        local = at.astimezone(self.zone)
        skeleton = "MMMd" if local.year == self.now.astimezone(self.zone).year else "yMMMd"
        return str(format_date(local.date(), self.locale.datetime_skeletons[skeleton].pattern, locale=self.locale))

    def ago(self, at: datetime) -> str:
        """`3 days ago`, `in 10 minutes`."""
        delta = at - self.now
        if abs(delta) < timedelta(seconds=5):
            delta = timedelta(seconds=-1)  # nothing is "in 0 seconds"
        return format_timedelta(delta, add_direction=True, locale=self.locale)


def formats_of(request: Request, now: datetime) -> Formats:
    """The formats of whoever asks; English and UTC where the browser says nothing that is known."""
    return Formats(_locale(request.headers.get("accept-language", "")), _zone(request), now)


def _locale(wanted: str) -> Locale:
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(wanted[:500].split(",")):
        name, _, quality = part.strip().partition(";q=")
        try:
            ranked.append((-float(quality or 1), place, name.strip()))
        except ValueError:
            continue
    for _, _, name in sorted(ranked):
        try:
            return Locale.parse(name, sep="-")
        except (ValueError, TypeError, UnknownLocaleError):
            continue
    return DEFAULT


def _zone(request: Request) -> tzinfo:
    name = request.headers.get(ZONE_HEADER) or request.cookies.get(ZONE_COOKIE) or ""
    try:
        return ZoneInfo(name) if 0 < len(name) <= _LONGEST else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
