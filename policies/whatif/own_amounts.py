"""An amount of its own for one intent, one segment or both: a tier like the one that decides there, for there alone.

The language needs nothing new for it: the matrix names a tier for each place, and a tier has its amounts. So the tier
is copied under another name, and the lines of the matrix that named it are split. Everything that reads a policy
understands what comes out. Where lines overlap so that more would change than was asked for, nothing is done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import product
from typing import Final

from policies.canonical import content_hash
from policies.document import Cell, Policy, Tier
from policies.errors import PolicyFileError
from policies.language.tree import Node, Scalar, Table, read_tree
from policies.language.tree import Sequence as Items
from policies.language.values import offset_of
from policies.locked import MOVES_MONEY
from policies.parse import parse_policy
from policies.tables import case_of, tables_of
from policies.vocabulary import ActionKind, Intent
from policies.whatif.thresholds import Threshold, ThresholdError, text_with_threshold

NAME: Final = "the policy file"
_WRAPPERS: Final = ("policy", "workflow", "agent")
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]")
_DASH: Final = re.compile(r"[ ]*-[ ]+")
_SOME_DAY: Final = date(2000, 1, 1)


def is_own(policy: Policy, threshold: Threshold) -> bool:
    """Whether the tier decides money nowhere but where the threshold is narrowed to: then its amount can be moved."""
    lines = [one for one in policy.autonomy.matrix if one.tier == threshold.tier and _moves_money(one)]
    return all(
        (threshold.intent is None or one.intent == threshold.intent)
        and (threshold.segment is None or one.segment == threshold.segment)
        for one in lines
    )


def own_name(threshold: Threshold) -> str:
    """What the tier is called that decides there alone."""
    parts = (threshold.tier, threshold.intent, threshold.segment)
    return "-".join(_UNFIT.sub("-", part) for part in parts if part)


def with_own_threshold(policy: Policy, threshold: Threshold, at_most_minor: int) -> Policy:
    """The policy with that amount where the threshold is narrowed to, and as it was everywhere else.

    Raises:
        ThresholdError: the tier decides no money there, already has a tier beside it that does, or more would change.
    """
    made = _made(policy, threshold, at_most_minor)
    overlap = _overlap(policy, threshold)
    if overlap is not None:
        raise ThresholdError(overlap)
    return made


def _made(policy: Policy, threshold: Threshold, at_most_minor: int) -> Policy:
    """The policy with the tier and its lines, wherever else they would speak, too."""
    name, tier = own_name(threshold), policy.tiers[threshold.tier]
    if name in policy.tiers:
        raise ThresholdError(f"tier {name!r} exists: move its amount, or choose another intent or segment")
    own = replace(tier, name=name, at_most={**(tier.at_most or {}), threshold.currency: at_most_minor})
    cells: list[Cell] = []
    for cell in policy.autonomy.matrix:
        made = list(_narrowed(cell, threshold, name))
        cells += made
        if {_key(one) for one in made} != {_key(cell)}:
            cells.append(cell)
    if len(cells) == len(policy.autonomy.matrix) and all(one.tier != name for one in cells):
        raise ThresholdError(f"tier {threshold.tier!r} decides no money {_where(threshold)}: nothing there to move")
    place = policy.autonomy.tiers.index(tier) + 1
    tiers = (*policy.autonomy.tiers[:place], own, *policy.autonomy.tiers[place:])
    made_policy = replace(policy, autonomy=replace(policy.autonomy, tiers=tiers, matrix=tuple(cells)), content_hash="")
    return replace(made_policy, content_hash=content_hash(made_policy))


def text_with_own_threshold(text: str, threshold: Threshold, at_most_minor: int) -> str:
    """The file with a tier of its own there: some lines are added, a line of the matrix may be split, no other changes.

    Raises:
        PolicyFileError: the file cannot be read.
        ThresholdError: the tier does not decide there, or the file is written so that only a person can change it.
    """
    before = parse_policy(text, name=NAME)
    expected = with_own_threshold(before, threshold, at_most_minor)
    tree = _block(read_tree(text, name=NAME, problems=[]))
    tiers, matrix = (tree.get("tiers"), tree.get("matrix")) if tree is not None else (None, None)
    if not isinstance(tiers, Table) or not isinstance(matrix, Items):
        raise ThresholdError("the file has no `tiers` and `matrix` to write an amount of its own into: edit the text")
    edits = [_copied(text, tiers, threshold)]
    for item in matrix.items:
        edits += _split(text, item, threshold)
    for edit in sorted(edits, key=lambda one: one.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    try:
        changed = text_with_threshold(text, Threshold(own_name(threshold), threshold.currency), at_most_minor)
        made = parse_policy(changed, name=NAME)
    except PolicyFileError as error:
        raise ThresholdError(f"the file is written so that only its text can be changed: {error}") from error
    if _in_order(made) != _in_order(expected):
        raise ThresholdError(f"an amount {_where(threshold)} would change more than that: edit the text instead")
    return changed


@dataclass(frozen=True, slots=True)
class _Edit:
    """Other characters from `start` to `end`."""

    start: int
    end: int
    text: str


def _in_order(policy: Policy) -> str:
    """The policy's hash with the lines of its matrix in one order, which decides nothing."""
    lines = tuple(sorted(policy.autonomy.matrix, key=repr))
    return content_hash(replace(policy, autonomy=replace(policy.autonomy, matrix=lines), content_hash=""))


