"""Reading JSON without trust: a value of the expected type, or a `WireError` that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from connectors.errors import WireError

Fields = Mapping[str, object]


def mapping(value: object, what: str) -> Fields:
    """An object.

    Raises:
        WireError: it is something else.
    """
    if not isinstance(value, Mapping):
        raise WireError(f"{what} is {type(value).__name__}, not an object: Zendesk's answer cannot be read")
    return value


def part(fields: Fields, name: str) -> Fields:
    """An object inside another; an empty one where the field is missing or null.

    Raises:
        WireError: something else.
    """
    value = fields.get(name)
    return {} if value is None else mapping(value, f"field {name!r}")


def integer(fields: Fields, name: str) -> int:
    """A number without fraction, also where it was sent as a string.

    Raises:
        WireError: missing or something else.
    """
    number = maybe_integer(fields, name)
    if number is None:
        raise WireError(f"field {name!r} is missing: Zendesk's answer cannot be read")
    return number


def maybe_integer(fields: Fields, name: str) -> int | None:
    """Like `integer`, but the field may be missing, null or empty.

    Raises:
        WireError: something else.
    """
    value = fields.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    # `isdecimal` alone accepts digits of other scripts, and `int` reads them.
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    raise WireError(f"field {name!r} is {value!r}, not a number: Zendesk's answer cannot be read")


def text(fields: Fields, name: str) -> str:
    """A string; the empty one where the field is missing or null.

    Raises:
        WireError: something else.
    """
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise WireError(f"field {name!r} is {value!r}, not a string: Zendesk's answer cannot be read")
    return value


def maybe_text(fields: Fields, name: str) -> str | None:
    """A string, or `None` where the field is missing, null or empty.

    Raises:
        WireError: something else.
    """
    return text(fields, name) or None


def flag(fields: Fields, name: str, *, default: bool | None = None) -> bool:
    """A boolean.

    Raises:
        WireError: something else, or missing where there is no default.
    """
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, bool):
        raise WireError(f"field {name!r} is {value!r}, not a boolean: Zendesk's answer cannot be read")
    return value


def moment(fields: Fields, name: str) -> datetime:
    """A time, aware and in UTC.

    Raises:
        WireError: missing or something else.
    """
    value = text(fields, name)
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError as error:
        raise WireError(f"field {name!r} is {value!r}, not a time: Zendesk's answer cannot be read") from error
    if parsed.tzinfo is None:
        raise WireError(f"field {name!r} is {value!r}, without a zone: Zendesk's answer cannot be read")
    return parsed.astimezone(UTC)


def items(fields: Fields, name: str) -> tuple[object, ...]:
    """A list; empty where the field is missing or null.

    Raises:
        WireError: something else.
    """
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise WireError(f"field {name!r} is {type(value).__name__}, not a list: Zendesk's answer cannot be read")
    return tuple(value)


def integers(fields: Fields, name: str) -> tuple[int, ...]:
    """A list of numbers.

    Raises:
        WireError: something else.
    """
    return tuple(integer({name: entry}, name) for entry in items(fields, name))


def texts(fields: Fields, name: str) -> tuple[str, ...]:
    """A list of strings.

    Raises:
        WireError: something else.
    """
    return tuple(text({name: entry}, name) for entry in items(fields, name))
