"""YAML text to a tree of nodes that know where they stand. Nothing is interpreted, nothing is constructed.

YAML's own typing is not used: `no` stays the word `no` and `24.90` stays these five characters, so that amounts are
read exactly. Refused in bounded time and memory: more than 1 MB, more than 24 levels, more than 100,000 nodes counted
after aliases are followed, more than 50 aliases, explicit tags, duplicate keys, several documents, text that is not
Unicode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

import yaml

from policies.errors import PolicyFileError, Problem

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 24
MAX_NODES: Final = 100_000
MAX_ALIASES: Final = 50

# libyaml's event parser is used where the wheel brings it; the events are the same without it.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: file, line and column, counted from 1."""

    file: str
    line: int
    column: int

    def problem(
        self,
        message: str,
        *,
        value: str | None = None,
        nearest: str | None = None,
        hint: str | None = None,
    ) -> Problem:
        """A problem at this place."""
        return Problem(self.file, self.line, self.column, message, value, nearest, hint)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One word as it is written. `quoted` tells `"5"` from `5`."""

    place: Place
    text: str
    quoted: bool

    @property
    def size(self) -> int:
        """Nodes in this tree."""
        return 1


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    place: Place
    items: tuple[Node, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping and what it holds."""

    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping in the order of the file, without duplicate keys."""

    place: Place
    entries: tuple[Entry, ...]
    size: int

    def get(self, key: str) -> Node | None:
        """The node under the key, or None."""
        return next((entry.value for entry in self.entries if entry.key.text == key), None)


Node = Scalar | Sequence | Table


def read_tree(text: str, *, name: str, problems: list[Problem]) -> Node | None:
    """The node tree of one YAML document, or None for an empty one.

    Args:
        text: the file's content.
        name: the file's name in messages.
        problems: takes up keys that stand twice, of which the first counts, so that the rest is read as well.

    Raises:
        PolicyFileError: no YAML, or YAML beyond the bounds that this module's docstring states.
    """
    _check_text(text, name)
    builder = _Builder(name, problems)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.YAMLError as error:
        raise PolicyFileError((_syntax_problem(error, text, name),)) from error
    return builder.root


def _check_text(text: str, name: str) -> None:
    start = Place(name, 1, 1)
    if len(text) > MAX_BYTES:
        raise PolicyFileError(
            (start.problem(f"the file has more than {MAX_BYTES:,} bytes", hint="split it with `extends:`"),),
        )
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        place = _place_of(text, error.start, name)
        raise PolicyFileError((place.problem("a character is not Unicode text", hint="save it as UTF-8"),)) from error
    if size > MAX_BYTES:
        raise PolicyFileError(
            (start.problem(f"the file has more than {MAX_BYTES:,} bytes", hint="split it with `extends:`"),),
        )


def _place_of(text: str, offset: int, name: str) -> Place:
    before = text[:offset]
    return Place(name, before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


def _syntax_problem(error: yaml.YAMLError, text: str, name: str) -> Problem:
    """The parser's complaint in our form. A reader error has an offset, every other one a mark."""
    hint = "check the indentation and the quotes on this line and the one before"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return Place(name, mark.line + 1, mark.column + 1).problem(f"not valid YAML: {error.problem}", hint=hint)
    offset = getattr(error, "position", 0)
    place = _place_of(text, offset if isinstance(offset, int) else 0, name)
    return place.problem("not valid YAML: a character that may not stand in it", hint="remove control characters")


class _Frame:
    """A collection under construction: its children in order, for a mapping keys and values in turn."""

    __slots__ = ("anchor", "children", "is_table", "place", "size")

    def __init__(self, place: Place, anchor: str | None, *, is_table: bool) -> None:
        self.place = place
        self.anchor = anchor
        self.is_table = is_table
        self.children: list[Node] = []
        self.size = 1


class _Builder:
    """Takes the parser's events and keeps the bounds while it builds."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        self.root: Node | None = None
        self._name = name
        self._problems = problems
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._aliases = 0

    def take(self, event: yaml.events.Event) -> None:
        mark = event.start_mark
        assert mark is not None  # both parsers set it; only hand-made events lack it
        place = Place(self._name, mark.line + 1, mark.column + 1)
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event.tag, place)
            self._add(Scalar(place, event.value, quoted=bool(event.style)), event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._refuse_tag(event.tag, place)
            self._open(place, event.anchor, is_table=isinstance(event, yaml.MappingStartEvent))
        elif isinstance(event, yaml.CollectionEndEvent):
            frame = self._stack.pop()
            self._add(_finish(frame, self._problems), frame.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._follow(event.anchor, place)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self._refuse(place, "a second document begins here", hint="keep one policy per file")

    def _open(self, place: Place, anchor: str | None, *, is_table: bool) -> None:
        if len(self._stack) >= MAX_DEPTH:
            self._refuse(place, f"nested deeper than {MAX_DEPTH} levels", hint="no policy needs that: flatten it")
        self._stack.append(_Frame(place, anchor, is_table=is_table))

    def _follow(self, anchor: str | None, place: Place) -> None:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._refuse(place, f"more than {MAX_ALIASES} aliases", hint="write the values out")
        node = self._anchors.get(anchor or "")
        if node is None:
            self._refuse(place, f"alias {anchor!r} names no finished anchor", hint="write the value out")
        self._add(node, None)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        if frame.is_table and len(frame.children) % 2 == 0 and not isinstance(node, Scalar):
            self._refuse(node.place, "a key must be one word", hint="quote it or indent what follows")
        frame.children.append(node)
        # What an alias repeats counts again, so that a file that doubles itself is refused before it is walked.
        frame.size += node.size
        if frame.size > MAX_NODES:
            self._refuse(frame.place, f"more than {MAX_NODES:,} values", hint="split the file")

    def _refuse_tag(self, tag: str | None, place: Place) -> None:
        if tag is not None:
            self._refuse(place, f"tag {tag!r} is not allowed", hint="write the plain value")

    def _refuse(self, place: Place, message: str, *, hint: str) -> NoReturn:
        raise PolicyFileError((place.problem(message, hint=hint),))


def _finish(frame: _Frame, problems: list[Problem]) -> Node:
    """The finished collection. Keys that stand in it again are reported and left out."""
    if not frame.is_table:
        return Sequence(frame.place, tuple(frame.children), frame.size)
    entries: list[Entry] = []
    seen: dict[str, Place] = {}
    for key, value in zip(frame.children[::2], frame.children[1::2], strict=True):
        assert isinstance(key, Scalar)
        first = seen.setdefault(key.text, key.place)
        if first is not key.place:
            problems.append(
                key.place.problem(
                    f"key {key.text!r} stands here a second time",
                    value=key.text,
                    hint=f"keep one of it; the first is on line {first.line}",
                ),
            )
        else:
            entries.append(Entry(key, value))
    return Table(frame.place, tuple(entries), frame.size)
