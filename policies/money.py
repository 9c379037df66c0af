"""Money: an integer of minor units and a currency, with exact arithmetic inside one currency.

There is no float and no division here. The number of decimals follows Stripe, because the amounts that move are
Stripe's: https://docs.stripe.com/currencies#zero-decimal and https://docs.stripe.com/currencies#three-decimal .
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from policies.errors import MoneyError

ZERO_DECIMAL: Final = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"],
)
THREE_DECIMAL: Final = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
TWO_DECIMAL: Final = frozenset(
    [
        "aed",
        "afn",
        "all",
        "amd",
        "ang",
        "aoa",
        "ars",
        "aud",
        "awg",
        "azn",
        "bam",
        "bbd",
        "bdt",
        "bgn",
        "bmd",
        "bnd",
        "bob",
        "brl",
        "bsd",
        "bwp",
        "byn",
        "bzd",
        "cad",
        "cdf",
        "chf",
        "cny",
        "cop",
        "crc",
        "cve",
        "czk",
        "dkk",
        "dop",
        "dzd",
        "egp",
        "etb",
        "eur",
        "fjd",
        "fkp",
        "gbp",
        "gel",
        "gip",
        "gmd",
        "gtq",
        "gyd",
        "hkd",
        "hnl",
        "htg",
        "huf",
        "idr",
        "ils",
        "inr",
        "isk",
        "jmd",
        "kes",
        "kgs",
        "khr",
        "kyd",
        "kzt",
        "lak",
        "lbp",
        "lkr",
        "lrd",
        "lsl",
        "mad",
        "mdl",
        "mkd",
        "mmk",
        "mnt",
        "mop",
        "mur",
        "mvr",
        "mwk",
        "mxn",
        "myr",
        "mzn",
        "nad",
        "ngn",
        "nio",
        "nok",
        "npr",
        "nzd",
        "pab",
        "pen",
        "pgk",
        "php",
        "pkr",
        "pln",
        "qar",
        "ron",
        "rsd",
        "rub",
        "sar",
        "sbd",
        "scr",
        "sek",
        "sgd",
        "shp",
        "sle",
        "sos",
        "srd",
        "std",
        "szl",
        "thb",
        "tjs",
        "top",
        "try",
        "ttd",
        "twd",
        "tzs",
        "uah",
        "ugx",
        "usd",
        "uyu",
        "uzs",
        "wst",
        "xcd",
        "xcg",
        "yer",
        "zar",
        "zmw",
    ],
)
CURRENCIES: Final = ZERO_DECIMAL | THREE_DECIMAL | TWO_DECIMAL
_MAX_MAGNITUDE: Final = 15
"""Powers of ten beyond which a literal is no amount; keeps a hostile exponent from growing digits."""
MAX_MINOR: Final = 999_999_999_999
"""Stripe refuses amounts of more than twelve digits; nothing above it is money here either."""


def exponent(currency: str) -> int:
    """How many decimals the currency's major unit has.

    Raises:
        MoneyError: the currency is not one that Stripe settles.
    """
    if currency in TWO_DECIMAL:
        return 2
    if currency in ZERO_DECIMAL:
        return 0
    if currency in THREE_DECIMAL:
        return 3
    raise MoneyError(
        f"unknown currency {currency!r}: write a lower-case ISO 4217 code that Stripe settles, such as 'usd'",
    )


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount. `minor` may be zero or negative in sums; what moves is checked where it moves."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        exponent(self.currency)
        if isinstance(self.minor, bool) or not isinstance(self.minor, int):
            raise MoneyError(f"amount {self.minor!r} is not an integer of minor units: give 2490 for 24.90 USD")
        if abs(self.minor) > MAX_MINOR:
            raise MoneyError(f"amount {self.minor} is beyond {MAX_MINOR} minor units: check the unit")

    @classmethod
    def parse(cls, literal: str, currency: str) -> Money:
        """Read a decimal literal in major units exactly.

        >>> Money.parse("24.90", "usd")
        Money(minor=2490, currency='usd')
        >>> Money.parse("1200", "jpy")
        Money(minor=1200, currency='jpy')

        Raises:
            MoneyError: not a plain decimal, more decimals than the currency has, or too large.
        """
        decimals = exponent(currency)
        try:
            amount = Decimal(literal.strip())
        except InvalidOperation as error:
            raise MoneyError(f"amount {literal!r} is not a decimal number: write it like '24.90'") from error
        if not amount.is_finite() or abs(amount.adjusted()) > _MAX_MAGNITUDE:
            raise MoneyError(f"amount {literal!r} is out of range: write it like '24.90'")
        scaled = amount.scaleb(decimals)
        if scaled != scaled.to_integral_value():
            raise MoneyError(f"amount {literal!r} has more than {decimals} decimals, which {currency} does not have")
        return cls(int(scaled), currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise MoneyError(f"cannot mix {self.currency} and {other.currency}: decide in one currency at a time")
        return other.minor

    @property
    def major(self) -> Decimal:
        """The exact amount in major units, with the currency's number of decimals."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def __str__(self) -> str:
        """For people and logs: `24.90 USD`."""
        decimals = exponent(self.currency)
        whole, part = divmod(abs(self.minor), 10**decimals)
        sign = "-" if self.minor < 0 else ""
        return f"{sign}{whole}{f'.{part:0{decimals}d}' if decimals else ''} {self.currency.upper()}"
