"""A history as JSON Lines: one decision a line, unknown values left out. `docs/history.md` describes the format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from policies.facts import CATALOGUE
from policies.whatif.history import RECORD

_CHUNK: Final = 50_000
_TIME: Final = "%Y-%m-%dT%H:%M:%S%.6fZ"
_PLAIN: Final = r'[\x00-\x1f"\\]'


def history_lines(history: pl.DataFrame) -> Iterator[str]:
    """The history in pieces of many lines; the same history gives the same bytes."""
    facts = sorted(name for name in history.columns if name in CATALOGUE)
    line = pl.concat_str(
        pl.lit("{"),
        _members(history, [name for name in RECORD if name in history.columns]),
        pl.lit(',"facts":{'),
        _members(history, facts),
        pl.lit("}}\n"),
    )
    for chunk in history.iter_slices(_CHUNK):
        yield chunk.select(line.alias("line")).get_column("line").str.join("")[0] or ""


def _members(history: pl.DataFrame, names: list[str]) -> pl.Expr:
    """The known values of a row as members of a JSON object."""
    if not names:
        return pl.lit("")
    return pl.concat_str([_member(name, history.schema[name]) for name in names], ignore_nulls=True).str.strip_prefix(
        ","
    )


def _member(name: str, kind: pl.DataType) -> pl.Expr:
    """`,"name":value`, or null."""
    column = pl.col(name)
    if isinstance(kind, pl.Datetime):
        value = pl.format('"{}"', column.dt.strftime(_TIME))
    elif isinstance(kind, pl.String):
        value = _quoted(column)
    elif isinstance(kind, pl.Enum):
        value = pl.format('"{}"', column.cast(pl.String))
    elif isinstance(kind, pl.Boolean):
        value = pl.when(column).then(pl.lit("true")).when(~column).then(pl.lit("false"))
    else:
        value = column.cast(pl.String)
    return pl.format(f',"{name}":{{}}', value)


def _quoted(column: pl.Expr) -> pl.Expr:
    """A JSON string. Words of ours need no escape; whatever else does gets one."""
    escaped = column.str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    for code in range(0x20):
        escaped = escaped.str.replace_all(chr(code), f"\\u{code:04x}", literal=True)
    plain = ~column.str.contains(_PLAIN)
    return pl.format('"{}"', pl.when(plain).then(column).otherwise(escaped))
