"""The axes on which policies are compared: each fact they mention, cut where one of them could change its mind.

A piece of an axis is a word, the remaining words, a span of whole numbers, or that the fact is unknown. Two comparisons
of facts with facts are axes of their own (is the refund larger than what is left, is its currency another one), tied to
the facts by `possible`. Days are an axis, too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

from policies.analysis.diagram import DEFAULT_BOUND, Diagrams, Function
from policies.analysis.mentions import Mentions, mentions_of
from policies.conditions import Values
from policies.document import Policy
from policies.facts import CATALOGUE, FactType, FactValue

DAY: Final = "day"
TOO_MUCH: Final = "more than is left"
OTHER_CURRENCY: Final = "another currency"

KIND, INTENT, SEGMENT, BRAND = "action.kind", "request.intent", "requester.segment", "request.brand"
CURRENCY, CHARGE_CURRENCY = "action.currency", "charge.currency"
AMOUNT, LEFT = "action.amount_minor", "charge.refundable_minor"

_FIRST: Final = (KIND, INTENT, SEGMENT, BRAND, CURRENCY, CHARGE_CURRENCY, OTHER_CURRENCY, DAY)
_LAST: Final = (
    "request.confidence_percent",
    "request.language",
    "run.draft_only",
    "charge.owned_by_requester",
    "charge.disputed",
    "requester.verified",
    LEFT,
    TOO_MUCH,
    AMOUNT,
)
MAY_BE_NEGATIVE: Final = frozenset({"order.days_past_promised", "item.price_drop_minor"})
PERCENT_ENDS: Final = 101


@dataclass(frozen=True, slots=True)
class Word:
    """One word or truth value."""

    value: FactValue


@dataclass(frozen=True, slots=True)
class Rest:
    """Every word that no policy here mentions."""


@dataclass(frozen=True, slots=True)
class Span:
    """Whole numbers, both ends included; None is open. Days are their ordinals."""

    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The fact is not known."""


Piece = Word | Rest | Span | Unknown
UNKNOWN: Final = Unknown()
REST: Final = Rest()


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its pieces in order. `plausible` masks those that can occur, `known` those that are not unknown."""

    name: str
    pieces: tuple[Piece, ...]
    places: Mapping[FactValue, int]
    starts: tuple[int, ...] | None
    plausible: int

    @property
    def full(self) -> int:
        """The mask of all pieces."""
        return (1 << len(self.pieces)) - 1

    @property
    def unknown(self) -> int:
        """The mask of the piece that says unknown; 0 where there is none."""
        return sum(1 << place for place, piece in enumerate(self.pieces) if piece is UNKNOWN)

    @property
    def known(self) -> int:
        """The mask of everything else."""
        return self.full & ~self.unknown

    def words(self, values: Iterable[object]) -> int:
        """The mask of the pieces of these words. Words without a piece are not on this axis."""
        listed = frozenset(values)
        return sum(1 << place for word, place in self.places.items() if word in listed)

    def numbers(self, low: int | None, high: int | None) -> int:
        """The mask of the spans inside of these bounds, which are cuts of the axis."""
        mask = 0
        for place, piece in enumerate(self.pieces):
            if isinstance(piece, Span):
                above = low is None or (piece.low is not None and piece.low >= low)
                below = high is None or (piece.high is not None and piece.high <= high)
                mask |= (1 << place) if above and below else 0
        return mask

    def place(self, value: FactValue | None) -> int:
        """In which piece a value of the fact lies."""
        if value is None:
            return len(self.pieces) - 1
        if self.starts is not None:
            assert isinstance(value, int)
            return bisect_right(self.starts, value)
        found = self.places.get(value)
        return self.pieces.index(REST) if found is None else found


class Space:
    """The axes of some policies, the diagrams over them, and what can occur at all (`possible`).

    Pieces that cannot occur (a negative count, more than 100 percent, an action that is not known) are left out, unless
    `has_impossible` asks for them: `decide` answers them, too.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        *,
        bound: int = DEFAULT_BOUND,
        has_impossible: bool = False,
    ) -> None:
        mentions = mentions_of(policies)
        axes = (_axis(name, mentions) for name in _order(mentions))
        self.axes: tuple[Axis, ...] = tuple(axis if has_impossible else _possible_part(axis) for axis in axes)
        self.level: Mapping[str, int] = {axis.name: level for level, axis in enumerate(self.axes)}
        self.diagrams = Diagrams([len(axis.pieces) for axis in self.axes], bound=bound)
        self.consistent: Function = self.diagrams.both(self._amounts_agree(), self._currencies_agree())
        self.possible: Function = self.diagrams.both(
            self.consistent,
            self.diagrams.box({level: axis.plausible for level, axis in enumerate(self.axes)}),
        )

    def axis(self, name: str) -> Axis:
        """The axis of a fact."""
        return self.axes[self.level[name]]

    def box_of(self, masks: Mapping[str, int]) -> Function:
        """A box by facts' names."""
        return self.diagrams.box({self.level[name]: mask for name, mask in masks.items()})

    def words(self, name: str, *values: object) -> Function:
        """True where the fact is one of the words."""
        return self.box_of({name: self.axis(name).words(values)})

    def true(self, name: str) -> Function:
        """True where the fact is known to be so."""
        return self.box_of({name: self.axis(name).words([True])})

    def unknown(self, name: str) -> Function:
        """True where the fact is unknown."""
        return self.box_of({name: self.axis(name).unknown})

    def point(self, values: Values, day: date) -> list[int]:
        """The cell in which a case lies."""
        return [self._piece_of(axis, values, day) for axis in self.axes]

    def _piece_of(self, axis: Axis, values: Values, day: date) -> int:
        if axis.name == DAY:
            return axis.place(day.toordinal())
        if axis.name == TOO_MUCH:
            amount, left = values.get(AMOUNT), values.get(LEFT)
            known = isinstance(amount, int) and isinstance(left, int)
            return axis.place(amount > left if known else None)  # type: ignore[operator]  # both are integers
        if axis.name == OTHER_CURRENCY:
            ours, theirs = values.get(CURRENCY), values.get(CHARGE_CURRENCY)
            return axis.place(None if ours is None or theirs is None else ours != theirs)
        return axis.place(values.get(axis.name))

    # what can occur together

    def _amounts_agree(self) -> Function:
        """The refund is larger than what is left just where some amounts of the two pieces are so."""
        amounts, left, flag = self.axis(AMOUNT), self.axis(LEFT), self.axis(TOO_MUCH)
        agreeing: list[Function] = []
        for there, rest in enumerate(left.pieces):
            larger = smaller = unknown = 0
            for here, amount in enumerate(amounts.pieces):
                if isinstance(amount, Span) and isinstance(rest, Span):
                    larger |= _bit(here, is_set=_can_pass(amount.high, rest.low))
                    smaller |= _bit(here, is_set=_can_reach(amount.low, rest.high))
                else:
                    unknown |= 1 << here
            for mask, truth in ((larger, flag.words([True])), (smaller, flag.words([False])), (unknown, flag.unknown)):
                agreeing.append(self.box_of({AMOUNT: mask, LEFT: 1 << there, TOO_MUCH: truth}))
        return self.diagrams.either(agreeing)

    def _currencies_agree(self) -> Function:
        ours, flag = self.axis(CURRENCY), self.axis(OTHER_CURRENCY)
        agreeing: list[Function] = []
        for place, piece in enumerate(ours.pieces):
            same = 1 << place
            if piece is UNKNOWN:
                agreeing.append(self.box_of({CURRENCY: same, OTHER_CURRENCY: flag.unknown}))
                continue
            other = ours.known if piece is REST else ours.known & ~same
            agreeing += [
                self.box_of({CURRENCY: same, CHARGE_CURRENCY: mask, OTHER_CURRENCY: truth})
                for mask, truth in (
                    (same, flag.words([False])),
                    (other, flag.words([True])),
                    (ours.unknown, flag.unknown),
                )
            ]
        return self.diagrams.either(agreeing)


