"""Amounts, order numbers and days in a customer's words, each with the place it stands at.

Rules, no model: a number is an amount by its currency or its cents, an order number by the word before it or its
length, and nothing where it is a date, a telephone number or part of an address. Numbers may be English words.
What is found is a claim to compare with facts, never a fact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from graph.models.triage import StatedAmount
from graph.redaction.finding import flatten, fold
from graph.redaction.phones import find_phones
from graph.redaction.structured import find_cards, find_ibans, find_ips, find_ssns
from policies.errors import MoneyError
from policies.money import Money, exponent

_UNITS: Final = {
    word: value
    for value, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
            *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
        )
    )
}
_TENS: Final = {
    word: value * 10
    for value, word in enumerate(
        ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2
    )
}
_OTHER_WORDS: Final = {
    "a": 1,
    "an": 1,
    "couple": 2,
    "un": 1,
    "una": 1,
    "une": 1,
    "uma": 1,
    "dos": 2,
    "tres": 3,
    "duas": 2,
    "dois": 2,
    "deux": 2,
    "trois": 3,
    "quatre": 4,
    "cinq": 5,
    "zwei": 2,
    "drei": 3,
    "vier": 4,
    "funf": 5,
    "sechs": 6,
    "elf": 11,
    "quatro": 4,
    "cinco": 5,
    "cuatro": 4,
    "seis": 6,
    "neun": 9,
    "acht": 8,
    "sieben": 7,
    "zehn": 10,
    "dix": 10,
}
_WORD: Final = "|".join(sorted((*_UNITS, *_TENS), key=len, reverse=True))
_SPELLED: Final = rf"(?:{_WORD}|hundred|thousand)(?:[ -](?:and )?(?:{_WORD}|hundred|thousand))*"

_SYMBOLS: Final = {
    "$": "usd",
    "us$": "usd",
    "\u20ac": "eur",
    "\u00a3": "gbp",
    "\u00a5": "jpy",
    "\u5186": "jpy",
    "r$": "brl",
    "dollar": "usd",
    "dollars": "usd",
    "dolares": "usd",
    "bucks": "usd",
    "buck": "usd",
    "euro": "eur",
    "euros": "eur",
    "pound": "gbp",
    "pounds": "gbp",
    "quid": "gbp",
    "yen": "jpy",
    "reais": "brl",
    "c$": "cad",
    "a$": "aud",
}
_CODES: Final = "usd|eur|gbp|jpy|cad|aud|chf|brl|sek|nok|dkk|pln|mxn|nzd"
_NUMBER: Final = r"\d{1,3}(?:[ ,.']\d{3})+(?:[.,]\d{2})?(?!\d)|\d+(?:[.,]\d{1,2})?(?!\d)"
_BEFORE: Final = re.compile(
    rf"(?P<unit>us\$|r\$|c\$|a\$|[$\u20ac\u00a3\u00a5]|\b(?:{_CODES}))[ ]?(?P<number>{_NUMBER})"
)
_AFTER: Final = re.compile(
    rf"(?<![\d.,#])(?P<number>{_NUMBER})[ ]?(?P<unit>[\u20ac\u00a3\u00a5\u5186$]|(?:{_CODES}|dollars?|dolares|"
    rf"bucks|euros?|"
    r"pounds?|quid|yen|reais)\b)"
)
_SPELLED_MONEY: Final = re.compile(
    rf"\b(?P<number>{_SPELLED}) (?P<unit>dollars?|euros?|pounds?|quid|"
    rf"bucks)(?: (?:and )?(?P<cents>{_SPELLED})\b(?! \w+ ago))?"
)
_CENTS: Final = re.compile(r"(?<![\w.,:#/-])\d{1,5}[.,]\d{2}(?![\w:%/-]|[.,]\d)")
_PRICED: Final = re.compile(
    r"\b(?:paid|cost|costs|charged|charge of|price of|worth|bought for|total (?:was|of|is)|was|the|"
    r"for) (?P<number>\d{2,4})"
    r"(?= (?:back|difference|for it|on (?:my|the)|and now|yesterday)|[.;!?]?$)"
)

_NAMED_ORDER: Final = re.compile(
    r"\b(?:orders?|ordr|purchases?|puchase|pre-?orders?|pedido|compra|encomenda|commande|bestellung|bestellnr\.?|"
    r"bestellnummer|lieferung|auftrag|booking|re|placed|number|ref)\b[ ]?"
    r"(?:(?:number|no\.?|nr\.?|num|id|is|was|n[o\u00b0\u00ba]|:|#|\(|n\.) ?){0,4}"
    r"(?P<order>#?[a-z]{0,3}-?\d{3,18})(?![\w]|[.,]\d|[ ]?(?:usd|eur|gbp|dollars?|euros?|days?|%))|"
    r"\u6ce8\u6587(?:\u756a\u53f7)?[^\d\n]{0,6}(?P<order_ja>\d{3,18})"
)
_HASH_ORDER: Final = re.compile(r"(?<![\w&])#[ ]?(?P<order>[a-z]{0,3}-?\d{3,18})(?!\w)")
_BARE_ORDER: Final = re.compile(r"(?<![\w$\u20ac\u00a3\u00a5.,:/@+-])(?P<order>\d{4,18})(?![\w%:/@]|[.,-]\d)")
_NO_ORDER_BEFORE: Final = re.compile(
    r"(?:\b(?:in|since|of|year|ext\.?|zip|[a-z]{2}|sinds|seit|depuis|desde|room|code|pin|january|february|march|"
    r"april|may|"
    r"june|july|august|september|october|november|december),?|\d{1,2}\.?) $"
)
_ORDER_BEFORE: Final = re.compile(r"\b(?:cancel|re|of|on|or|and|for|in|no|is|as|to|placed|order|from) $")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_CANCELLED_ORDER: Final = re.compile(r"\b(?:cancel|kill|stop|annul|scrap|void) (?:the )?(?:order )?#?$")
_UNIT_AFTER: Final = re.compile(r" ?(?:days?|weeks?|months?|years?|km|kg|ml|cm|mm|inch|points|people|units|w)\b")

_PERIODS: Final = {
    **dict.fromkeys(("day", "days", "dia", "dias", "jour", "jours", "tag", "tage", "tagen", "\u65e5"), 1),
    **dict.fromkeys(
        ("week", "weeks", "wk", "wks", "semana", "semanas", "semaine", "semaines", "woche", "wochen", "\u9031\u9593"), 7
    ),
    **dict.fromkeys(("month", "months", "mes", "meses", "mois", "monat", "monate", "monaten", "\u30f6\u6708"), 30),
}
_COUNT: Final = rf"\d{{1,3}}|{_SPELLED}|a couple of|a|an|un[ae]?|uma|{'|'.join(_OTHER_WORDS)}"
_DAYS: Final = re.compile(
    rf"(?<![\w-])(?P<count>{_COUNT})[ ](?:whole |full |long )?(?P<period>days?|weeks?|wks?|months?|dias?|"
    rf"semanas?|mes|meses|"
    r"jours?|semaines?|mois|tage?n?|wochen?|monate?n?)\b|(?P<count_ja>\d{1,3})(?P<period_ja>\u65e5|\u9031\u9593|"
    r"\u30f6\u6708)"
)
_DAY_NUMBER: Final = re.compile(r"\bday (?P<count>\d{1,3})\b")
_AGO: Final = re.compile(
    r"^ ?(?:ago|back|now|later|since|have passed|from purchase|her\b|atras|\u524d)|^[.,;]? *(?:and )?(?:no|"
    r"nothing|still|later)\b|^[.!]?$"
)
_AGO_BEFORE: Final = re.compile(
    r"(?:\b(?:hace|ha|faz|il y a|depuis|vor|seit|been|for|after|jetzt|now|its|on about)) (?:about |"
    r"over |almost |like |"
    r"nearly |unas |umas |bereits )?$"
)
_BOUGHT: Final = re.compile(
    r"\b(?:ordered|order|bought|buy|purchase\w*|paid|placed|pre-?ordered|got (?:the|this|it|a)|charged|"
    r"checked out|rolled over|"
    r"renewed|it.?s been|been|waiting|pedido|pedi|compr\w*|encomenda|command\w*|achet\w*|bestell\w*|"
    r"gekauft)\b|"
    r"\u6ce8\u6587|\u8cfc\u5165"
)
_NOT_BOUGHT: Final = re.compile(
    r"\b(?:return(?:ed|s)?|refund\w*|within|allow|take|takes|sent (?:it )?back|devolv\w*|business days|"
    r"working days|warranty|"
    r"for the last|days? of this|arrives? in|next|every|trial|stuck|signed|processing|per|"
    r"liegt)\b|\u8fd4\u54c1"
)
_RELATIVE: Final = (
    (re.compile(r"\byesterday|\bayer\b|\bhier\b(?= |,)|\bgestern\b|\bontem\b|\u6628\u65e5"), 1),
    (
        re.compile(
            r"\b(?:today|this morning|just (?:now|ordered|bought|placed)|(?:mins?|minutes?|hours?) ago|tonight|"
            r"heute)\b|"
            r"\u4eca\u65e5"
        ),
        0,
    ),
)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount at code points `[start, end)`."""

    start: int
    end: int
    amount: StatedAmount


