"""Typed reading of nodes: a wrong value becomes a problem with its place, and reading goes on.

A reader collects every problem of a file; a value that could not be read comes back as None or is left out, and the
file as a whole is then refused. More than 100 problems are not collected: the first hundred are enough to start with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from itertools import islice
from types import MappingProxyType
from typing import Final, TypeVar

from policies.document import ALWAYS, Amounts, Window
from policies.errors import MoneyError, PolicyFileError, Problem
from policies.language.tree import Entry, Node, Place, Scalar, Sequence, Table
from policies.money import CURRENCIES, Money

T = TypeVar("T")

MAX_PROBLEMS: Final = 100
MAX_WORDS: Final = 1_000
"""Words of one kind that a file may declare, and among which a nearest one is looked for."""
MANY: Final = 16
"""More valid names than this are not listed in a message."""
MAX_SECONDS: Final = 10 * 366 * 86400
MAX_INTEGER: Final = 1_000_000_000_000

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/#*@-]{0,127}")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_DURATION = re.compile(r"([0-9]{1,9}) ?(s|m|h|d)")
_SECONDS: Final = MappingProxyType({"s": 1, "m": 60, "h": 3600, "d": 86400})
_SECTION = re.compile(r"[a-z0-9][a-z0-9-]{0,63}#[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """The closest valid name, or None where none is close."""
    close = get_close_matches(name[:64].lower(), list(islice(names, MAX_WORDS)), n=1, cutoff=0.6)
    return close[0] if close else None


class Reader:
    """Reads values and collects problems, beside those that were found before."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def finish(self) -> None:
        """Refuse the file where anything was wrong.

        Raises:
            PolicyFileError: with every problem, in the order of the file.
        """
        if self.problems:
            found = sorted(self.problems, key=lambda each: (each.file, each.line, each.column))
            raise PolicyFileError(tuple(found[:MAX_PROBLEMS]))

    def wrong(
        self,
        place: Place,
        message: str,
        *,
        value: str | None = None,
        names: Iterable[str] = (),
        hint: str | None = None,
    ) -> None:
        """Note a problem; `names` are the valid ones, of which the nearest is offered."""
        nearest = nearest_name(value, names) if value is not None else None
        shown = None if value is None else value[:80]
        self.problems.append(place.problem(message, value=shown, nearest=nearest, hint=hint))
        if len(self.problems) >= MAX_PROBLEMS:
            self.finish()

    # collections

    def table(self, node: Node | None, what: str, allowed: Iterable[str]) -> Mapping[str, Entry]:
        """The entries of a mapping by key. Unknown keys are problems and are left out."""
        entries = self.entries(node, what)
        names = tuple(allowed)
        known: dict[str, Entry] = {}
        for entry in entries:
            key = entry.key.text
            if key in names:
                known[key] = entry
            else:
                self.wrong(
                    entry.key.place,
                    f"unknown key {key[:80]!r} in {what}",
                    value=key,
                    names=names,
                    hint=f"allowed here: {', '.join(names)}"
                    if len(names) <= MANY
                    else "indent it under the key it belongs to",
                )
        return known

    def entries(self, node: Node | None, what: str) -> tuple[Entry, ...]:
        """The entries of a mapping whose keys are free; nothing where it is missing or something else."""
        if node is None:
            return ()
        if isinstance(node, Table):
            return node.entries
        self.wrong(
            node.place, f"{what} must be a mapping of keys", value=_shown(node), hint="indent `key: value` lines"
        )
        return ()

    def items(self, node: Node | None, what: str) -> tuple[Node, ...]:
        """The items of a list; nothing where it is missing or something else."""
        if node is None:
            return ()
        if isinstance(node, Sequence):
            return node.items
        self.wrong(node.place, f"{what} must be a list", value=_shown(node), hint="write `- ` before each item")
        return ()

    def required(self, entries: Mapping[str, Entry], key: str, place: Place, what: str) -> Node | None:
        """The node under a key that must be there."""
        if key in entries:
            return entries[key].value
        self.wrong(place, f"{what} has no {key!r}", hint=f"add `{key}:`")
        return None

    # words

    def text(self, node: Node | None, what: str, *, longest: int = 2000) -> str | None:
        """A sentence."""
        if node is None:
            return None
        if not isinstance(node, Scalar) or not node.text.strip():
            self.wrong(node.place, f"{what} must be a text", value=_shown(node))
            return None
        if len(node.text) > longest:
            self.wrong(node.place, f"{what} is longer than {longest} characters", hint="shorten it")
            return None
        return " ".join(node.text.split())

    def word(self, node: Node | None, what: str) -> str | None:
        """An identifier: letters, digits and `_ . : / # * @ -`."""
        if node is None:
            return None
        if not isinstance(node, Scalar) or not _WORD.fullmatch(node.text):
            self.wrong(node.place, f"{what} must be one word", value=_shown(node), hint="use letters, digits, - and _")
            return None
        return node.text

    def choice(self, node: Node | None, what: str, names: Iterable[str]) -> str | None:
        """One of the given words."""
        if node is None:
            return None
        known = tuple(names)
        if isinstance(node, Scalar) and node.text in known:
            return node.text
        few = f"one of {', '.join(known)}" if len(known) <= MANY else "a listed word"
        self.wrong(
            node.place,
            f"{what} cannot be {_shown(node)!r}",
            value=_shown(node),
            names=known,
            hint=f"write {few}" if known else "declare it first",
        )
        return None

    def one_or_many(self, node: Node | None, what: str, read: Callable[[Node], T | None]) -> tuple[T, ...]:
        """A single value or a list of them, without repetitions."""
        if node is None:
            return ()
        nodes = node.items if isinstance(node, Sequence) else (node,)
        if not nodes:
            self.wrong(node.place, f"{what} is empty", hint="name at least one or remove the key")
        values = (read(item) for item in nodes)
        return tuple(dict.fromkeys(value for value in values if value is not None))

    def words(self, node: Node | None, what: str) -> tuple[str, ...]:
        """A list of identifiers."""
        items = self.items(node, what)
        if node is not None and len(items) > MAX_WORDS:
            self.wrong(
                node.place, f"{what} lists more than {MAX_WORDS:,} words", value=str(len(items)), hint="list fewer"
            )
            return ()
        found = (self.word(item, f"an item of {what}") for item in items)
        return tuple(dict.fromkeys(word for word in found if word is not None))

    def section(self, node: Node | None, documents: tuple[str, ...]) -> str | None:
        """A policy section such as `refund-policy#3.2`, in a declared document where the file declares any."""
        if node is None:
            return None
        if not isinstance(node, Scalar) or not _SECTION.fullmatch(node.text):
            self.wrong(
                node.place, "a section is a document and a number", value=_shown(node), hint="like refund-policy#3.2"
            )
            return None
        document = node.text.partition("#")[0]
        if documents and document not in documents:
            self.wrong(node.place, f"document {document!r} is not declared", value=document, names=documents)
            return None
        return node.text

    # numbers

    def flag(self, node: Node, what: str) -> bool | None:
        """`true` or `false`, unquoted."""
        if isinstance(node, Scalar) and not node.quoted and node.text in {"true", "false"}:
            return node.text == "true"
        self.wrong(node.place, f"{what} must be true or false", value=_shown(node))
        return None

    def integer(self, node: Node | None, what: str, *, least: int = 0, most: int = MAX_INTEGER) -> int | None:
        """A whole number in a range, both ends included."""
        if node is None:
            return None
        if isinstance(node, Scalar) and not node.quoted and _INTEGER.fullmatch(node.text):
            number = int(node.text)
            if least <= number <= most:
                return number
            self.wrong(node.place, f"{what} must lie between {least} and {most}", value=node.text)
            return None
        self.wrong(node.place, f"{what} must be a whole number", value=_shown(node), hint="write digits without quotes")
        return None

    def seconds(self, node: Node | None, what: str) -> int | None:
        """A duration with its unit: `600s`, `30m`, `72h`, `90d`."""
        if node is None:
            return None
        match = _DURATION.fullmatch(node.text) if isinstance(node, Scalar) else None
        if match is None:
            self.wrong(node.place, f"{what} must be a duration", value=_shown(node), hint="write 600s, 30m, 72h or 90d")
            return None
        duration = int(match[1]) * _SECONDS[match[2]]
        if duration > MAX_SECONDS:
            self.wrong(node.place, f"{what} is longer than ten years", value=_shown(node))
            return None
        return duration

    def amount(self, node: Node, currency: str) -> int | None:
        """A decimal literal in major units, read exactly, as minor units. Never negative."""
        if not isinstance(node, Scalar) or node.quoted:
            self.wrong(
                node.place, "an amount must be a plain decimal number", value=_shown(node), hint="write 50 or 24.90"
            )
            return None
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,3})?", node.text):
            self.wrong(
                node.place, f"amount {node.text[:40]!r} is not a decimal number", value=node.text, hint="like 24.90"
            )
            return None
        try:
            return Money.parse(node.text, currency).minor
        except MoneyError as error:
            self.wrong(node.place, str(error), value=node.text)
            return None

    def amounts(self, node: Node | None, what: str) -> Amounts | None:
        """Amounts by currency: `{usd: 50, eur: 46.00}`."""
        if node is None:
            return None
        if isinstance(node, Scalar):
            self.wrong(node.place, f"{what} needs a currency", value=node.text, hint=f"write {{usd: {node.text[:12]}}}")
            return None
        found: dict[str, int] = {}
        for entry in self.entries(node, what):
            currency = self.choice(entry.key, "a currency", sorted(CURRENCIES))
            minor = self.amount(entry.value, currency) if currency is not None else None
            if currency is not None and minor is not None:
                found[currency] = minor
        if not found and isinstance(node, Table) and not node.entries:
            self.wrong(node.place, f"{what} lists no currency", hint="write {usd: 50}")
        return MappingProxyType(found)

    def day(self, node: Node | None, what: str) -> date | None:
        """A calendar day, `2026-11-27`."""
        if node is None:
            return None
        written = node.text if isinstance(node, Scalar) else ""
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", written):
            try:
                return date.fromisoformat(written)
            except ValueError as error:
                self.wrong(node.place, f"{what} is no day of the calendar: {error}", value=written)
                return None
        self.wrong(node.place, f"{what} must be a day", value=_shown(node), hint="write it like 2026-11-27")
        return None

    def window(self, node: Node | None, what: str = "valid") -> Window:
        """`{from: 2026-11-27, until: 2026-12-31}`, both days included, in UTC; either may be left out."""
        if node is None:
            return ALWAYS
        entries = self.table(node, what, ("from", "until"))
        first = self.day(value_of(entries, "from"), "from")
        last = self.day(value_of(entries, "until"), "until")
        return self.period(node, first, last, what)

    def period(self, node: Node, first: date | None, last: date | None, what: str) -> Window:
        """The days from `first` to `last`, which must not be before it."""
        if first is not None and last is not None and last < first:
            self.wrong(node.place, f"{what} ends before it begins", value=last.isoformat(), hint="swap the two days")
        return Window(first, last)


def value_of(entries: Mapping[str, Entry], key: str) -> Node | None:
    """The node under a key, or None."""
    return entries[key].value if key in entries else None


def _shown(node: Node) -> str:
    if isinstance(node, Scalar):
        return node.text[:80]
    return "a list" if isinstance(node, Sequence) else "a mapping"
