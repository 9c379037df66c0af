"""Reading worlds from YAML and JSON, exactly, with every problem at its line and key.

Promises that a number is read by its digits: `24.90` never becomes a float, `1042` stays an integer, `0042` and `1:30`
stay text. Of YAML 1.1's other surprises (yes and no, dates, octal, sexagesimal) it knows none; true, false and null are
what they are in JSON. It refuses duplicate keys and tags.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, RootModel, ValidationError

from connectors.sandbox.faults import Fault
from connectors.sandbox.world.errors import WorldError
from connectors.sandbox.world.model import Setting
from connectors.sandbox.world.parts import FaultLine

M = TypeVar("M", bound=BaseModel)
Place = tuple[str | int, ...]
Lines = dict[Place, int]

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)")
_WORDS: Final[Mapping[str, object]] = {"": None, "null": None, "~": None, "true": True, "false": False}
_SCENARIO_KEYS: Final = ("id", "tags", "policy", "expect")
_DEEPEST: Final = 60


def read_yaml(text: str, model: type[M], *, name: str) -> M:
    """Read one YAML document into a model.

    Args:
        text: the document.
        model: any pydantic model; its aliases are the keys of the file.
        name: the file's name, for messages.

    Raises:
        WorldError: it is no YAML, or not what the model allows. Every problem has its line and key.
    """
    lines: Lines = {}
    return validated(plain(text, name=name, lines=lines), model, name=name, lines=lines)


class _FaultFile(RootModel[tuple[FaultLine, ...]]):
    """A list of faults."""


def read_faults(path: Path) -> tuple[Fault, ...]:
    """Read a file with a YAML list of faults, each with `at`, `kind` and, where wanted, `times`, `skip` and so on.

    Raises:
        WorldError: it cannot be read, or says something that a fault cannot.
    """
    return tuple(line.fault() for line in read_yaml(_text(path), _FaultFile, name=str(path)).root)


def read_setting(path: Path) -> Setting:
    """Read a scenario file, leaving out what only its judge needs (id, tags, policy, expect).

    Raises:
        WorldError: it cannot be read, or says something that a scenario cannot.
    """
    lines: Lines = {}
    value = plain(_text(path), name=str(path), lines=lines)
    if isinstance(value, dict):
        for key in _SCENARIO_KEYS:
            value.pop(key, None)
    return validated(value, Setting, name=str(path), lines=lines)


def read_json(raw: bytes | str, model: type[M], *, name: str) -> M:
    """Read JSON into a model, its numbers by their digits.

    Raises:
        WorldError: it is no JSON, or not what the model allows.
    """
    try:
        value = json.loads(raw, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise WorldError((f"{name}: not JSON: {error}",)) from error
    return validated(value, model, name=name, lines={})


def validated(value: object, model: type[M], *, name: str, lines: Lines) -> M:
    """Check a plain value against a model, naming lines where they are known.

    Raises:
        WorldError: with one entry per problem, in the order of the file.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = [(_line(detail["loc"], lines), detail) for detail in error.errors(include_url=False)]
        found.sort(key=lambda entry: entry[0] or 0)
        raise WorldError(
            tuple(
                f"{name}{'' if line is None else f':{line}'}: {_dotted(detail['loc'])}: {_sentence(detail['msg'])}"
                for line, detail in found
            ),
        ) from error


def plain(text: str, *, name: str, lines: Lines) -> Any:  # noqa: ANN401 - whatever the file holds
    """The document as dictionaries, lists, text, integers, decimals, booleans and nulls.

    Args:
        text: the document.
        name: the file's name, for messages.
        lines: filled with the line of each value, counted from one.

    Raises:
        WorldError: it is no YAML, has a duplicate key, a tag, or nests too deep.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise WorldError((f"{name}:{line}: not YAML: {error.problem or error.context}",)) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise WorldError((f"{name}: not YAML: {type(error).__name__}: check for control characters",)) from error
    if node is None:
        raise WorldError((f"{name}: the file is empty: write a scenario",))
    return _plain(node, (), name, lines)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorldError((f"{path}: cannot be read: {type(error).__name__}: give a YAML file in UTF-8",)) from error


def _plain(node: yaml.Node, place: Place, name: str, lines: Lines) -> Any:  # noqa: ANN401
    line = node.start_mark.line + 1
    lines[place] = line
    if len(place) > _DEEPEST:
        raise WorldError((f"{name}:{line}: nested too deep: check the anchors",))
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*place, number), name, lines) for number, child in enumerate(node.value)]
    assert isinstance(node, yaml.MappingNode)
    result: dict[str, Any] = {}
    for key_node, child in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
        where = f"{name}:{key_node.start_mark.line + 1}"
        if not isinstance(key, str):
            raise WorldError((f"{where}: {_dotted(place)}: a key is not a word",))
        if key in result:
            raise WorldError((f"{where}: {_dotted((*place, key))}: the key stands twice: remove one",))
        result[key] = _plain(child, (*place, key), name, lines)
    return result


def _scalar(node: yaml.ScalarNode) -> object:
    text = str(node.value)
    if node.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return Decimal(text) if _DECIMAL.fullmatch(text) else text


def _line(place: Place, lines: Lines) -> int | None:
    """The line of the place, or of the nearest one around it."""
    for length in range(len(place), -1, -1):
        if place[:length] in lines:
            return lines[place[:length]]
    return None


def _dotted(place: Place) -> str:
    return ".".join(str(part) for part in place) or "the file"


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    if message == "Extra inputs are not permitted":
        return "unknown key: remove it, or check its spelling"
    return message[:1].lower() + message[1:]
