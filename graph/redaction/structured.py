"""Recognisers of data with a shape or a check digit: cards, IBANs, e-mail and IP addresses, SSNs, keys and tokens.

Each takes the flat text (see `finding.flatten`) and yields findings in order. They are linear in the text, so that a
message of a megabyte is no attack. Names and addresses of strangers have no shape and are not recognised here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from graph.redaction.finding import DataClass, Finding

_EMAIL: Final = re.compile(r"(?<![\w.%+'-])[\w.%+'-]++@[\w-]++(?:\.[\w-]++)++")
_CALLED_CARD: Final = re.compile(
    r"\b(?:card|cc|visa|master ?card|amex|tarjeta|karte|carte|cart\u00e3o)\b(?P<between>[^\d\n]{0,30})"
    r"(?P<number>\d(?:[ -]?\d){11,18})(?![ -]?\d)",
    re.IGNORECASE,
)
_ORDER_WORD: Final = re.compile(
    r"\b(?:orders?|purchases?|invoices?|bills?|pedido|bestell\w*|commande)\b", re.IGNORECASE
)
_DIGITS: Final = re.compile(r"\d(?:[ .\-]{0,2}\d)*+")
_IBAN_HEAD: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?=[ -]?[A-Za-z0-9])")
_IBAN_WORD: Final = re.compile(r"\biban\b", re.IGNORECASE)
_SSN: Final = re.compile(r"(?<![\d-])(?!000)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\d-])")
_SSN_BARE: Final = re.compile(r"\b(?:ssn|social security)[^\d\n]{0,30}(\d{9})(?!\d)", re.IGNORECASE)
_IPV4: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)")
_IPV6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{4,39}(?![\w:])")
_CVC: Final = re.compile(
    r"\b(?:cvc2?|cvv2?|cvn|security code|card code|(?:3|three|4|four) digits?)\b"
    r"[^\d\n]{0,20}(\d{3,4})(?!\d)",
    re.IGNORECASE,
)
_SECRETS: Final = (
    re.compile(r"\b(?:sk|rk)_(?:live|test)_\w{8,}+|\bwhsec_\w{8,}+|\b(?:pi|seti|cs)_\w{8,200}?_secret_\w{8,}+"),
    re.compile(
        r"\bsk-[\w-]{16,}+|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{20,}+|\bxox[abprs]-[\w-]{10,}+|\bAIza[\w-]{30,}+"
    ),
    re.compile(r"\beyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]++)?"),
    re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*+(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"),
    re.compile(r"(?i:\bbearer )[\w.~+/=-]{16,}+"),
)
_LABELLED_SECRET: Final = re.compile(
    r"(?i:\b(?:pass ?word|passwd|passwort|contrase\u00f1a|mot de passe|senha|api[ _-]?key|secret|token)\b"
    r"\s{0,3}[:=]\s{0,3})(\S{4,200})"
)

MIN_CARD_DIGITS: Final = 12
MAX_CARD_DIGITS: Final = 19
_MAX_ORDER_DIGITS: Final = 15
_MAX_PIECES: Final = 24
_MIN_IPV6_GROUPS: Final = 3

# Lengths by issuer range, https://en.wikipedia.org/wiki/Payment_card_number : the range keeps order numbers, of which
# one in ten passes the check digit, from looking like cards.
_ISSUERS: Final[tuple[tuple[re.Pattern[str], frozenset[int]], ...]] = (
    (re.compile(r"4"), frozenset({13, 16, 19})),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), frozenset({16})),
    (re.compile(r"3[47]"), frozenset({15})),
    (re.compile(r"30[0-5]|3095|36|3[89]"), frozenset({14, 16, 19})),
    (re.compile(r"6011|64[4-9]|65|622"), frozenset({16, 17, 18, 19})),
    (re.compile(r"35"), frozenset({16, 17, 18, 19})),
    (re.compile(r"2131|1800"), frozenset({15})),
    (re.compile(r"50|5[6-8]|6304|639|67|60"), frozenset(range(12, 20))),
    (re.compile(r"62|81|220[0-4]"), frozenset({16, 17, 18, 19})),
)

# https://www.swift.com/standards/data-standards/iban-international-bank-account-number
_IBAN_LENGTHS: Final = {
    country: int(length)
    for country, length in (
        pair.split(":")
        for pair in [
            "AD:24",
            "AE:23",
            "AL:28",
            "AT:20",
            "AZ:28",
            "BA:20",
            "BE:16",
            "BG:22",
            "BH:22",
            "BI:27",
            "BR:29",
            "BY:28",
            "CH:21",
            "CR:22",
            "CY:28",
            "CZ:24",
            "DE:22",
            "DJ:27",
            "DK:18",
            "DO:28",
            "EE:20",
            "EG:29",
            "ES:24",
            "FI:18",
            "FK:18",
            "FO:18",
            "FR:27",
            "GB:22",
            "GE:22",
            "GI:23",
            "GL:18",
            "GR:27",
            "GT:28",
            "HR:21",
            "HU:28",
            "IE:22",
            "IL:23",
            "IQ:23",
            "IS:26",
            "IT:27",
            "JO:30",
            "KW:30",
            "KZ:20",
            "LB:28",
            "LC:32",
            "LI:21",
            "LT:20",
            "LU:20",
            "LV:21",
            "LY:25",
            "MC:27",
            "MD:24",
            "ME:22",
            "MK:19",
            "MN:20",
            "MR:27",
            "MT:31",
            "MU:30",
            "NI:28",
            "NL:18",
            "NO:15",
            "OM:23",
            "PK:24",
            "PL:28",
            "PS:29",
            "PT:25",
            "QA:29",
            "RO:24",
            "RS:22",
            "RU:33",
            "SA:24",
            "SC:31",
            "SD:18",
            "SE:24",
            "SI:19",
            "SK:24",
            "SM:27",
            "SO:23",
            "ST:25",
            "SV:28",
            "TL:23",
            "TN:24",
            "TR:26",
            "UA:29",
            "VA:22",
            "VG:24",
            "XK:20",
            "YE:30",
        ]
    )
}


def passes_luhn(digits: str) -> bool:
    """Whether the last digit checks the others, https://www.iso.org/standard/70484.html (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2  # noqa: PLR2004 -- 2 * 5 is the first of two digits
        total += value
    return total % 10 == 0