def _bit(place: int, *, is_set: bool) -> int:
    return (1 << place) if is_set else 0


def _can_pass(highest: int | None, lowest: int | None) -> bool:
    return highest is None or lowest is None or highest > lowest


def _can_reach(lowest: int | None, highest: int | None) -> bool:
    return lowest is None or highest is None or lowest <= highest


def _order(mentions: Mentions) -> tuple[str, ...]:
    """What most rules ask about on top, amounts at the bottom: the smaller the diagrams."""
    edges = {*_FIRST, *_LAST}
    return (*_FIRST, *(name for name in mentions.facts if name not in edges), *_LAST)


def _axis(name: str, mentions: Mentions) -> Axis:
    if name == DAY:
        pieces = _spans(mentions.days)
        return Axis(name, pieces, {}, tuple(sorted(mentions.days)), (1 << len(pieces)) - 1)
    fact = CATALOGUE.get(name)
    if fact is None or fact.type is FactType.BOOLEAN:
        return _worded(name, (False, True), has_others=False)
    if fact.type is FactType.ENUM:
        mentioned = fact.values if name in {KIND, INTENT} else sorted(mentions.words.get(name, ()), key=str)
        return _worded(name, mentioned, has_others=len(mentioned) < len(fact.values))
    if fact.type is FactType.LABEL:
        return _worded(name, sorted(mentions.words.get(name, ()), key=str), has_others=True)
    starts = set(mentions.cuts.get(name, ()))
    starts |= set() if name in MAY_BE_NEGATIVE else {0}
    starts |= {PERCENT_ENDS} if fact.unit == "percent" else set()
    pieces = (*_spans(starts), UNKNOWN)
    plausible = sum(1 << place for place, piece in enumerate(pieces) if _is_plausible(piece, name, fact.unit))
    return Axis(name, pieces, {}, tuple(sorted(starts)), plausible)


def _worded(name: str, words: Sequence[FactValue], *, has_others: bool) -> Axis:
    pieces: tuple[Piece, ...] = (*(Word(word) for word in words), *((REST,) if has_others else ()), UNKNOWN)
    places = {word: place for place, word in enumerate(words)}
    # Whatever is decided is an action for an intent; everything else may be unknown.
    plausible = len(pieces) - (name in {KIND, INTENT})
    return Axis(name, pieces, places, None, (1 << plausible) - 1)


def _spans(starts: Iterable[int]) -> tuple[Piece, ...]:
    ends = [None, *sorted(starts), None]
    return tuple(Span(low, None if after is None else after - 1) for low, after in pairwise(ends))


def _possible_part(axis: Axis) -> Axis:
    """The axis without the pieces that cannot occur, which are its first or its last."""
    pieces = tuple(piece for place, piece in enumerate(axis.pieces) if axis.plausible >> place & 1)
    starts = axis.starts
    if starts is not None:
        lows = [piece.low for piece in pieces if isinstance(piece, Span)]
        starts = tuple(low for low in lows[1:] if low is not None)
    return Axis(axis.name, pieces, axis.places, starts, (1 << len(pieces)) - 1)


def _is_plausible(piece: Piece, name: str, unit: str) -> bool:
    if not isinstance(piece, Span):
        return True
    if name not in MAY_BE_NEGATIVE and (piece.low is None or piece.low < 0):
        return False
    return unit != "percent" or (piece.low is not None and piece.low < PERCENT_ENDS)
