"""Everything the double remembers: objects by kind, their past versions for search, and what is due later.

Lists and searches by a customer, a charge, an address or metadata read an index, so that they cost what they find and
not what there is: a world of tens of thousands of charges answers as fast as a small one.

Not safe between threads: `connectors.sandbox.stripe.server` holds the one lock.
"""

from __future__ import annotations

import bisect
import copy
import hashlib
import heapq
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from connectors.sandbox.stripe.objects import Thing, unix
from connectors.sandbox.stripe.problems import missing

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH: Final = 24
_ALWAYS: Final = 0
_LINKS: Final = frozenset({"customer", "charge", "payment_intent", "invoice", "email", "type"})
"""The properties by which lists are filtered."""

_Word = tuple[str, str, str]
"""A kind, the name of a property or of an entry of `metadata[...]`, and a value in lower case."""


class Books:
    """The double's state.

    Args:
        now: sandbox time.
        seed: makes the ids, with a counter; the same calls give the same ids.
        search_delay: how long search does not see a change.
    """

    def __init__(self, *, now: Callable[[], datetime], seed: int, search_delay: timedelta) -> None:
        self._now = now
        self._seed = seed
        self._count = 0
        self._search_delay = search_delay
        self._tables: dict[str, dict[str, Thing]] = {}
        self._in_order: dict[str, list[tuple[int, int, str]]] = {}
        self._with: dict[_Word, dict[str, tuple[int, int, str]]] = {}
        self._places: dict[str, tuple[int, int, str]] = {}
        self._versions: dict[str, list[tuple[int, Thing]]] = {}
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []

    @property
    def now(self) -> datetime:
        """The present of the sandbox."""
        return self._now()

    @property
    def seconds(self) -> int:
        """The present as Stripe writes it."""
        return unix(self._now())

    def new_id(self, prefix: str) -> str:
        """The next id of a kind."""
        self._count += 1
        return f"{prefix}_{self.token(f'{prefix}:{self._count}')}"

    def token(self, name: str) -> str:
        """A word that looks random and always is the same for this name and seed."""
        number = int.from_bytes(hashlib.sha256(f"{self._seed}:{name}".encode()).digest(), "big")
        letters: list[str] = []
        for _ in range(_ID_LENGTH):
            number, digit = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[digit])
        return "".join(letters)

    def add(self, thing: Thing, *, searchable_at_once: bool = False) -> Thing:
        """Put in a new object."""
        kind = thing["object"]
        table = self._tables.setdefault(kind, {})
        table[thing["id"]] = thing
        # Stripe's order: by the second, and within one by the turn.
        place = self._places[thing["id"]] = (thing["created"], len(table), thing["id"])
        bisect.insort(self._in_order.setdefault(kind, []), place)
        self._index(thing)
        self._versions[thing["id"]] = [(_ALWAYS if searchable_at_once else self.seconds, copy.deepcopy(thing))]
        return thing

    def changed(self, thing: Thing) -> None:
        """Note that an object has changed; search sees it later."""
        self._index(thing)
        self._versions[thing["id"]].append((self.seconds, copy.deepcopy(thing)))

    def find(self, kind: str, wanted: str) -> Thing | None:
        """The object itself, to read or change."""
        return self._tables.get(kind, {}).get(wanted)

    def require(self, kind: str, wanted: str, *, param: str = "id", status: int = 404) -> Thing:
        """The object.

        Raises:
            StripeProblem: resource_missing.
        """
        found = self.find(kind, wanted)
        if found is None:
            raise missing(kind.rpartition(".")[2], wanted, param=param, status=status)
        return found

    def anything(self, wanted: str) -> Thing | None:
        """The object of any kind with this id."""
        return next((table[wanted] for table in self._tables.values() if wanted in table), None)

    def newest_first(self, kind: str, where: Mapping[str, str] | None = None) -> list[Thing]:
        """Objects of a kind in the order of Stripe's lists: newest first, and of one second the last made first.

        `where` names the values that top-level properties must have.
        """
        wanted = where or {}
        table = self._tables.get(kind, {})
        places = self._narrowed(kind, {name: value for name, value in wanted.items() if name in _LINKS})
        found = (table[thing_id] for _, _, thing_id in places)
        return [thing for thing in found if all(thing.get(name) == value for name, value in wanted.items())]

    def as_searched(self, kind: str, words: Mapping[str, str] | None = None) -> Iterator[Thing]:
        """Objects of a kind as search sees them: late. https://docs.stripe.com/search#data-freshness .

        With `words`, at least those that have, or once had, each of these values, whatever the case; a name is that of
        a property lists can be filtered by, or of an entry as `metadata[key]`.
        """
        until = unix(self.now - self._search_delay)
        for _, _, thing_id in self._narrowed(kind, words or {}):
            seen = [version for at, version in self._versions[thing_id] if at <= until]
            yield from seen[-1:]

    def _index(self, thing: Thing) -> None:
        words = [(name, thing[name]) for name in _LINKS if isinstance(thing.get(name), str)]
        words += [(f"metadata[{name}]", value) for name, value in (thing.get("metadata") or {}).items()]
        for name, value in words:
            self._with.setdefault((thing["object"], name, value.casefold()), {})[thing["id"]] = self._places[
                thing["id"]
            ]

    def _narrowed(self, kind: str, words: Mapping[str, str]) -> list[tuple[int, int, str]]:
        """The places of what has, or once had, the rarest of these words, newest first; of all without any."""
        shelves = [self._with.get((kind, name, value.casefold()), {}) for name, value in words.items()]
        if not shelves:
            return self._in_order.get(kind, [])[::-1]
        return sorted(min(shelves, key=len).values(), reverse=True)

    def later(self, after: timedelta, effect: Callable[[], None]) -> None:
        """Do something when the sandbox clock has moved on."""
        self._count += 1
        heapq.heappush(self._due, (self.now + after, self._count, effect))

    def run_due(self) -> None:
        """Do what has become due, in order of time."""
        while self._due and self._due[0][0] <= self.now:
            heapq.heappop(self._due)[2]()