def is_card_number(digits: str) -> bool:
    """Whether an issuer gives out numbers with this beginning and length, and the check digit is right."""
    return any(len(digits) in lengths and head.match(digits) for head, lengths in _ISSUERS) and passes_luhn(digits)


def find_emails(flat: str) -> Iterator[Finding]:
    """Addresses with a dot in their domain."""
    for match in _EMAIL.finditer(flat):
        yield Finding(match.start(), match.end(), DataClass.EMAIL, match.group().lower())


def find_cards(flat: str) -> Iterator[Finding]:
    """Card numbers in one piece or in groups, also where another number stands right before or after."""
    for run in _DIGITS.finditer(flat):
        if run.end() - run.start() >= MIN_CARD_DIGITS:
            yield from (card for card in _cards_in_run(run.group(), run.start()) if not _is_order(flat, card))
    # A mistyped card number is still one where the customer calls it that.
    for match in _CALLED_CARD.finditer(flat):
        if not _ORDER_WORD.search(match["between"]):
            yield Finding(
                match.start("number"), match.end("number"), DataClass.CARD, re.sub(r"\D", "", match["number"])
            )


def _is_order(flat: str, card: Finding) -> bool:
    # Up to fifteen digits, one order number in ten passes for an old card; sixteen and more are never let through.
    is_short = len(card.key) <= _MAX_ORDER_DIGITS
    return is_short and bool(_ORDER_WORD.search(flat, max(0, card.start - 24), card.start))


