"""Where somebody lives, by the shape in which streets are written: a house number beside a word for a street.

A town alone says little and has no shape, and a street without a word for one is not told from a name: both stay,
unless the requester's own profile holds them (`profile`). Written forms of the languages that replies are written in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from graph.redaction.finding import DataClass, Finding

_CAPITAL: Final = r"[A-Z\u00c0-\u00de][\w'\u2019.-]{0,30}"
_STREET: Final = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter|Way|"
    r"Highway|Hwy|Parkway|Pkwy|Close|Crescent|Gardens|Grove|Mews|Trail|Circle|Cir|Alley)"
)
_UNIT: Final = r"(?:,?[ \n]{0,2}(?i:apt|apartment|suite|ste|unit|flat|floor|#)\.?[ ]?\w{1,6})?"
_POSTCODE: Final = r"(?:\d{4,5}(?:-\d{4})?|[A-Z]{1,2}\d\w?[ ]?\d[A-Z]{2})"
_TOWN: Final = rf"(?:,?[ \n]{{1,2}}(?:{_CAPITAL}[ ,]{{0,2}}){{1,3}}[ ]?{_POSTCODE})?"
_CODED_TOWN: Final = rf"(?:,?[ \n]{{1,2}}\d{{4,5}}(?:-\d{{3}})?[ ](?:{_CAPITAL}[ -]?){{1,3}})?"
_ENGLISH: Final = re.compile(
    rf"(?<![\w#-])\d{{1,6}}[a-zA-Z]?[ ](?:(?:{_CAPITAL}|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,4}}{_STREET}\b\.?"
    rf"{_UNIT}{_TOWN}"
)
_GERMAN: Final = re.compile(
    r"(?<!\w)[A-Z\u00c4\u00d6\u00dc][\w\u00df-]{2,30}(?:[ -]?(?:[Ss]tra(?:\u00df|ss)e|[Ss]tr\.|[Ww]eg|[Pp]latz|"
    rf"[Aa]llee|[Gg]asse|[Rr]ing|[Dd]amm|[Uu]fer))[ ]\d{{1,4}}[ ]?[a-z]?\b{_CODED_TOWN}"
)
_FRENCH: Final = re.compile(
    r"(?<!\w)\d{1,4}(?:[ ]?(?:bis|ter))?,?[ ]"
    r"(?i:rue|avenue|av\.|boulevard|bd|place|chemin|all\u00e9e|impasse|quai|cours)[ ]"
    rf"(?:(?:de|du|des|la|le|les|l'|d')[ ]?){{0,3}}(?:{_CAPITAL}[ -]?){{1,4}}{_CODED_TOWN}"
)
_IBERIAN: Final = re.compile(
    r"(?<!\w)(?i:calle|c/|avenida|avda\.?|plaza|paseo|carrera|rua|travessa|pra\u00e7a|estrada|alameda)[ ]"
    rf"(?:(?:de|del|da|do|dos|das|la|las|los|el)[ ]){{0,3}}(?:{_CAPITAL}[ ,]{{0,2}}){{1,5}}"
    rf"(?:n\.?[\u00bao\u00b0]?[ ]?)?\d{{1,5}}\b{_CODED_TOWN}"
)
_KANJI: Final = "[\u4e00-\u9fff]"
_JAPANESE: Final = re.compile(
    rf"(?:\u3012[ ]?\d{{3}}-\d{{4}}[ ]{{0,2}})?{_KANJI}{{2,3}}[\u90fd\u9053\u5e9c\u770c]"
    "[\u4e00-\u9fff\u3040-\u30ff]{1,20}"
    "\\d{1,4}(?:(?:\u4e01\u76ee|\u756a\u5730|\u756a|\u53f7|-)\\d{0,4}){1,3}|\u3012[ ]?\\d{3}-\\d{4}"
)


def find_addresses(flat: str) -> Iterator[Finding]:
    """Street addresses, with the town where it follows at once."""
    for form in (_ENGLISH, _GERMAN, _FRENCH, _IBERIAN, _JAPANESE):
        for match in form.finditer(flat):
            written = match.group().rstrip(" ,\n-")
            yield Finding(
                match.start(), match.start() + len(written), DataClass.ADDRESS, " ".join(written.lower().split())
            )
