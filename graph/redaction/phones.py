"""Telephone numbers, told from order numbers by their grouping and by the words around them.

A number in groups of digits is a telephone number unless it is a date, an amount or called an order; a number in one
piece is one only beside a word such as "call". `phonenumbers` (Google's metadata, offline) checks what it can know:
whether a country has numbers of that length. Order numbers survive, at the price of a bare number without any context.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import phonenumbers

from graph.redaction.finding import DataClass, Finding

_CANDIDATE: Final = re.compile(
    r"(?<![\w#$@/.-])(?P<number>(?:\+|\(\+?)?\d(?:[ .\-/()]{0,3}\d){5,16}+)"
    r"(?:[ ,]{0,2}(?:x|ext\.?|extension|poste|durchwahl|ramal)[ .]?\d{1,6})?+(?![\w@%]|[.,]\d)",
    re.IGNORECASE,
)
_DATE: Final = re.compile(
    r"(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2}))(?:[ ]\d{1,2}(?:[ .]\d{2})?)?"
)
_MONEY_BEFORE: Final = re.compile(r"(?:[$\u20ac\u00a3\u00a5]|\b(?:usd|eur|gbp|jpy|aud|cad|chf))\s?$", re.IGNORECASE)
_MONEY_AFTER: Final = re.compile(
    r"[.,]?\s?(?:[$\u20ac\u00a3\u00a5\u5186%]|(?:usd|eur|gbp|jpy|euros?|dollars?|pounds?|yen)\b)", re.IGNORECASE
)
_ORDER_BEFORE: Final = re.compile(
    r"(?:\b(?:orders?|ordr|purchases?|puchase|invoices?|bills?|receipts?|tracking|parcel|shipment|package|case|"
    r"ticket|"
    r"reference|ref|pedido|commande|bestell\w*|rechnung|sendung\w*|factura|encomenda|sku|item|serial)\b|"
    r"\u6ce8\u6587\u756a\u53f7|\u4f1d\u7968)"
    r"(?:\s*(?:number|numbers|no|nr|num|n\u00ba|id|code|is|was|and|&|:|\.|#|\u3001|\d[\d -]{2,20}))*[\s:#.,(]*$",
    re.IGNORECASE,
)
_PHONE_NEAR: Final = re.compile(
    r"\b(?:tel|tele?phone|phone|ph|cell|mobile|mob|call|calling|call(?:ed)?|ring|rang|dial|fax|whats ?app|text|"
    r"sms|reach|hotline|helpline|support line|voice ?mail|"
    r"contact|number|llam\w*|tel\u00e9fono|m\u00f3vil|telefon\w*|ruf\w*|anruf\w*|handy\w*|appel\w*|t\u00e9l\u00e9phone|portable|"
    r"telefone|celular|ligue|ligar)\b|\u96fb\u8a71|\u643a\u5e2f",
    re.IGNORECASE,
)
_REGIONS: Final = ("US", "GB", "DE", "FR", "ES", "PT", "BR", "JP", "AU")
_WINDOW: Final = 48
_MIN_DIGITS: Final = 7


def find_phones(flat: str) -> Iterator[Finding]:
    """Telephone numbers in order; the key is the digits, so two spellings of one number share a placeholder."""
    for match in _CANDIDATE.finditer(flat):
        start, end = match.span("number")
        digits = re.sub(r"\D", "", match["number"])
        if len(digits) >= _MIN_DIGITS and _is_phone(flat, start, end, digits):
            yield Finding(start, match.end(), DataClass.PHONE, digits)


def _is_phone(flat: str, start: int, end: int, digits: str) -> bool:
    text = flat[start:end]
    before = flat[max(0, start - _WINDOW) : start]
    if _DATE.fullmatch(text) or _MONEY_BEFORE.search(before) or _MONEY_AFTER.match(flat, end):
        return False
    if text.startswith(("+", "(+")):
        return True
    if _ORDER_BEFORE.search(before):
        return False
    if not text.isdigit():
        return True
    around = before + " " + flat[end : end + _WINDOW]
    return bool(_PHONE_NEAR.search(around)) and _is_possible(digits)


def _is_possible(digits: str) -> bool:
    for region in _REGIONS:
        try:
            number = phonenumbers.parse(digits, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(number):
            return True
    return False
