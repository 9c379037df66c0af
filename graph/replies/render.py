"""Templates to text: one reply with one greeting, its paragraphs in order, its sources and one sign-off.

Money and dates are written as the language's readers write them (Babel, CLDR data inside the package). A part in double
square brackets is left out where its slot is empty. Slots are replaced in one pass, so that a value is never read as a
template. It refuses a missing, an extra, an empty or a wrongly typed slot, and a language without texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final

import yaml
from babel.dates import format_date
from babel.numbers import format_currency

from graph.replies.templates import SLOTS, Slot, Slots, SlotValue, Template
from policies.money import Money

_CARD: Final = re.compile(r"(.+) ending in (\d{4})")
LOCALES: Final = {"en": "en_US", "es": "es_ES", "fr": "fr_FR", "de": "de_DE", "pt": "pt_PT", "ja": "ja_JP"}
"""Languages with texts, and the locale in which their money and dates are written."""

_SLOT: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_OPTIONAL: Final = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


class ReplyError(Exception):
    """A reply that cannot be written: a slot is missing, extra, empty or of another type, or a language unknown."""


def render(template: Template, language: str, slots: Slots) -> str:
    """One paragraph.

    >>> render(Template.PAYMENT_CANCELLED, "en", {"amount": Money(2490, "usd")})
    'The pending payment of $24.90 has been cancelled, so you will not be charged.'

    Raises:
        ReplyError: see the class.
    """
    _check(template, slots)
    text = _texts(language)[template.value]
    written = {name: _write(value, language) for name, value in slots.items()}
    text = _OPTIONAL.sub(lambda match: match[1] if all(written[name] for name in _SLOT.findall(match[1])) else "", text)
    return _SLOT.sub(lambda match: written[match[1]], text).strip()


def reply(
    paragraphs: Sequence[tuple[Template, Slots]],
    *,
    language: str,
    name: str,
    shop: str,
    cites: Sequence[str] = (),
) -> str:
    """One reply for all the requests of a ticket.

    Args:
        paragraphs: templates with their slots, in the order of the requests.
        language: ISO 639-1; English where there are no texts in it, see `spoken`.
        name: how the customer is called; empty leaves the greeting without a name.
        shop: who signs.
        cites: ids of the policy sections the paragraphs rest on, in order; they become a line of sources.

    Raises:
        ReplyError: there is no paragraph, or one of them cannot be rendered.
    """
    if not paragraphs:
        raise ReplyError("a reply without a paragraph: give at least one template")
    language = spoken(language)
    texts = _texts(language)
    pieces = [_fill(texts["greeting"], name=_line(name))]
    pieces += [render(template, language, slots) for template, slots in paragraphs]
    if cites:
        pieces.append(_fill(texts["sources"], cites=", ".join(_line(cite) for cite in cites)))
    pieces.append(_fill(texts["sign_off"], shop=_line(shop)))
    return "\n\n".join(pieces)


def spoken(language: str) -> str:
    """The language a reply is written in: the customer's where there are texts, else English."""
    return language if language in LOCALES else "en"


def _check(template: Template, slots: Slots) -> None:
    wanted = SLOTS[template]
    if missing := sorted(wanted.keys() - slots.keys()):
        raise ReplyError(f"template {template.value!r} lacks the slots {missing}: fill them from facts")
    if extra := sorted(slots.keys() - wanted.keys()):
        raise ReplyError(f"template {template.value!r} has no slots {extra}: leave them out")
    for name, value in slots.items():
        _check_slot(template, name, wanted[name], value)


def _check_slot(template: Template, name: str, slot: Slot, value: SlotValue) -> None:
    if not isinstance(value, slot.kind):
        raise ReplyError(
            f"slot {name!r} of {template.value!r} holds {type(value).__name__!r}: give it {slot.kind.__name__!r}"
        )
    if isinstance(value, str | tuple) and not value and not slot.may_be_empty:
        raise ReplyError(f"slot {name!r} of {template.value!r} is empty: fill it or choose another template")


def _write(value: SlotValue, language: str) -> str:
    locale = LOCALES[spoken(language)]
    if isinstance(value, Money):
        return format_currency(value.major, value.currency.upper(), locale=locale)
    if isinstance(value, date):
        return format_date(value, format="long", locale=locale)
    if isinstance(value, tuple):
        return "\n".join(f"- {_line(entry)}" for entry in value)
    return _card(_CONTROL.sub("", value).strip(), language)


def _card(value: str, language: str) -> str:
    """`Visa ending in 4242` in the words of the language; any other text as it is."""
    match = _CARD.fullmatch(value)
    return _fill(_texts(spoken(language))["card"], brand=match[1], last4=match[2]) if match else value


def _line(value: str) -> str:
    return " ".join(_CONTROL.sub("", value).split())


def _fill(text: str, **values: str) -> str:
    text = _OPTIONAL.sub(lambda match: match[1] if all(values[name] for name in _SLOT.findall(match[1])) else "", text)
    return _SLOT.sub(lambda match: values[match[1]], text).strip()


@cache
def _texts(language: str) -> Mapping[str, str]:
    if language not in LOCALES:
        raise ReplyError(f"no reply texts in {language!r}: use one of {', '.join(sorted(LOCALES))}")
    content = (files("graph.replies") / "texts" / f"{language}.yaml").read_text(encoding="utf-8")
    texts: dict[str, str] = yaml.safe_load(content)
    return texts