def _where(threshold: Threshold) -> str:
    return " ".join(
        [
            *([f"for {threshold.intent!r}"] if threshold.intent else []),
            *([f"of segment {threshold.segment!r}"] if threshold.segment else []),
        ]
    )


def _moves_money(cell: Cell) -> bool:
    return cell.action is None or cell.action in MOVES_MONEY


def _narrowed(cell: Cell, threshold: Threshold, name: str) -> Iterator[Cell]:
    """The line for the place alone, once for each action that moves money; none where it is not about the place."""
    intent = None if threshold.intent is None else Intent(threshold.intent)
    if cell.tier != threshold.tier or not _moves_money(cell):
        return
    if (intent is not None and cell.intent not in {None, intent}) or (
        threshold.segment is not None and cell.segment not in {None, threshold.segment}
    ):
        return
    for action in sorted(MOVES_MONEY) if cell.action is None else [cell.action]:
        yield Cell(intent or cell.intent, threshold.segment or cell.segment, action, cell.brand, name, cell.window)


def _key(cell: Cell) -> tuple[object, ...]:
    return (cell.intent, cell.segment, cell.action, cell.brand, cell.window)


@lru_cache(maxsize=256)
def _overlap(before: Policy, threshold: Threshold) -> str | None:
    """Why a place would have another tier that the threshold is not narrowed to; None where all keep theirs.

    A narrower line goes before wider ones, so a line that is added may take a place from another one.
    """
    name, after = own_name(threshold), _made(before, threshold, 0)
    lines = before.autonomy.matrix
    days = {_SOME_DAY, *(day for one in lines for day in _edges(one))}
    segments = {*before.segments, *(one.segment for one in lines), None}
    brands = {*before.brands, *(one.brand for one in lines), None}
    for intent, action in product((*Intent, None), sorted(MOVES_MONEY)):
        values = {"action.kind": action.value} | ({} if intent is None else {"request.intent": intent.value})
        was, now = (case_of(one, tables_of(one), values) for one in (before, after))
        for place in product(segments, brands, days):
            tier, moved = _named(was.ceiling(*place)), _named(now.ceiling(*place))
            is_there = threshold.intent in {None, intent} and threshold.segment in {None, place[0]}
            if moved != (name if is_there and tier == threshold.tier else tier):
                spot = " x ".join(str(part) for part in (intent, place[0], action, place[1]) if part)
                return (
                    f"lines of the matrix overlap: an amount {_where(threshold)} would change {spot}, too, from tier "
                    f"{tier!r} to {moved!r}; write the lines into the text"
                )
    return None


def _named(tier: Tier | None) -> str | None:
    return None if tier is None else tier.name


def _edges(cell: Cell) -> Iterator[date]:
    for day in (cell.window.first, cell.window.last):
        if day is not None:
            yield from (day - timedelta(days=1), day, day + timedelta(days=1))


# the file


def _block(tree: Node | None) -> Table | None:
    """What stands under `autonomy`."""
    if not isinstance(tree, Table):
        return None
    for entry in tree.entries:
        if entry.key.text == "autonomy":
            return entry.value if isinstance(entry.value, Table) else None
        if entry.key.text in _WRAPPERS and (found := _block(entry.value)) is not None:
            return found
    return None


def _line_of(text: str, offset: int) -> int:
    """Where the line begins that the offset is in."""
    return text.rfind("\n", 0, offset) + 1


def _copied(text: str, tiers: Table, threshold: Threshold) -> _Edit:
    """The tier's lines once more, below it, under the new name."""
    entry = next((one for one in tiers.entries if one.key.text == threshold.tier), None)
    if entry is None:
        raise ThresholdError(f"tier {threshold.tier!r} does not stand under `tiers`: edit the text")
    key = offset_of(text, entry.key.place.line, entry.key.place.column)
    begin = _line_of(text, key)
    indent = key - begin
    if text[begin:key].strip():
        raise ThresholdError(f"line {entry.key.place.line} holds more than tier {threshold.tier!r}: edit the text")
    rest = text[begin:].splitlines(keepends=True)
    taken = 1
    for number, line in enumerate(rest[1:], 1):
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        if line.strip() and not line.lstrip().startswith("#"):
            taken = number + 1
    block = [line for line in rest[:taken] if not line.lstrip().startswith("#")]
    head = block[0][:indent] + own_name(threshold) + block[0][indent + _width(text, entry.key) :]
    ends = "" if rest[taken - 1].endswith("\n") else "\n"
    at = begin + sum(map(len, rest[:taken]))
    return _Edit(at, at, ends + head + "".join(block[1:]))


