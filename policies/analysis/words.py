"""Sets of cases in the words of a policy file: `refund of duplicate_charge, 20.01 to 35.00 USD`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from policies.analysis.effect import Effect
from policies.analysis.space import (
    AMOUNT,
    CURRENCY,
    DAY,
    INTENT,
    KIND,
    REST,
    UNKNOWN,
    Axis,
    Piece,
    Space,
    Span,
    Word,
)
from policies.decision import Limit
from policies.explain import amount_text, label, word_text
from policies.facts import CATALOGUE, FactType
from policies.language.conditions import currency_fact
from policies.money import CURRENCIES
from policies.vocabulary import Mode

Masks = Mapping[str, int]
"""The pieces that are meant, by axis."""

_HEAD = (KIND, INTENT)


def region_text(conditions: Sequence[tuple[str, str]]) -> str:
    """The cases in one sentence, the kind of action first."""
    said = dict(conditions)
    head = said.pop(KIND, "any action")
    if INTENT in said:
        head = f"{head} of {said.pop(INTENT)}"
    return ", ".join([head, *said.values()])


def conditions(space: Space, boxes: Sequence[Masks]) -> list[tuple[str, str]]:
    """Each fact of some boxes with what it is, and nothing about a fact that is free.

    The boxes are alike but for the action's amount and its currency, which are told together.
    """
    found: list[tuple[str, str]] = []
    for axis in space.axes:
        if axis.name == CURRENCY and all(AMOUNT in masks and _currency(space, masks, CURRENCY) for masks in boxes):
            continue
        said = [condition(space, axis, masks) for masks in boxes if axis.plausible & ~masks.get(axis.name, axis.full)]
        if said:
            found.append((axis.name, " or ".join(dict.fromkeys(said))))
    return found


def condition(space: Space, axis: Axis, masks: Masks) -> str:
    """One fact of a box in words."""
    mask = masks[axis.name]
    if axis.name == DAY:
        return _days(axis, mask)
    fact = CATALOGUE[axis.name]
    if fact.type in {FactType.INTEGER, FactType.MONEY}:
        unit = fact.unit
        if fact.type is FactType.MONEY:
            unit = _currency(space, masks, currency_fact(fact)) or "minor units"
        spans = [_span(span, unit) for span in _merged(axis, mask)]
        said = " or ".join([*spans, *(["unknown"] if mask & axis.unknown else [])])
        return said if axis.name == AMOUNT else f"{label(axis.name)} {said}"
    said = _words(axis, mask)
    return said if axis.name in _HEAD else f"{label(axis.name)} {said}"


def _words(axis: Axis, mask: int) -> str:
    """The words of a mask, or those it leaves out where they are fewer. What is unknown is not one of those either."""
    listed = [piece for place, piece in enumerate(axis.pieces) if mask >> place & 1]
    missing = [piece for place, piece in enumerate(axis.pieces) if not mask >> place & 1 and piece is not UNKNOWN]
    known = [piece for piece in listed if piece is not UNKNOWN]
    if not missing:
        return "known"
    if REST in known or len(missing) * 2 < len(known):
        known_only = axis.plausible & axis.unknown & ~mask
        return f"{'known and ' if known_only else ''}not {_joined(missing)}"
    return " or ".join([*([_joined(known)] if known else []), *(["unknown"] if UNKNOWN in listed else [])])


def _joined(pieces: Iterable[Piece]) -> str:
    return " or ".join(word_text(piece.value) if isinstance(piece, Word) else "another word" for piece in pieces)


def _merged(axis: Axis, mask: int) -> list[Span]:
    """Neighbouring spans of a mask as one; what cannot occur closes no gap and opens no end."""
    spans: list[Span] = []
    for place, piece in enumerate(axis.pieces):
        if isinstance(piece, Span) and mask >> place & 1 and axis.plausible >> place & 1:
            if spans and spans[-1].high is not None and spans[-1].high + 1 == piece.low:
                spans[-1] = Span(spans[-1].low, piece.high)
            else:
                spans.append(piece)
    return spans


def _span(span: Span, unit: str) -> str:
    """A span of numbers; `unit` is what they count, or the currency of an amount."""
    low, high = (None if number is None else _number(number, unit) for number in (span.low, span.high))
    if high is None:
        return "any" if low is None or span.low == 0 else f"at least {low}"
    if span.low == span.high:
        return high
    if low is None or span.low == 0 or (span.low == 1 and unit in CURRENCIES):
        return f"up to {high}"
    return f"{str(low).removesuffix(_suffix(unit))} to {high}"


def _number(number: int, unit: str) -> str:
    return amount_text(number, unit) if unit in CURRENCIES else f"{number}{_suffix(unit)}"


def _suffix(unit: str) -> str:
    if unit in CURRENCIES:
        return f" {unit.upper()}"
    return "" if unit == "count" else f" {unit}".rstrip()


def _currency(space: Space, masks: Masks, name: str) -> str | None:
    """The one currency of a box, if it is one."""
    axis = space.axis(name)
    words = [
        piece.value
        for place, piece in enumerate(axis.pieces)
        if masks.get(name, axis.full) >> place & 1 and isinstance(piece, Word)
    ]
    only = masks.get(name, axis.full).bit_count() == 1
    return str(words[0]) if only and words else None


def _days(axis: Axis, mask: int) -> str:
    said = []
    for span in _merged(axis, mask):
        first = None if span.low is None else date.fromordinal(span.low)
        last = None if span.high is None else date.fromordinal(span.high)
        if first is None:
            said.append(f"until {last}")
        else:
            said.append(f"from {first} on" if last is None else f"from {first} until {last}")
    return " or ".join(said)


def effect_text(effect: Effect) -> str:
    """An effect in words: `auto after 600 s`, `approve (cs_lead, two people)`, `deny`."""
    if effect.mode is None:
        return "deny"
    if effect.mode is Mode.APPROVE:
        people = [
            *([" or ".join(effect.approvers)] if effect.approvers else []),
            *(["two people"] if effect.four_eyes else []),
        ]
        return f"approve ({', '.join(people)})" if people else "approve"
    limits = f" within {', '.join(_limit_text(limit) for limit in effect.limits)}" if effect.limits else ""
    return f"{effect.mode.value}{f' after {effect.hold_s} s' if effect.hold_s else ''}{limits}"


def _limit_text(limit: Limit) -> str:
    caps = [f"{limit.cap_minor} minor units"] if limit.cap_minor is not None else []
    caps += [f"{limit.cap_count} times"] if limit.cap_count is not None else []
    return f"{limit.limit_id} ({' and '.join(caps)} in {limit.window_s} s)"
