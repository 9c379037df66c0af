"""Turns pydantic's report about settings into lines a person can act on: the setting, what is wrong, what is meant.

Promises: one line for each problem; never the value, because it may be a secret.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ValidationError


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each problem, naming the setting as it stands in a TOML file (`tenants.acme.stripe.api_key`)."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        place = [str(part) for part in problem["loc"]]
        path = ".".join(place)
        if problem["type"] == "extra_forbidden":
            lines.append(f"unknown setting {path!r}; {nearest(place[-1], keys_at(model, place[:-1]))}")
        elif problem["type"] == "missing":
            lines.append(f"setting {path!r} is missing; give it a value")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            lines.append(f"setting {path!r} {message[:1].lower()}{message[1:]}" if path else message)
    return lines


def nearest(name: str, known: Sequence[str]) -> str:
    """What was probably meant, or what there is."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known are " + ", ".join(sorted(known)) if known else "remove it"


def keys_at(model: type[BaseModel], place: Iterable[str]) -> list[str]:
    """The keys that a table of the settings may have; empty where it is not a table of ours."""
    current: type[BaseModel] | None = model
    is_named_by_user = False
    for part in place:
        if is_named_by_user:
            is_named_by_user = False
            continue
        field = current.model_fields.get(part) if current is not None else None
        current, is_named_by_user = _inner_model(field.annotation) if field is not None else (None, False)
    return list(current.model_fields) if current is not None else []


def _inner_model(annotation: object) -> tuple[type[BaseModel] | None, bool]:
    """The model inside of an annotation, and whether it sits in a table whose keys the user chooses."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is dict:
        return _inner_model(arguments[1])[0], True
    if origin in (typing.Union, types.UnionType):
        models = [_inner_model(argument) for argument in arguments]
        return next((found for found in models if found[0] is not None), (None, False))
    return None, False