@dataclass(frozen=True, slots=True)
class OrderNumber:
    """An order number at code points `[start, end)`; a higher `rank` was named more clearly."""

    start: int
    end: int
    order_id: str
    rank: int


@dataclass(frozen=True, slots=True)
class Days:
    """How long ago the purchase was, as stated at code points `[start, end)`."""

    start: int
    end: int
    days: int


def number_in_words(words: str) -> int | None:
    """The value of an English number below a hundred thousand, None where it is none.

    >>> number_in_words("three hundred and twelve")
    312
    """
    total = current = 0
    for word in re.split(r"[ -]", words):
        if word in _UNITS:
            current += _UNITS[word]
        elif word in _TENS:
            current += _TENS[word]
        elif word == "hundred":
            current = max(1, current) * 100
        elif word == "thousand":
            total, current = total + max(1, current) * 1000, 0
        elif word != "and":
            return None
    return total + current


def find_amounts(text: str, shop_currency: str | None) -> list[Amount]:
    """Amounts in order of place, without repeats of one value.

    Args:
        text: the ticket's text.
        shop_currency: what a bare number such as `44.50` is read in, lower-case ISO 4217; None leaves it unknown.
    """
    folded = fold(flatten(text))
    taken = _not_numbers(text)
    found: dict[tuple[int, str | None], Amount] = {}
    for start, end, literal, unit in sorted(_money_literals(folded, taken)):
        stated = _stated(literal, unit, shop_currency)
        if stated is not None:
            found.setdefault((stated.minor, stated.currency), Amount(start, end, stated))
    return list(found.values())


