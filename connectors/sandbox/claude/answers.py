"""What the double of Claude says: scripted answers first, then a deterministic responder.

Promises that the same request gets the same answer. `smallest_value` is the responder where the composition gives none:
a value of the asked schema that claims nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as far as an answer depends on it."""

    model: str
    system: tuple[str, ...]
    user: str
    schema: Mapping[str, Any] | None
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says.

    `value` is sent as JSON; a string is sent as it is, so that a script can say something that is no JSON. `refused`
    names the category of a refusal, which is sent without content.
    """

    value: object = None
    stop_reason: str = "end_turn"
    refused: str | None = None


Responder = Callable[[Asked], Answer]


def smallest_value(asked: Asked) -> Answer:
    """The smallest value of the schema; an empty text where no schema was given."""
    return Answer("") if asked.schema is None else Answer(_smallest(asked.schema, asked.schema))


def _smallest(schema: Mapping[str, Any], root: Mapping[str, Any]) -> object:  # noqa: PLR0911 - one per kind of schema
    if "$ref" in schema:
        return _smallest(_resolve(str(schema["$ref"]), root), root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return _smallest(_preferred(schema[key]), root)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = "null" if "null" in kind else kind[0]
    if kind == "object":
        wanted: Sequence[str] = schema.get("required", ())
        return {name: _smallest(schema["properties"][name], root) for name in wanted}
    if kind == "array":
        return [_smallest(schema["items"], root)] * int(schema.get("minItems", 0))
    return {"string": "", "integer": 0, "number": 0, "boolean": False}.get(str(kind))


def _preferred(options: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Null where it is allowed: it claims least."""
    return next((option for option in options if option.get("type") == "null"), options[0])


def _resolve(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    assert isinstance(found, Mapping)
    return found
