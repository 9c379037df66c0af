"""Templates to text: one reply with one greeting, its paragraphs in order, its sources and one sign-off.

Money and dates are written as the language's readers write them (Babel, CLDR data inside the package). A part in double
square brackets is left out where its slot is empty; after `||` stands what is said instead. Slots are replaced in one
pass, so that a value is never read as a template. It refuses a missing, an extra, an empty or a wrongly typed slot, and
a language without texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final

import yaml
from babel.dates import format_date
from babel.numbers import format_currency

from graph.replies.templates import SLOTS, Closing, Opening, Slot, Slots, SlotValue, Template
from policies.money import Money
from policies.vocabulary import Intent

_CARD: Final = re.compile(r"(.+) ending in (\d{4})")
LOCALES: Final = {"en": "en_US", "es": "es_ES", "fr": "fr_FR", "de": "de_DE", "pt": "pt_PT", "ja": "ja_JP"}
"""Languages with texts, and the locale in which their money and dates are written."""

_SLOT: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_OPTIONAL: Final = re.compile(r"\[\[(.*?)(?:\|\|(.*?))?\]\]", re.DOTALL)
_WIDE_COLON: Final = "\uff1a"
BANK_TIME: Final = "bank_time"
"""A slot that is always there: how long banks take. 5 to 10 business days, https://docs.stripe.com/refunds ."""
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


class ReplyError(Exception):
    """A reply that cannot be written: a slot is missing, extra, empty or of another type, or a language unknown."""


def render(template: Template, language: str, slots: Slots) -> str:
    """One paragraph.

    >>> render(Template.PAYMENT_CANCELLED, "en", {"amount": Money(2490, "usd")})
    'Your pending payment of $24.90 has been cancelled, so you will not be charged.'

    Raises:
        ReplyError: see the class.
    """
    _check(template, slots)
    values = {name: written(value, language) for name, value in slots.items()}
    return _fill(_texts(language)[template.value], **values, **{BANK_TIME: bank_time(language)})


def open_text(template: Template, language: str, slots: Slots) -> str:
    """One paragraph with its slots left open as `{name}`; what hangs on an empty slot is left out.

    Raises:
        ReplyError: as `render`.
    """
    _check(template, slots)
    values = {name: f"{{{name}}}" if value else "" for name, value in slots.items()}
    return _fill(_texts(language)[template.value], **values, **{BANK_TIME: f"{{{BANK_TIME}}}"})


def bank_time(language: str) -> str:
    """How long banks take to show a refund, in words."""
    return _texts(spoken(language))[BANK_TIME]


@dataclass(frozen=True, slots=True)
class Said:
    """One paragraph to be rendered, and the request that it answers."""

    template: Template
    slots: Slots
    about: Intent | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the paragraphs: who is greeted, how it begins and ends, who signs, what it rests on.

    `name` may be empty; `cites` are ids of policy sections in order, and become a line of sources.
    """

    name: str
    shop: str
    cites: tuple[str, ...] = ()
    opening: Opening | None = None
    closing: Closing | None = None


def reply(said: Sequence[Said], frame: Frame, language: str) -> str:
    """One reply for all the requests of a ticket. Where it answers several, each paragraph says which.

    Args:
        said: the paragraphs, in the order of the requests.
        frame: what stands around them.
        language: ISO 639-1; English where there are no texts in it, see `spoken`.

    Raises:
        ReplyError: there is no paragraph, or one of them cannot be rendered.
    """
    if not said:
        raise ReplyError("a reply without a paragraph: give at least one template")
    return framed("\n\n".join(_paragraphs(said, spoken(language))), frame, language)


def framed(body: str, frame: Frame, language: str) -> str:
    """A body with what stands around it."""
    texts = _texts(spoken(language))
    pieces = [_fill(texts["greeting"], name=_line(frame.name))]
    if frame.opening is not None:
        pieces.append(texts[frame.opening.value])
    pieces.append(body)
    if frame.closing is not None:
        pieces.append(texts[frame.closing.value])
    if frame.cites:
        pieces.append(_fill(texts["sources"], cites=", ".join(_line(cite) for cite in frame.cites)))
    pieces.append(_fill(texts["sign_off"], shop=_line(frame.shop)))
    return "\n\n".join(piece for piece in pieces if piece)


def _paragraphs(said: Sequence[Said], language: str) -> Iterator[str]:
    several = len({one.about for one in said if one.about is not None}) > 1
    before: Intent | None = None
    for one in said:
        text = render(one.template, language, one.slots)
        is_new = one.about is not None and one.about is not before
        before = one.about
        announced = _texts(language)[f"about_{one.about.value}"] if several and is_new and one.about else ""
        yield f"{announced}{'' if announced.endswith(_WIDE_COLON) else ' '}{text}".strip()


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


def written(value: SlotValue, language: str) -> str:
    """A slot's value as the language's readers write it."""
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
    def kept(match: re.Match[str]) -> str:
        return match[1] if all(values[name] for name in _SLOT.findall(match[1])) else match[2] or ""

    text = _OPTIONAL.sub(kept, text)
    return _SLOT.sub(lambda match: values[match[1]], text).strip()


@cache
def _texts(language: str) -> Mapping[str, str]:
    if language not in LOCALES:
        raise ReplyError(f"no reply texts in {language!r}: use one of {', '.join(sorted(LOCALES))}")
    content = (files("graph.replies") / "texts" / f"{language}.yaml").read_text(encoding="utf-8")
    texts: dict[str, str] = yaml.safe_load(content)
    return texts
