"""`extends:`: one tree laid over another, before anything is read, so that every error still names its own file.

Mappings merge key by key. The lists `rules`, `never`, `matrix`, `factors`, `customer`, `tenant`, `breakers`,
`segments`, `brands` and `documents` are joined, and an item of the extending file replaces the one with the same id (a
cell: the same place in the matrix). Everything else is replaced as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from policies.errors import PolicyFileError, Problem
from policies.language.tree import Entry, Node, Place, Scalar, Sequence, Table, read_tree

Resolve = Callable[[str], str | None]
"""The text behind the name of another policy file, or None where there is none. Reading files is the caller's."""

JOINED: Final = frozenset(
    {"rules", "never", "matrix", "factors", "customer", "tenant", "breakers", "segments", "brands", "documents"},
)
MAX_CHAIN: Final = 5
WRAPPERS: Final = ("policy", "workflow", "agent")
IDENTITY: Final = (*WRAPPERS, "name")
"""Keys that name a policy."""


def load_tree(text: str, *, name: str, resolve: Resolve, problems: list[Problem], chain: tuple[str, ...] = ()) -> Table:
    """The tree of a file with everything it extends below it, its wrapper removed. `problems` takes up double keys.

    Raises:
        PolicyFileError: no YAML mapping, a file it extends is missing or itself wrong, or the chain is a circle.
    """
    tree = read_tree(text, name=name, problems=problems)
    if not isinstance(tree, Table):
        place = Place(name, 1, 1) if tree is None else tree.place
        problem = place.problem("a policy file must be a mapping of keys", hint="begin with `policy: NAME`")
        raise PolicyFileError((problem,))
    own = _unwrapped(tree, name)
    extends = own.get("extends")
    if extends is None:
        return own
    target = extends.text if isinstance(extends, Scalar) else ""
    if target in chain or target == name or len(chain) >= MAX_CHAIN:
        problem = extends.place.problem(
            f"extends goes round in a circle or deeper than {MAX_CHAIN} files",
            value=target,
            hint=" -> ".join((*chain, name, target)),
        )
        raise PolicyFileError((problem,))
    base = resolve(target) if target else None
    if base is None:
        problem = extends.place.problem(
            f"no policy file {target!r} to extend", value=target, hint="put it beside this file"
        )
        raise PolicyFileError((problem,))
    below = load_tree(base, name=target, resolve=resolve, problems=problems, chain=(*chain, name))
    return _laid_over(below, own, skip=("extends",))


def _unwrapped(tree: Table, name: str) -> Table:
    """`agent: {...}` or `workflow: {...}` around the whole policy is taken off; unnamed it is called as its file."""
    wrapped = [entry for entry in tree.entries if entry.key.text in WRAPPERS and isinstance(entry.value, Table)]
    if not wrapped:
        return tree
    outer = [entry for entry in tree.entries if entry not in wrapped]
    entries = [*outer]
    for entry in wrapped:
        assert isinstance(entry.value, Table)
        entries += entry.value.entries
    seen: dict[str, Entry] = {}
    for entry in entries:
        first = seen.setdefault(entry.key.text, entry)
        if first is not entry:
            problem = entry.key.place.problem(
                f"key {entry.key.text!r} stands both inside and outside of the wrapper",
                value=entry.key.text,
                hint=f"keep one of it; the other is on line {first.key.place.line}",
            )
            raise PolicyFileError((problem,))
    if not any(key in seen for key in IDENTITY):
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name.rpartition("/")[2].removesuffix(".yaml")).strip("-")
        entries.append(
            Entry(Scalar(tree.place, "name", quoted=False), Scalar(tree.place, stem or "policy", quoted=True))
        )
    return Table(tree.place, tuple(entries), tree.size)


def _laid_over(base: Table, over: Table, *, skip: tuple[str, ...] = ()) -> Table:
    merged = {entry.key.text: entry for entry in base.entries if entry.key.text not in skip}
    identity = [entry.key.text for entry in over.entries if entry.key.text in IDENTITY]
    if identity:
        merged = {key: entry for key, entry in merged.items() if key not in IDENTITY}
    for entry in over.entries:
        key = entry.key.text
        if key in skip:
            continue
        below = merged.get(key)
        merged[key] = entry if below is None else Entry(entry.key, _merged(key, below.value, entry.value))
    return Table(over.place, tuple(merged.values()), base.size + over.size)


def _merged(key: str, below: Node, above: Node) -> Node:
    if isinstance(below, Table) and isinstance(above, Table):
        return _laid_over(below, above)
    if key in JOINED and isinstance(below, Sequence) and isinstance(above, Sequence):
        return Sequence(above.place, (*below.items, *above.items), below.size + above.size)
    return above
