"""One worked case out of a set of cells: facts and a day that `countersign policy decide` answers alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from types import MappingProxyType

from policies.analysis.diagram import Function
from policies.analysis.space import (
    AMOUNT,
    CHARGE_CURRENCY,
    CURRENCY,
    DAY,
    KIND,
    LEFT,
    OTHER_CURRENCY,
    REST,
    TOO_MUCH,
    UNKNOWN,
    Axis,
    Piece,
    Space,
    Span,
    Word,
)
from policies.analysis.standing import a_day_of
from policies.facts import CATALOGUE, FactType, FactValue
from policies.vocabulary import ActionKind

A_STRANGER = "other"
_NOON = time(12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Example:
    """The facts of one case. What is left out is unknown, and does not matter."""

    facts: Mapping[str, FactValue]
    now: datetime


def example_of(space: Space, cells: Function) -> Example:
    """A case of a set of cells that is not empty: known facts before unknown ones, small numbers before large."""
    diagrams = space.diagrams
    chosen: dict[str, Piece] = {}
    while not diagrams.is_constant(cells):
        axis = space.axes[diagrams.level(cells)]
        open_edges = [(mask, child) for mask, child in diagrams.edges(cells) if child != diagrams.never]
        place = min(
            (place for mask, _ in open_edges for place in range(len(axis.pieces)) if mask >> place & 1),
            key=lambda place, axis=axis: _strangeness(axis, place),  # type: ignore[misc]  # bound per round
        )
        chosen[axis.name] = axis.pieces[place]
        cells = next(child for mask, child in open_edges if mask >> place & 1)
    assert cells == diagrams.always
    return _case(space, chosen)


def _strangeness(axis: Axis, place: int) -> tuple[bool, bool, bool, int]:
    piece = axis.pieces[place]
    plain = axis.name != KIND or piece == Word(ActionKind.REFUND)
    return (piece is UNKNOWN, not axis.plausible >> place & 1, not plain, place)


def _case(space: Space, chosen: Mapping[str, Piece]) -> Example:
    values: dict[str, FactValue] = {}
    for name, piece in chosen.items():
        told = name in CATALOGUE and name not in {AMOUNT, LEFT, CURRENCY, CHARGE_CURRENCY} and piece is not UNKNOWN
        if told and set(space.axis(name).pieces) != {REST, UNKNOWN}:
            values[name] = _value(space.axis(name), piece)
    values |= _amounts(chosen) | _currencies(space, chosen)
    day: date = a_day_of(chosen.get(DAY, space.axis(DAY).pieces[-1]))
    return Example(MappingProxyType(dict(sorted(values.items()))), datetime.combine(day, _NOON))


def _value(axis: Axis, piece: Piece) -> FactValue:
    if isinstance(piece, Word):
        return str(piece.value) if isinstance(piece.value, str) else piece.value
    if isinstance(piece, Span):
        return _number(piece)
    fact = CATALOGUE[axis.name]
    if fact.type is FactType.LABEL:
        return next(word for word in _strangers() if word not in axis.places)
    return next(word for word in fact.values if word not in axis.places)


def _strangers() -> Sequence[str]:
    return [A_STRANGER, *(f"{A_STRANGER}-{number}" for number in range(100))]


def _number(span: Span) -> int:
    if span.low is not None:
        return span.low
    return 0 if span.high is None else span.high


def _amounts(chosen: Mapping[str, Piece]) -> dict[str, FactValue]:
    """The action's amount and what is left of the charge, so that their comparison is the chosen one."""
    amount, left, flag = chosen.get(AMOUNT), chosen.get(LEFT), chosen.get(TOO_MUCH)
    values: dict[str, FactValue] = {}
    if isinstance(amount, Span) and isinstance(left, Span) and isinstance(flag, Word):
        some, rest = _number(amount), _number(left)
        return {AMOUNT: max(some, rest + 1), LEFT: rest} if flag.value else {AMOUNT: some, LEFT: max(some, rest)}
    for name, piece in ((AMOUNT, amount), (LEFT, left)):
        if isinstance(piece, Span):
            values[name] = _number(piece)
    return values


def _currencies(space: Space, chosen: Mapping[str, Piece]) -> dict[str, FactValue]:
    """The two currencies, so that they are the same or not as chosen."""
    others = [code for code in CATALOGUE[CURRENCY].values if code not in space.axis(CURRENCY).places]
    flag = chosen.get(OTHER_CURRENCY)
    values: dict[str, FactValue] = {}
    for name in (CURRENCY, CHARGE_CURRENCY):
        piece = chosen.get(name)
        if isinstance(piece, Word):
            values[name] = str(piece.value)
        elif piece is REST:
            differs = name == CHARGE_CURRENCY and isinstance(flag, Word) and flag.value is True
            values[name] = others[1 if differs and values.get(CURRENCY) == others[0] else 0]
    return values
