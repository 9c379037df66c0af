"""A question to a model: its role, what it is told, the form of the answer, and how the answer is read. No vendor here.

An answer is read by a strict model of finite types and bounded texts. Whatever does not fit is `Unreadable`, never a
guess, and never an error of another kind: what a model says may be any JSON value.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from policies.vocabulary import ModelRole

Value_co = TypeVar("Value_co", covariant=True)
Form = TypeVar("Form", bound=BaseModel)

_REFUSED: Final = frozenset(
    {"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "title", "default"},
)


class Unreadable(Exception):
    """An answer that is no value of the asked type. The message never repeats it."""


class Closed(BaseModel):
    """A form of an answer: nothing but its fields, and no conversion between types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class Question(Generic[Value_co]):
    """One question.

    Args:
        role: who is asked.
        turn: what is told besides the prompt; JSON, in which every text is data.
        form: the strict model of the answer, which gives the schema, too.
        read: makes the value out of the answer; raises `Unreadable`.
        max_tokens: bound of the answer, thinking included.
        effort: how much to think.
    """

    role: ModelRole
    turn: str
    form: type[BaseModel]
    read: Callable[[object], Value_co]
    max_tokens: int
    effort: Literal["low", "medium", "high"] = "low"


def turn_of(**parts: object) -> str:
    """The one turn of a question: its parts as JSON, in the order given, in which texts cannot pass for structure."""
    return json.dumps(parts, ensure_ascii=False)


def checked(form: type[Form], answer: object) -> Form:
    """An answer as its form.

    Raises:
        Unreadable: it does not fit; the message names the field and never its value.
    """
    try:
        # As JSON, so that words become enum members and yet no number becomes a text.
        return form.model_validate_json(json.dumps(answer))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part)[:40] for part in first["loc"]) or "the answer"
        raise Unreadable(f"{place}: {first['type']}") from error
    except (ValueError, RecursionError) as error:  # a number or a depth that JSON cannot be written with
        raise Unreadable(type(error).__name__) from error


def schema_of(form: type[BaseModel]) -> dict[str, object]:
    """The form's schema without what structured outputs refuse: ranges, lengths and patterns, which we check ourselves.

    https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
    """

    def plain(node: object) -> object:
        if isinstance(node, dict):
            return {key: plain(value) for key, value in node.items() if key not in _REFUSED}
        return [plain(value) for value in node] if isinstance(node, list) else node

    cleaned = plain(form.model_json_schema())
    assert isinstance(cleaned, dict)
    return cleaned
