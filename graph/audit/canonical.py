"""One spelling of a JSON value, so that a hash over it can be repeated by anybody.

The rules are those of RFC 8785 (https://www.rfc-editor.org/rfc/rfc8785): keys in the order of their UTF-16 code units,
no white space, the shortest escapes, UTF-8. Numbers are integers that every JSON reader holds exactly; a float is
refused instead of being spelled, because two libraries may spell it differently.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from graph.audit.errors import NotCanonicalError

MAX_INTEGER: Final = 2**53 - 1
"""RFC 8785 section 3.2.2.3: integers beyond this are not exact in every JSON reader."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False)


def canonical_json(value: object) -> bytes:
    """The canonical bytes of a JSON value.

    >>> canonical_json({"b": [1, True, None], "a": "é"}).decode()
    '{"a":"é","b":[1,true,null]}'

    Raises:
        NotCanonicalError: a float, an integer beyond 53 bits, a key that is not text, text that is not Unicode or holds
            NUL (which PostgreSQL's JSONB cannot store), or a value that is not JSON at all.
    """
    try:
        return _ENCODER.encode(_ordered(value)).encode()
    except UnicodeEncodeError as error:
        raise NotCanonicalError(f"text {error.object[:80]!r} is not valid Unicode: decode it first") from error


def _ordered(value: object) -> object:
    # The exact types first: nearly every value has one, and this runs for every event.
    kind = type(value)
    if kind is str:
        return _text(value)  # type: ignore[arg-type]  # a `str`, by its type
    if value is None or kind is bool:
        return value
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise NotCanonicalError(f"integer {value} is beyond 53 bits: write it as text")
        return int(value)
    if isinstance(value, dict | Mapping):
        return {key: _ordered(value[key]) for key in _sorted_keys(value)}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    if isinstance(value, str):
        return _text(str(value))
    raise NotCanonicalError(f"a {kind.__name__} has no canonical JSON: give text or an integer, not {value!r}")


def _sorted_keys(mapping: Mapping[str, object]) -> list[str]:
    for key in mapping:
        if not isinstance(key, str):
            raise NotCanonicalError(f"key {key!r} is not text: name the field")
        _text(key)
    # For ASCII the order of UTF-16 code units is Python's own.
    return sorted(mapping) if all(map(str.isascii, mapping)) else sorted(mapping, key=_utf_16)


def _utf_16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _text(text: str) -> str:
    if "\x00" in text:
        raise NotCanonicalError(f"text {text[:80]!r} holds a NUL character: remove it")
    return text
