"""`when:` blocks to conditions. Every fact, operator and value is checked against the catalogue of facts.

A block is a mapping of fact to comparison, all of which must hold; `all`, `any` (lists of blocks) and `not` (a block)
nest. Amounts stand in major units under the fact's name without `_minor`: `action.amount: {at_most: {usd: 50}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from policies.conditions import All, Among, Any, Condition, Interval, MoneyWithin, Not, Positive, Within
from policies.facts import CATALOGUE, Fact, FactType, FactValue
from policies.language.reader import Reader
from policies.language.tree import Entry, Node, Scalar, Sequence, Table

MAX_LEAVES: Final = 200
BOUNDS: Final = ("at_most", "at_least", "below", "above", "is", "between")
WORDS: Final = ("is", "is_not", "one_of", "none_of")

SPELLINGS: Final = MappingProxyType(
    {
        **{name.removesuffix("_minor"): fact for name, fact in CATALOGUE.items()},
        "action.type": CATALOGUE["action.kind"],
    },
)
"""Fact names as a policy file writes them."""


def currency_fact(fact: Fact) -> str:
    """Which fact tells the currency of a money fact: a charge and its items have their own, all else the action's."""
    return "charge.currency" if fact.name.startswith(("charge.", "item.")) else "action.currency"


class ConditionReader:
    """Reads `when:` blocks of one file. `labels` are the declared words of open facts: segments, brands and so on."""

    def __init__(self, reader: Reader, labels: Mapping[str, tuple[str, ...]]) -> None:
        self._reader = reader
        self._labels = labels

    def block(self, node: Node | None) -> Condition | None:
        """A `when:` block, or None where it is missing or wrong. The word `always` holds in every case."""
        if node is None:
            return None
        if isinstance(node, Scalar):
            if node.text == "always":
                return All(())
            self._reader.wrong(node.place, "when: must be a block of conditions", value=node.text, hint="or `always`")
            return None
        if isinstance(node, Table) and not node.entries:
            self._reader.wrong(node.place, "when: lists no condition", hint="write `when: always` if that is meant")
        if node.size > MAX_LEAVES * 4:
            self._reader.wrong(node.place, f"when: has more than {MAX_LEAVES} comparisons", hint="split the rule")
            return None
        parts = [self._entry(entry) for entry in self._reader.entries(node, "when")]
        return All(tuple(part for part in parts if part is not None))

    def _entry(self, entry: Entry) -> Condition | None:
        key = entry.key.text
        if key == "not":
            part = self.block(entry.value)
            return None if part is None else Not(part)
        if key in {"any", "all"}:
            blocks = [self.block(item) for item in self._reader.items(entry.value, key)]
            parts = tuple(block for block in blocks if block is not None)
            if not parts:
                self._reader.wrong(entry.value.place, f"{key}: lists no condition", hint="name at least one")
            return Any(parts) if key == "any" else All(parts)
        return self._comparison(entry)

    def _comparison(self, entry: Entry) -> Condition | None:
        written, currency = entry.key.text, None
        fact = SPELLINGS.get(written)
        if fact is None and written.endswith("_usd"):
            fact, currency = SPELLINGS.get(written.removesuffix("_usd")), "usd"
            fact = fact if fact is not None and fact.type is FactType.MONEY else None
        if fact is None:
            in_minor = CATALOGUE.get(written)
            hint = "`countersign policy facts` lists the names"
            if in_minor is not None:
                hint = f"amounts stand in major units: write {written.removesuffix('_minor')!r}"
            self._reader.wrong(
                entry.key.place,
                f"unknown fact {written[:80]!r}",
                value=written,
                names=SPELLINGS,
                hint=hint,
            )
            return None
        if fact.type is FactType.MONEY:
            return self._money(fact, entry.value, currency)
        if fact.type is FactType.INTEGER:
            return self._number(fact, entry.value)
        return self._word(fact, entry.value)

    # words and truth values

    def _word(self, fact: Fact, node: Node) -> Condition | None:
        if not isinstance(node, Table):
            return self._among(fact, node, negated=False)
        operator = self._operator(node, fact, WORDS)
        if operator is None:
            return None
        name, operand = operator
        many = name in {"one_of", "none_of"}
        if many is not isinstance(operand, Sequence):
            self._reader.wrong(
                operand.place,
                f"{name!r} takes {'a list' if many else 'one value'}",
                hint="use one_of and none_of for lists, is and is_not for one value",
            )
            return None
        return self._among(fact, operand, negated=name in {"is_not", "none_of"})

    def _among(self, fact: Fact, node: Node, *, negated: bool) -> Condition | None:
        values: tuple[FactValue, ...] = self._reader.one_or_many(node, fact.name, lambda item: self._value(fact, item))
        return Among(fact, frozenset(values), negated) if values else None

    def _value(self, fact: Fact, node: Node) -> FactValue | None:
        if fact.type is FactType.BOOLEAN:
            return self._reader.flag(node, fact.name)
        if fact.type is FactType.ENUM:
            return self._reader.choice(node, fact.name, fact.values)
        declared = self._labels.get(fact.name)
        return (
            self._reader.word(node, fact.name) if declared is None else self._reader.choice(node, fact.name, declared)
        )

    # numbers

    def _number(self, fact: Fact, node: Node) -> Condition | None:
        if not isinstance(node, Table):
            number = self._signed(fact, node)
            return None if number is None else Within(fact, Interval(number, number))
        operator = self._operator(node, fact, BOUNDS)
        if operator is None:
            return None
        name, operand = operator
        numbers = [self._signed(fact, item) for item in self._operands(name, operand)]
        interval = self._interval(name, [number for number in numbers if number is not None], node)
        return None if interval is None else Within(fact, interval)

    def _signed(self, fact: Fact, node: Node) -> int | None:
        return self._reader.integer(node, fact.name, least=-1_000_000_000, most=1_000_000_000)

    def _operands(self, name: str, operand: Node) -> tuple[Node, ...]:
        if name != "between":
            return (operand,)
        items = self._reader.items(operand, "between")
        if items and len(items) != len(("low", "high")):
            self._reader.wrong(operand.place, "between takes two numbers", hint="write [low, high], both included")
            return ()
        return items

    def _interval(self, name: str, numbers: list[int], node: Node) -> Interval | None:
        if len(numbers) != (2 if name == "between" else 1):
            return None
        low, high = numbers[0], numbers[-1]
        if low > high:
            self._reader.wrong(node.place, f"between {low} and {high} holds nothing", hint="swap the two numbers")
            return None
        return {
            "at_most": Interval(None, high),
            "at_least": Interval(low, None),
            "below": Interval(None, high - 1),
            "above": Interval(low + 1, None),
        }.get(name, Interval(low, high))

    # money

    def _money(self, fact: Fact, node: Node, currency: str | None) -> Condition | None:
        operator = self._operator(node, fact, BOUNDS) if isinstance(node, Table) else ("is", node)
        if operator is None:
            return None
        name, operand = operator
        if isinstance(operand, Scalar) and operand.text == "0":
            return self._zero(fact, name, operand)
        by_currency = self._by_currency(name, operand, currency)
        intervals: dict[str, Interval] = {}
        for money, nodes in by_currency.items():
            numbers = [self._reader.amount(item, money) for item in nodes]
            interval = self._interval(name, [number for number in numbers if number is not None], operand)
            if interval is not None:
                intervals[money] = interval
        return MoneyWithin(fact, currency_fact(fact), MappingProxyType(intervals)) if intervals else None

    def _zero(self, fact: Fact, name: str, node: Scalar) -> Condition | None:
        """Nothing is nothing in every currency, so `above: 0` and `is: 0` need none."""
        if name in {"above", "is"}:
            return Positive(fact, positive=name == "above")
        self._reader.wrong(
            node.place, f"{name}: 0 says nothing about an amount", value="0", hint="write `above: 0` or `is: 0`"
        )
        return None

    def _by_currency(self, name: str, operand: Node, currency: str | None) -> Mapping[str, tuple[Node, ...]]:
        if currency is not None:
            return {currency: self._operands(name, operand)}
        if isinstance(operand, Table):
            found: dict[str, tuple[Node, ...]] = {}
            for entry in operand.entries:
                money = self._reader.choice(entry.key, "a currency", CATALOGUE["action.currency"].values)
                if money is not None:
                    found[money] = self._operands(name, entry.value)
            if not operand.entries:
                self._reader.wrong(operand.place, "lists no currency", hint="write {usd: 50}")
            return found
        self._reader.wrong(operand.place, "an amount needs a currency", hint="write {at_most: {usd: 50}}")
        return {}

    def _operator(self, node: Table, fact: Fact, allowed: tuple[str, ...]) -> tuple[str, Node] | None:
        """The one operator of a comparison. Two would be an interval: that is `between`, or two rules."""
        known = self._reader.table(node, f"a comparison of {fact.name!r}", allowed)
        if len(known) == 1 and len(node.entries) == 1:
            name, entry = next(iter(known.items()))
            return name, entry.value
        if len(known) == len(node.entries):
            self._reader.wrong(node.place, f"a comparison of {fact.name!r} takes one operator", hint=", ".join(allowed))
        return None