def _width(text: str, word: Scalar) -> int:
    """Characters that a word takes in the file."""
    start = offset_of(text, word.place.line, word.place.column)
    quoted = text[start : start + 1] in {'"', "'"}
    return len(word.text) + (2 if quoted else 0)


def _split(text: str, item: Node, threshold: Threshold) -> list[_Edit]:
    """What is done to one line of the matrix: a narrower one before it, and its words taken out where they stood."""
    if not isinstance(item, Table) or not isinstance(tier := item.get("tier"), Scalar) or tier.text != threshold.tier:
        return []
    has = {name: _words(item.get(name)) for name in ("intent", "segment", "action", "brand")}
    money = [one.value for one in ActionKind if one in MOVES_MONEY]
    kinds = money if has["action"] is None else [word for word in has["action"] if word in money]
    for name, asked in (("intent", threshold.intent), ("segment", threshold.segment)):
        if asked is not None and asked not in (has[name] or (asked,)):
            return []
    if not kinds:
        return []
    narrow = {
        "intent": [threshold.intent] if threshold.intent else has["intent"],
        "segment": [threshold.segment] if threshold.segment else has["segment"],
        "action": kinds,
        "brand": has["brand"],
    }
    if any(has[name] is None and narrow[name] is not None for name in has):
        return [_line_before(text, item, narrow, threshold)]
    wider = [name for name, words in has.items() if words is not None and words != narrow[name]]
    if not wider:
        start = offset_of(text, tier.place.line, tier.place.column)
        return [_Edit(start, start + _width(text, tier), own_name(threshold))]
    if len(wider) > 1:
        raise ThresholdError(f"line {item.place.line} of the file lists several {' and '.join(wider)}s: split it first")
    listed = item.get(wider[0])
    assert isinstance(listed, Items), "what is wider lists several words"
    taken = [word for word in listed.items if isinstance(word, Scalar) and word.text in (narrow[wider[0]] or ())]
    return [_line_before(text, item, narrow, threshold), *(_without(text, listed, word) for word in taken)]


def _words(node: Node | None) -> list[str] | None:
    """The words of a place of a line; None stands for any."""
    if isinstance(node, Items):
        return [one.text for one in node.items if isinstance(one, Scalar)]
    return None if not isinstance(node, Scalar) or node.text == "*" else [node.text]


def _line_before(text: str, item: Table, narrow: dict[str, list[str] | None], threshold: Threshold) -> _Edit:
    start = offset_of(text, item.place.line, item.place.column)
    parts = [
        f"{name}: {words[0] if len(words) == 1 else '[' + ', '.join(words) + ']'}"
        for name, words in narrow.items()
        if words
    ]
    if (valid := next((one for one in item.entries if one.key.text == "valid"), None)) is not None:
        parts.append(f"valid: {_flow(valid.value)}")
    line = "{" + ", ".join([*parts, f"tier: {own_name(threshold)}"]) + "}"
    begin = _line_of(text, start)
    if _DASH.fullmatch(text[begin:start]):
        ends = "\r\n" if text[: text.find("\n")].endswith("\r") else "\n"
        return _Edit(begin, begin, text[begin:start] + line + ends)
    return _Edit(start, start, line + ", ")


def _flow(node: Node) -> str:
    if isinstance(node, Table):
        return "{" + ", ".join(f"{one.key.text}: {_flow(one.value)}" for one in node.entries) + "}"
    if isinstance(node, Items):
        return "[" + ", ".join(map(_flow, node.items)) + "]"
    return node.text


def _without(text: str, listed: Items, word: Scalar) -> _Edit:
    """One word less in a list that has others."""
    start = offset_of(text, word.place.line, word.place.column)
    end = start + _width(text, word)
    begin = _line_of(text, start)
    if _DASH.fullmatch(text[begin:start]):
        following = text.find("\n", end)
        return _Edit(begin, len(text) if following < 0 else following + 1, "")
    words: Sequence[Node] = listed.items
    place = words.index(word)
    if place + 1 < len(words):
        after = words[place + 1].place
        return _Edit(start, offset_of(text, after.line, after.column), "")
    before = words[place - 1]
    assert isinstance(before, Scalar), "a list of words"
    return _Edit(offset_of(text, before.place.line, before.place.column) + _width(text, before), end, "")
