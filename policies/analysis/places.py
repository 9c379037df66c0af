"""Where the parts of a policy stand in its files, so that a finding can name file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.language.inherit import MAX_CHAIN, Resolve, load_tree
from policies.language.tree import Entry, Node, Place, Scalar, Sequence, Table


def places_of(text: str, *, name: str, resolve: Resolve) -> Mapping[str, Place]:
    """The place of each rule, never-rule and risk factor by its id, and of each tier as `tier NAME`.

    The text is one that `parse_policy` has read with the same `resolve`; rules of its rulesets are in their own files.
    """
    return dict(_places(load_tree(text, name=name, resolve=resolve, problems=[]), resolve, depth=0))


def tier_key(name: str) -> str:
    """Under which key the place of a tier is found."""
    return f"tier {name}"


def _places(tree: Table, resolve: Resolve, depth: int) -> Iterator[tuple[str, Place]]:
    for check in _items(tree.get("verification")):
        target = check.get("ruleset")
        inside = resolve(f"{target.text}.yaml") if isinstance(target, Scalar) and depth < MAX_CHAIN else None
        if inside is not None and isinstance(target, Scalar):
            yield from _places(
                load_tree(inside, name=f"{target.text}.yaml", resolve=resolve, problems=[]), resolve, depth + 1
            )
    risk = tree.get("risk")
    factors = risk.get("factors") if isinstance(risk, Table) else None
    for rule in (*_items(tree.get("never")), *_items(tree.get("rules")), *_items(factors)):
        rule_id = rule.get("id")
        assert isinstance(rule_id, Scalar)
        yield rule_id.text, rule.place
    for entry in _tiers(tree.get("autonomy")):
        yield tier_key(entry.key.text), entry.key.place


def _items(node: Node | None) -> Iterator[Table]:
    """The mappings of a list."""
    return (item for item in (node.items if isinstance(node, Sequence) else ()) if isinstance(item, Table))


def _tiers(autonomy: Node | None) -> Iterator[Entry]:
    """Tiers under `tiers:`, and those that stand directly under `autonomy:`."""
    if isinstance(autonomy, Table):
        tiers = autonomy.get("tiers")
        yield from tiers.entries if isinstance(tiers, Table) else ()
        yield from (entry for entry in autonomy.entries if entry.key.text.startswith("tier_"))