def _money_literals(folded: str, taken: bytearray) -> Iterator[tuple[int, int, str, str]]:
    for pattern in (_BEFORE, _AFTER, _SPELLED_MONEY, _CENTS, _PRICED):
        for match in pattern.finditer(folded):
            start, end = match.span("number") if pattern is _PRICED else match.span()
            if taken.find(1, start, end) != -1:
                continue
            literal, unit = _literal(match)
            if literal:
                taken[start:end] = b"\x01" * (end - start)
                yield start, end, literal, unit


def _literal(match: re.Match[str]) -> tuple[str, str]:
    groups = match.groupdict()
    number, unit = groups.get("number") or match.group(), groups.get("unit") or ""
    if number[0].isdigit():
        return number, unit
    whole = number_in_words(number)
    cents = number_in_words(groups.get("cents") or "zero") or 0
    return (f"{whole}.{cents:02d}" if cents < 100 else str(whole)), unit  # noqa: PLR2004 -- cents of a unit


def _stated(literal: str, unit: str, shop_currency: str | None) -> StatedAmount | None:
    currency = _SYMBOLS.get(unit, unit) or shop_currency
    if unit == "$" and shop_currency in {"cad", "aud", "nzd", "sgd", "hkd", "mxn"}:
        currency = shop_currency
    try:
        decimals = 2 if currency is None else exponent(currency)
        money = Money.parse(_plain_decimal(literal, decimals), currency or "usd")
    except MoneyError:
        return None
    return StatedAmount(money.minor, currency, is_currency_assumed=not unit and currency is not None)


