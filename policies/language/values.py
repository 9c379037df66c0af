"""The numbers and durations of a policy file, each by its path, and the file with another one in its place.

Only the characters of the value change: comments, order and spelling of the rest stay as they were written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policies.language.tree import Node, Scalar, Sequence, Table, read_tree

BLOCKS: Final = ("autonomy", "approvals", "limits", "risk", "budgets", "questions", "canary", "breakers")
"""The parts of a file whose numbers are settings. Those in rules belong to sentences, and are edited there."""

_WRAPPERS: Final = ("policy", "workflow", "agent")
_SENTENCES: Final = frozenset({"when", "if", "valid"})
_VALUE: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?|[0-9]{1,9} ?[smhd]")
_BREAK: Final = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


class ValueNotFound(ValueError):
    """A value that cannot be set this way; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number or a duration as it is written. `path` leads to it: keys, ids of list items, or their numbers."""

    path: tuple[str, ...]
    text: str
    line: int
    column: int

    @property
    def name(self) -> str:
        """The path in one word."""
        return ".".join(self.path)


def values_of(text: str) -> tuple[Value, ...]:
    """Every number and duration of the file's settings, in the order of the file.

    Raises:
        PolicyFileError: the text is not YAML.
    """
    tree = read_tree(text, name="the policy file", problems=[])
    return tuple(_in_blocks(tree)) if isinstance(tree, Table) else ()


def with_value(text: str, name: str, written: str) -> str:
    """The file with another number or duration at a path.

    Raises:
        PolicyFileError: the text is not YAML.
        ValueNotFound: there is no such value, it is spelled in a way that is not understood, or the new one is none.
    """
    wanted = written.strip()
    if not _VALUE.fullmatch(wanted):
        raise ValueNotFound(f"{written[:40]!r} is no number and no duration: write 35, 24.90 or 10m")
    found = next((value for value in values_of(text) if value.name == name), None)
    if found is None:
        raise ValueNotFound(f"the file states no value {name[:120]!r}: write it into the text")
    start = offset_of(text, found.line, found.column)
    quote = text[start : start + 1] if text[start : start + 1] in {'"', "'"} else ""
    start += len(quote)
    end = start + len(found.text)
    if text[start:end] != found.text:
        raise ValueNotFound(f"{name!r} is spelled in a way that only the text can change: edit line {found.line}")
    return text[:start] + wanted + text[end:]


def _in_blocks(tree: Table) -> Iterator[Value]:
    for entry in tree.entries:
        if entry.key.text in BLOCKS:
            yield from _within(entry.value, (entry.key.text,))
        elif entry.key.text in _WRAPPERS and isinstance(entry.value, Table):
            yield from _in_blocks(entry.value)


def _within(node: Node, path: tuple[str, ...]) -> Iterator[Value]:
    if isinstance(node, Scalar):
        if _VALUE.fullmatch(node.text):
            yield Value(path, node.text, node.place.line, node.place.column)
    elif isinstance(node, Table):
        for entry in node.entries:
            if entry.key.text not in _SENTENCES:
                yield from _within(entry.value, (*path, entry.key.text))
    elif isinstance(node, Sequence):
        for number, item in enumerate(node.items, 1):
            yield from _within(item, (*path, _called(item, number)))


def _called(item: Node, number: int) -> str:
    identity = item.get("id") if isinstance(item, Table) else None
    return identity.text if isinstance(identity, Scalar) else str(number)


def offset_of(text: str, line: int, column: int) -> int:
    """Where a place, counted from 1, is in the text. Lines are those of YAML."""
    start = 0
    for _ in range(line - 1):
        ends = _BREAK.search(text, start)
        assert ends is not None, "the place was found in this text"
        start = ends.end()
    return start + column - 1