def _cards_in_run(run: str, offset: int) -> Iterator[Finding]:
    pieces = [(piece.start(), piece.end(), piece.group()) for piece in re.finditer(r"\d+", run)]
    first = 0
    while first < len(pieces):
        last = _last_piece_of_card(pieces, first)
        if last is None:
            first += 1
            continue
        key = "".join(digits for _, _, digits in pieces[first : last + 1])
        yield Finding(offset + pieces[first][0], offset + pieces[last][1], DataClass.CARD, key)
        first = last + 1


def _last_piece_of_card(pieces: list[tuple[int, int, str]], first: int) -> int | None:
    digits, found = "", None
    lengths = _lengths_of_issuer("".join(piece[2] for piece in pieces[first : first + 4]))
    if not lengths:
        return None
    for index in range(first, min(first + _MAX_PIECES, len(pieces))):
        digits += pieces[index][2]
        if len(digits) > MAX_CARD_DIGITS:
            break
        if len(digits) in lengths and is_card_number(digits):
            found = index
    return found


def _lengths_of_issuer(digits: str) -> frozenset[int]:
    return frozenset[int]().union(*(lengths for head, lengths in _ISSUERS if head.match(digits)))


def find_ibans(flat: str) -> Iterator[Finding]:
    """Account numbers of the country's length whose check digits are right, or that are called an IBAN."""
    for head in _IBAN_HEAD.finditer(flat):
        length = _IBAN_LENGTHS.get(head.group()[:2].upper())
        if length is None:
            continue
        value, end = _read_iban(flat, head.start(), length)
        if len(value) < length or flat[end : end + 1].isalnum():
            continue
        if _passes_mod_97(value) or _IBAN_WORD.search(flat, max(0, head.start() - 30), head.start()):
            yield Finding(head.start(), end, DataClass.IBAN, value)


def _read_iban(flat: str, start: int, length: int) -> tuple[str, int]:
    value, place = "", start
    while len(value) < length and place < len(flat):
        character = flat[place]
        if character.isascii() and character.isalnum():
            value += character.upper()
        elif character not in " -" or flat[place - 1] in " -":
            break
        place += 1
    return value, place


def _passes_mod_97(iban: str) -> bool:
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def find_ssns(flat: str) -> Iterator[Finding]:
    """United States social security numbers, in groups or after their name."""
    for match in _SSN.finditer(flat):
        yield Finding(match.start(), match.end(), DataClass.SSN, re.sub(r"\D", "", match.group()))
    for match in _SSN_BARE.finditer(flat):
        yield Finding(match.start(1), match.end(1), DataClass.SSN, match.group(1))


def find_ips(flat: str) -> Iterator[Finding]:
    """IPv4 and IPv6 addresses."""
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(flat):
            if _is_ip(match.group()):
                yield Finding(match.start(), match.end(), DataClass.IP, match.group().lower())


def _is_ip(candidate: str) -> bool:
    # "d::" and "std::" parse as addresses and are none.
    if ":" in candidate and sum(1 for group in candidate.split(":") if group) < _MIN_IPV6_GROUPS:
        return False
    try:
        ipaddress.ip_address(candidate)
    except ValueError:
        return False
    return True


def find_secrets(flat: str) -> Iterator[Finding]:
    """Vendors' keys, tokens, private keys and values written after the word for one."""
    for pattern in _SECRETS:
        for match in pattern.finditer(flat):
            yield Finding(match.start(), match.end(), DataClass.SECRET, match.group())
    for match in _LABELLED_SECRET.finditer(flat):
        yield Finding(match.start(1), match.end(1), DataClass.SECRET, match.group(1))


def find_cvcs(flat: str) -> Iterator[Finding]:
    """A card's security code after its name; the digits alone have no shape."""
    for match in _CVC.finditer(flat):
        yield Finding(match.start(1), match.end(1), DataClass.CVC, match.group(1))
