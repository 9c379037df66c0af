"""Names of third people in a customer's words, by what stands beside them. Pure.

A name has no form, so it is known by its company only: a title, a relation, a word of naming, or the end of a letter.
One that is found once is hidden wherever it stands. Names in no such company stay, and whoever hands words on reads
them. Languages are those in which the product answers and that write names with capitals; a word too much is hidden
rather than a name too little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

_TITLES: Final = (
    r"mrs?|ms|miss|mister|dr|prof|herrn?|frau|se[ñn]or(?:a|ita)?|sra?|don|do[ñn]a|monsieur|madame|mme|mlle|senhora?"
)
_RELATIONS: Final = (
    r"wife|husband|spouse|partner|fianc[ée]e?|girlfriend|boyfriend|son|daughter|child|mother|father|mom"
    r"|mum|dad|brother|sister|(?:grand|step)?(?:mother|father|son|daughter|ma|pa)|aunt|uncle|cousin|nephew"
    r"|niece|friend|neighbou?r|colleague|coworker|boss|assistant|secretary|roommate|flatmate|landlord|mann"
    r"|sohn|tochter|mutter|vater|bruder|schwester|tante|onkel|oma|opa|freund(?:in)?|nachbar(?:in)?"
    r"|kolleg(?:e|in)|chef(?:in)?|espos[oa]|marido|mujer|hij[oa]|madre|padre|herman[oa]|t[íi][oa]|prim[oa]"
    r"|abuel[oa]|amig[oa]|vecin[oa]|novi[oa]|jef[ae]|femme|mari|fils|fille|m[èe]re|p[èe]re|fr[èe]re"
    r"|s(?:œ|oe)ur|tante|oncle|cousine?|ami(?:e)?|voisine?|coll[èe]gue|filh[oa]|m[ãa]e|pai|irm[ãa]o?|av[óô]"
    r"|namorad[oa]|vizinh[oa]|colega"
)
_NAMING: Final = (
    r"named|called|name\s+is|spoke\s+(?:to|with)|talked\s+(?:to|with)|chatted\s+with|agent|representative"
    r"|rep|advisor|on\s+behalf\s+of|in\s+the\s+name\s+of|account\s+of|belongs\s+to|gift\s+(?:for|from)"
    r"|addressed\s+to|signed\s+(?:for\s+)?by|delivered\s+to|left\s+with|c/o|attn|namens|hei(?:ß|ss)t"
    r"|gesprochen\s+mit|im\s+namen\s+von|llamad[oa]|se\s+llama|a\s+nombre\s+de|habl[ée]\s+con|nomm[ée]e?"
    r"|s'appelle|au\s+nom\s+de|parl[ée]\s+(?:à|avec)|chamad[oa]|se\s+chama|em\s+nome\s+de|falei\s+com"
)
_FAREWELLS: Final = (
    r"regards|sincerely|cheers|yours|thanks|thank you|best|gr[üu](?:ß|ss)en?|saludos|atentamente|cordialement"
    r"|salutations|atenciosamente|obrigad[oa]"
)
_TITLE: Final = re.compile(rf"(?:{_TITLES})\.?", re.IGNORECASE)
_ONE: Final = r"(?-i:[A-ZÀ-ÖØ-Þ][\wÀ-ÿ'\u2019-]{1,24})"
_NAME: Final = rf"{_ONE}(?:\s(?:(?-i:de|da|dos|del|la|van|von|der)\s){{0,2}}{_ONE}){{0,2}}"
_COMPANY: Final = (
    re.compile(rf"\b(?:{_TITLES})\.?\s+(?P<name>{_NAME})", re.IGNORECASE),
    re.compile(rf"\b(?:{_RELATIONS}),?\s+(?P<name>{_NAME})", re.IGNORECASE),
    re.compile(rf"\b(?:{_NAMING}):?\s+(?P<name>{_NAME})", re.IGNORECASE),
    re.compile(rf"\b(?:{_FAREWELLS})[,.!]?[ \t]*\n+\s*(?P<name>{_NAME})", re.IGNORECASE),
)
_NO_NAMES: Final = frozenset(
    {
        "a", "aber", "amazon", "an", "and", "apple", "april", "as", "august", "bitte", "but", "can", "card",
        "could", "das", "december", "der", "dhl", "die", "e", "el", "er", "es", "et", "eu", "february", "fedex",
        "friday", "google", "he", "how", "i", "ich", "if", "it", "january", "je", "july", "june", "la", "las",
        "le", "les", "los", "mais", "march", "mas", "mastercard", "may", "monday", "money", "my", "no",
        "not", "nous", "november", "o", "october", "or", "order", "os", "our", "paypal", "pero", "please",
        "por", "refund", "saturday", "september", "she", "sie", "so", "stripe", "sunday", "that",
        "the", "these", "they", "this", "those", "thursday", "tuesday", "und", "ups", "usps", "visa",
        "vous", "we", "wednesday", "what", "when", "where", "why", "will", "wir", "would", "y", "yes", "you",
        "your", "zendesk",
    }
)  # fmt: skip


def strangers_in(texts: Iterable[str]) -> tuple[str, ...]:
    r"""The names of third people, longest first; those of the requester may be among them.

    >>> strangers_in(["My wife Ilse Brandt paid. Ilse says no.", "Thanks,\nPiet"])
    ('Ilse Brandt', 'Piet')
    """
    found = dict.fromkeys(name for text in texts for name in _found(text))
    return tuple(sorted(found, key=lambda name: (-len(name), name)))


def _found(text: str) -> Iterator[str]:
    for pattern in _COMPANY:
        for match in pattern.finditer(text):
            words = match["name"].split()
            if _TITLE.fullmatch(words[0]):
                continue  # what follows is found by its title
            while words and words[-1].casefold() in _NO_NAMES:
                words.pop()
            if words and words[0].casefold() not in _NO_NAMES:
                yield " ".join(words)
