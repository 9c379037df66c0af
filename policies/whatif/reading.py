"""JSON Lines to a history. Strict: a name nobody knows and a value of another type are refused with their line.

Lines are taken in pieces, so that a piece without an error costs little; where a piece does not fit, its lines are
looked at one by one, and the first that is wrong is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final

import orjson
import polars as pl

from policies.errors import FactError
from policies.facts import CATALOGUE, Facts, FactType
from policies.whatif.history import RECORD, REQUIRED, HistoryError, empty_history, fact_type

_CHUNK: Final = 20_000
LONGEST_LINE: Final = 100_000
FACTS: Final = "facts"
_TYPES: Final[Mapping[str, type]] = {
    name: {FactType.BOOLEAN: bool, FactType.INTEGER: int, FactType.MONEY: int}.get(fact.type, str)
    for name, fact in CATALOGUE.items()
}
_EXAMPLE: Final = '{"ticket": "1042", "at": "2026-11-21T09:00:00Z", "verdict": "allow", "mode": "auto", "facts": {}}'


def read_history(lines: Iterable[bytes], *, name: str) -> pl.DataFrame:
    """The history that the lines spell; empty lines are skipped.

    Args:
        lines: one JSON object each.
        name: what messages call the file.

    Raises:
        HistoryError: the first line that is wrong, by its number, with the field, the value and what to do.
    """
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    pieces = [_piece(piece, name) for piece in iter(lambda: list(islice(numbered, _CHUNK)), [])]
    if not pieces:
        return empty_history()
    history = pl.concat(pieces)
    unknown = [fact for fact in CATALOGUE if history.get_column(fact).null_count() == len(history)]
    return history.drop(unknown)


def _piece(lines: list[tuple[int, bytes]], name: str) -> pl.DataFrame:
    records = [_parsed(line, f"{name}:{number}") for number, line in lines]
    try:
        rows = ([*_own(record), *_plain(record)] for record in records)
        columns = zip(_COLUMNS.items(), zip(*rows, strict=True), strict=True)
        return pl.DataFrame([pl.Series(column, values, dtype=kind) for (column, kind), values in columns])
    except (_Odd, KeyError, TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        numbered = zip(lines, records, strict=True)
        wrong = (f"{name}:{number}: {problem}" for (number, _), record in numbered for problem in _problems(record))
        unnamed = f"{name}:{lines[0][0]}: a value does not fit ({type(error).__name__}): write lines like {_EXAMPLE}"
        raise HistoryError(next(wrong, unnamed)) from error


class _Odd(Exception):
    """Something in a piece is not plainly right."""


def _parsed(line: bytes, place: str) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise HistoryError(
            f"{place}: the line has {len(line)} bytes, more than {LONGEST_LINE}: put one decision on a line"
        )
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise HistoryError(f"{place}: not JSON ({error}): write one object on a line, like {_EXAMPLE}") from error
    if not isinstance(record, dict) or not isinstance(record.get(FACTS), dict):
        raise HistoryError(f"{place}: {_shown(record)} has no object 'facts': write lines like {_EXAMPLE}")
    return record


def _plain(record: Mapping[str, Any]) -> list[object]:
    facts = record[FACTS]
    for fact, value in facts.items():
        if type(value) is not _TYPES[fact] and value is not None:
            raise _Odd
    return [facts.get(fact) for fact in CATALOGUE]


def _own(record: Mapping[str, Any]) -> list[object]:
    if record.keys() - _FIELDS or any(record.get(field) is None for field in REQUIRED):
        raise _Odd
    values = [record.get(field) for field in RECORD]
    at = _time(record["at"])
    refunded = record.get("refunded_minor")
    if (
        at is None
        or any(type(value) is not str for value in values[:-1] if value is not None)
        or type(refunded) is bool
    ):
        raise _Odd
    return [at if field == "at" else value for field, value in zip(RECORD, values, strict=True)]


def _time(value: object) -> datetime | None:
    """The moment in UTC; None where it is none, has no zone, or lies before the first year or after the last."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _problems(record: Mapping[str, Any]) -> Iterator[str]:
    """All that is wrong with a record."""
    for field in record:
        if field not in _FIELDS:
            close = get_close_matches(field, _FIELDS, n=1)
            meant = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(_FIELDS))}"
            yield f"unknown field {field!r}; {meant}"
    for field in REQUIRED:
        if record.get(field) is None:
            yield f"field {field!r} is missing: write lines like {_EXAMPLE}"
    for field, fits, hint in _RULES:
        value = record.get(field)
        if value is not None and not fits(value):
            yield f"field {field!r} cannot be {_shown(value)}: give {hint}"
    try:
        Facts(record[FACTS])
    except FactError as error:
        yield str(error)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_amount(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_time(value: object) -> bool:
    return _time(value) is not None


def _word_of(kind: pl.Enum) -> tuple[Callable[[object], bool], str]:
    words = kind.categories.to_list()
    return (lambda value: value in words), f"one of {', '.join(words)}"


def _rules() -> Iterator[tuple[str, Callable[[object], bool], str]]:
    for field, kind in RECORD.items():
        if isinstance(kind, pl.Enum):
            yield field, *_word_of(kind)
        elif isinstance(kind, pl.Int64):
            yield field, _is_amount, "a whole number of minor units"
        elif isinstance(kind, pl.Datetime):
            yield field, _is_time, "a time with its zone, like 2026-11-21T09:00:00Z"
        else:
            yield field, _is_text, "text"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - one line of a terminal


_RULES: Final = tuple(_rules())
_FIELDS: Final = frozenset({*RECORD, FACTS})
_COLUMNS: Final = {**RECORD, **{name: fact_type(fact) for name, fact in CATALOGUE.items()}}
