"""`breakers:` of a policy file: a list, each with an id, what it measures, over which window, and where it trips."""

from __future__ import annotations

from collections.abc import Mapping

from policies.breakers import Breaker, Measure, Scope
from policies.language.reader import Reader, value_of
from policies.language.tree import Entry, Node, Place
from policies.vocabulary import Intent, Tool

BREAKER_KEYS = (
    "id",
    "measure",
    "window",
    "amount",
    "count",
    "share_percent",
    "tool",
    "intent",
    "brand",
    "tier",
    "cool_down",
)
_FITS = {
    "amount": {Measure.MONEY},
    "count": set(Measure) - {Measure.MONEY},
    "share_percent": set(Measure) - {Measure.MONEY},
    "tool": {Measure.TOOL_ERRORS},
    "intent": {Measure.MONEY, Measure.OVERRIDES},
    "tier": {Measure.MONEY, Measure.OVERRIDES},
    "brand": {Measure.MONEY, Measure.OVERRIDES, Measure.INJECTIONS},
}
"""Keys that only some measures can use: what is not known of a call or a message cannot narrow it down."""


class BreakerReader:
    """Reads the breakers of one file."""

    def __init__(self, reader: Reader, *, brands: tuple[str, ...], tiers: tuple[str, ...]) -> None:
        self._reader = reader
        self._brands = brands
        self._tiers = tiers

    def breakers(self, node: Node | None) -> tuple[Breaker, ...]:
        """All of them by id. One of an extending file replaces the one with its id below."""
        found: dict[str, Breaker] = {}
        places: dict[str, Place] = {}
        for item in self._reader.items(node, "breakers"):
            breaker = self._breaker(item)
            if breaker is None:
                continue
            first = places.setdefault(breaker.breaker_id, item.place)
            if first is not item.place and first.file == item.place.file:
                message = f"breaker {breaker.breaker_id!r} is there twice"
                hint = f"the first is on line {first.line}"
                self._reader.wrong(item.place, message, value=breaker.breaker_id, hint=hint)
            found[breaker.breaker_id] = breaker
        return tuple(found[name] for name in sorted(found))

    def _breaker(self, node: Node) -> Breaker | None:
        reader = self._reader
        entries = reader.table(node, "a breaker", BREAKER_KEYS)
        breaker_id = reader.word(reader.required(entries, "id", node.place, "a breaker"), "id")
        word = reader.choice(reader.required(entries, "measure", node.place, "a breaker"), "measure", tuple(Measure))
        window_s = reader.seconds(reader.required(entries, "window", node.place, "a breaker"), "window")
        if breaker_id is None or word is None or not window_s:
            return None
        measure = Measure(word)
        self._fitting(entries, measure)
        if measure is Measure.MONEY:
            reader.required(entries, "amount", node.place, "a breaker of money")
        else:
            reader.required(entries, "count", node.place, f"a breaker of {word}")
        if measure is Measure.TOOL_ERRORS:
            reader.required(entries, "tool", node.place, "a breaker of tool_errors")
        intent = reader.choice(value_of(entries, "intent"), "intent", tuple(Intent))
        tool = reader.choice(value_of(entries, "tool"), "tool", tuple(Tool))
        return Breaker(
            breaker_id=breaker_id,
            measure=measure,
            window_s=window_s,
            amounts=reader.amounts(value_of(entries, "amount"), "amount"),
            count=reader.integer(value_of(entries, "count"), "count", least=1, most=1_000_000) or 1,
            share_percent=reader.integer(value_of(entries, "share_percent"), "share_percent", least=1, most=100),
            tool=Tool(tool) if tool is not None else None,
            scope=Scope(
                Intent(intent) if intent is not None else None,
                reader.choice(value_of(entries, "brand"), "brand", self._brands),
                reader.choice(value_of(entries, "tier"), "tier", self._tiers),
            ),
            cool_down_s=reader.seconds(value_of(entries, "cool_down"), "cool_down"),
        )

    def _fitting(self, entries: Mapping[str, Entry], measure: Measure) -> None:
        for key, measures in _FITS.items():
            if key in entries and measure not in measures:
                self._reader.wrong(
                    entries[key].key.place,
                    f"a breaker of {measure.value} has no {key!r}",
                    value=key,
                    hint=f"remove it; {key} goes with {', '.join(sorted(measures))}",
                )
