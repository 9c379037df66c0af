"""Reading single fields of Stripe's JSON, strictly.

Promises a value of the type asked for or a `WireError` that names object and field. It refuses to guess: a field that
is absent, null or of another type never becomes a zero, an empty string or `False` unless the caller says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from connectors.errors import WireError
from policies.errors import MoneyError
from policies.money import Money

Json = Mapping[str, object]


def _wrong(source: Json, name: str, wanted: str) -> WireError:
    return WireError(
        f"stripe's {source.get('object', 'object')} {source.get('id', '?')!r} has no readable {name!r}"
        f" ({wanted} expected): pin the api version of key and webhook endpoint"
    )


def text(source: Json, name: str) -> str:
    """A string that is there."""
    value = source.get(name)
    if not isinstance(value, str):
        raise _wrong(source, name, "a string")
    return value


def maybe_text(source: Json, name: str) -> str | None:
    """A string, or `None` where it is null or absent."""
    return None if source.get(name) is None else text(source, name)


def integer(source: Json, name: str) -> int:
    """An integer that is there."""
    value = source.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(source, name, "an integer")
    return value


def truth(source: Json, name: str) -> bool:
    """A boolean that is there."""
    value = source.get(name)
    if not isinstance(value, bool):
        raise _wrong(source, name, "a boolean")
    return value


def moment(source: Json, name: str) -> datetime:
    """A Unix time in seconds as an aware UTC time."""
    try:
        return datetime.fromtimestamp(integer(source, name), UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise _wrong(source, name, "a Unix time") from error


def maybe_moment(source: Json, name: str) -> datetime | None:
    """A time, or `None` where it is null or absent."""
    return None if source.get(name) is None else moment(source, name)


def mapping(source: Json, name: str) -> Json:
    """A nested object that is there."""
    value = source.get(name)
    if not isinstance(value, Mapping):
        raise _wrong(source, name, "an object")
    return value


def maybe_mapping(source: Json, name: str) -> Json:
    """A nested object; empty where it is null or absent, so that its own fields read as absent."""
    return {} if source.get(name) is None else mapping(source, name)


def items(source: Json, name: str) -> tuple[Json, ...]:
    """The objects of an array that is there."""
    value = source.get(name)
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise _wrong(source, name, "an array of objects")
    return tuple(value)


def money(source: Json, name: str) -> Money:
    """An amount in minor units, in the currency of the same object.

    https://docs.stripe.com/currencies#minor-units
    """
    try:
        return Money(integer(source, name), text(source, "currency"))
    except MoneyError as error:
        raise WireError(f"stripe's {source.get('object')} {source.get('id')!r}: {error}") from error


def reference(source: Json, name: str) -> str:
    """The id of another object, whether or not that object is expanded in its place.

    https://docs.stripe.com/api/expanding_objects
    """
    value = source.get(name)
    return text(value, "id") if isinstance(value, Mapping) else text(source, name)


def maybe_reference(source: Json, name: str) -> str | None:
    """The id of another object, or `None` where there is none."""
    return None if source.get(name) is None else reference(source, name)


def metadata(source: Json) -> Mapping[str, str]:
    """The shop's own keys and values. https://docs.stripe.com/api/metadata ."""
    return {key: value for key, value in maybe_mapping(source, "metadata").items() if isinstance(value, str)}
