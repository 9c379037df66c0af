"""Everything the double remembers: objects by kind, their past versions for search, and what is due later.

Not safe between threads: `connectors.sandbox.stripe.server` holds the one lock.
"""

from __future__ import annotations

import copy
import hashlib
import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from connectors.sandbox.stripe.objects import Thing, unix
from connectors.sandbox.stripe.problems import missing

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH: Final = 24
_ALWAYS: Final = 0


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
        self._tables.setdefault(thing["object"], {})[thing["id"]] = thing
        self._versions[thing["id"]] = [(_ALWAYS if searchable_at_once else self.seconds, copy.deepcopy(thing))]
        return thing

    def changed(self, thing: Thing) -> None:
        """Note that an object has changed; search sees it later."""
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

    def newest_first(self, kind: str) -> list[Thing]:
        """All objects of a kind in the order of Stripe's lists: newest first, and of one second the last made first."""
        made = reversed(self._tables.get(kind, {}).values())
        return sorted(made, key=lambda thing: thing["created"], reverse=True)

    def as_searched(self, kind: str) -> list[Thing]:
        """All objects of a kind as search sees them: late. https://docs.stripe.com/search#data-freshness ."""
        until = unix(self.now - self._search_delay)
        found: list[Thing] = []
        for thing in self.newest_first(kind):
            seen = [version for at, version in self._versions[thing["id"]] if at <= until]
            found.extend(seen[-1:])
        return found

    def later(self, after: timedelta, effect: Callable[[], None]) -> None:
        """Do something when the sandbox clock has moved on."""
        self._count += 1
        heapq.heappush(self._due, (self.now + after, self._count, effect))

    def run_due(self) -> None:
        """Do what has become due, in order of time."""
        while self._due and self._due[0][0] <= self.now:
            heapq.heappop(self._due)[2]()