def _plain_decimal(literal: str, decimals: int) -> str:
    """`1.234,50` and `1,234.50` mean the same: at most two digits after the last separator are cents."""
    parts = re.split(r"[., ']", literal)
    if len(parts) > 1 and len(parts[-1]) <= 2 and decimals:  # noqa: PLR2004 -- cents have one or two digits
        return "".join(parts[:-1]) + "." + parts[-1]
    return "".join(parts)


def _not_numbers(text: str) -> bytearray:
    """Marks telephone, card and account numbers, which are neither amounts nor orders."""
    flat = flatten(text)
    taken = bytearray(len(text))
    for find in (find_phones, find_cards, find_ibans, find_ips, find_ssns):
        for finding in find(flat):
            taken[finding.start : finding.end] = b"\x01" * (finding.end - finding.start)
    return taken


def find_orders(text: str, amounts: list[Amount]) -> list[OrderNumber]:
    """Order numbers, the most clearly named first, then in order of place, without repeats."""
    folded = fold(flatten(text))
    taken = _not_numbers(text)
    for amount in amounts:
        taken[amount.start : amount.end] = b"\x01" * (amount.end - amount.start)
    found: dict[str, OrderNumber] = {}
    for start, end, rank in _order_places(folded):
        literal = text[start:end].strip()
        if taken.find(1, start, end) != -1 or not int(re.sub(r"\D", "", flatten(literal)) or "0"):
            continue
        if _CANCELLED_ORDER.search(folded[max(0, start - 24) : start]):
            rank += 2  # noqa: PLW2901 -- which of several orders to cancel is said right after the word
        key = literal.lstrip("#")
        if key not in found or found[key].rank < rank:
            found[key] = OrderNumber(start, end, literal if re.match(r"#[A-Za-z]", literal) else key, rank)
    return sorted(found.values(), key=lambda order: (-order.rank, order.start))


def _order_places(folded: str) -> Iterator[tuple[int, int, int]]:
    for match in _NAMED_ORDER.finditer(folded):
        group = "order" if match["order"] else "order_ja"
        yield *match.span(group), 3
    for match in _HASH_ORDER.finditer(folded):
        yield *match.span(), 2
    for match in _BARE_ORDER.finditer(folded):
        before = folded[max(0, match.start() - 16) : match.start()]
        literal = match["order"]
        is_doubtful = bool(_NO_ORDER_BEFORE.search(before)) and not _ORDER_BEFORE.search(before)
        is_year = bool(_YEAR.fullmatch(literal)) and re.search(r"\b(?:in|since|of|like in|\d) (?:like )?$", before)
        if not is_doubtful and not is_year and not _UNIT_AFTER.match(folded, match.end()):
            yield *match.span(), 1


def find_days_since_purchase(text: str) -> Days | None:
    """How long ago they say they bought, in days; None where they do not say, or say it of something else."""
    folded = fold(flatten(text))
    best: tuple[int, Days] | None = None
    for clause in re.finditer(r"[^.!?\n\u3002]+[.!?\u3002]?", folded):
        for score, days in _days_in(clause.group(), clause.start()):
            if best is None or score > best[0]:
                best = (score, days)
    return best[1] if best else None


def _days_in(clause: str, offset: int) -> Iterator[tuple[int, Days]]:
    bought = bool(_BOUGHT.search(clause))
    if _NOT_BOUGHT.search(clause) and not re.search(r"\b(?:ordered|bought|purchase\w*)\b", clause):
        return
    for match in _DAYS.finditer(clause):
        stands_ago = bool(_AGO.match(clause[match.end() :])) or bool(_AGO_BEFORE.search(clause[: match.start()]))
        count = _count(match["count"] or match["count_ja"])
        if count is None or not stands_ago:
            continue
        days = count * _PERIODS[match["period"] or match["period_ja"]]
        yield 2 + 2 * bought, Days(offset + match.start(), offset + match.end(), days)
    for match in _DAY_NUMBER.finditer(clause):
        yield 3, Days(offset + match.start(), offset + match.end(), int(match["count"]))
    if bought:
        for pattern, days in _RELATIVE:
            for match in pattern.finditer(clause):
                yield 1, Days(offset + match.start(), offset + match.end(), days)


def _count(words: str) -> int | None:
    if words.isdigit():
        return int(words)
    if words.startswith("a couple"):
        return 2
    return _OTHER_WORDS.get(words, number_in_words(words))
