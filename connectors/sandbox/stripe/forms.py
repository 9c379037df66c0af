"""Parameters of a request: form or query, flat names with brackets, and the checks that come before any effect.

https://docs.stripe.com/api/errors : what fails here is an `invalid_request_error`, and nothing is kept under the key.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import parse_qsl

from connectors.sandbox.stripe.objects import Thing
from connectors.sandbox.stripe.problems import StripeProblem, invalid

Form = dict[str, str]

_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_MAX_METADATA: Final = 50
_MAX_KEY: Final = 40
_MAX_VALUE: Final = 500
_BOOLEANS: Final = {"true": True, "false": False}


def parse(encoded: str) -> Form:
    """The parameters of a body or a query."""
    return dict(parse_qsl(encoded, keep_blank_values=True))


def known_only(form: Form, allowed: Collection[str]) -> None:
    """Refuse a parameter that the endpoint does not have. https://docs.stripe.com/error-codes#parameter-unknown ."""
    for name in form:
        if name.partition("[")[0] not in allowed:
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")


def integer(form: Form, name: str) -> int | None:
    """An integer, if given. https://docs.stripe.com/error-codes#parameter-invalid-integer ."""
    value = form.get(name)
    if value is None:
        return None
    if not _INTEGER.fullmatch(value):
        raise invalid(f"Invalid integer: {value}", param=name, code="parameter_invalid_integer")
    return int(value)


def boolean(form: Form, name: str) -> bool | None:
    """A boolean, if given."""
    value = form.get(name)
    if value is None:
        return None
    if value not in _BOOLEANS:
        raise invalid(f"Invalid boolean: {value}", param=name)
    return _BOOLEANS[value]


def choice(form: Form, name: str, allowed: Collection[str]) -> str | None:
    """One of a few words, if given."""
    value = form.get(name)
    if value is not None and value not in allowed:
        raise invalid(f"Invalid {name}: must be one of {', '.join(allowed)}", param=name)
    return value


def nested(form: Form, name: str) -> Form:
    """The entries `name[key]` by key."""
    start = f"{name}["
    return {key[len(start) : -1]: value for key, value in form.items() if key.startswith(start) and key.endswith("]")}


def metadata(form: Form) -> Form:
    """New metadata entries. https://docs.stripe.com/api/metadata ."""
    entries = nested(form, "metadata")
    if len(entries) > _MAX_METADATA:
        raise invalid(f"Metadata can have up to {_MAX_METADATA} keys.", param="metadata")
    for key, value in entries.items():
        if len(key) > _MAX_KEY or "[" in key or "]" in key:
            raise invalid(f"Metadata keys can have up to {_MAX_KEY} characters.", param=f"metadata[{key}]")
        if len(value) > _MAX_VALUE:
            raise invalid(f"Metadata values can have up to {_MAX_VALUE} characters.", param=f"metadata[{key}]")
    return entries


def merge_metadata(thing: Thing, entries: Mapping[str, str]) -> None:
    """Update metadata key by key; an empty value removes a key. https://docs.stripe.com/metadata ."""
    for key, value in entries.items():
        if value:
            thing["metadata"][key] = value
        else:
            thing["metadata"].pop(key, None)


def one_of(form: Form, names: tuple[str, str]) -> str:
    """The name of the one parameter of two that is given."""
    given = [name for name in names if form.get(name)]
    if not given:
        raise invalid(
            f"One of the following params should be provided for this request: {' or '.join(names)}.",
            param=names[0],
            code="parameter_missing",
        )
    if len(given) > 1:
        raise StripeProblem(400, f"You may only specify one of these parameters: {', '.join(names)}.")
    return given[0]
