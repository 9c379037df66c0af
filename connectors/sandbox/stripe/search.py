"""The part of Stripe's search query language that shops use. https://docs.stripe.com/search#search-query-language .

Clauses joined by AND or by OR, never both; `:` for equality whatever the case, `~` for a part of a string, `<` and `>`
for numbers, `-` for not.
"""

from __future__ import annotations

import copy
import re
from typing import Final

from connectors.sandbox.stripe import forms
from connectors.sandbox.stripe.books import Books
from connectors.sandbox.stripe.forms import Form
from connectors.sandbox.stripe.objects import Thing
from connectors.sandbox.stripe.problems import invalid

_CLAUSE: Final = re.compile(
    r"""\s*(?P<no>-)?(?P<field>[a-z_.]+|metadata\[(?P<q>["'])(?P<key>[^"']+)(?P=q)\])\s*(?P<how>:|~|>=|<=|>|<)\s*"""
    r"""(?:"(?P<text>(?:[^"\\]|\\.)*)"|'(?P<other>(?:[^'\\]|\\.)*)'|(?P<number>-?[0-9]+)|(?P<null>null))\s*""",
)
_JOINT: Final = re.compile(r"(AND|OR)\b")
_SHORTEST_PART: Final = 3


def find(books: Books, kind: str, form: Form, *, url: str) -> Thing:
    """One page of search hits, as the index knows them."""
    clauses, joint = _parse(form.get("query", ""))
    matches = all if joint == "AND" else any
    words = _words(clauses) if joint == "AND" else {}
    hits = [thing for thing in books.as_searched(kind, words) if matches(_holds(thing, clause) for clause in clauses)]
    limit = forms.integer(form, "limit") or 10
    return {
        "object": "search_result",
        "data": copy.deepcopy(hits[:limit]),
        "has_more": len(hits) > limit,
        "next_page": None,
        "url": url,
    }


def check(form: Form) -> None:
    """Refuse a query that cannot be read."""
    _parse(form.get("query", ""))


def _parse(query: str) -> tuple[list[re.Match[str]], str]:
    clauses: list[re.Match[str]] = []
    joints: set[str] = set()
    at = 0
    while True:
        clause = _CLAUSE.match(query, at)
        if clause is None:
            raise invalid(f"We were unable to parse your search query: {query!r}.", param="query")
        clauses.append(clause)
        at = clause.end()
        if at == len(query):
            break
        joint = _JOINT.match(query, at)
        if joint is None:
            raise invalid(f"We were unable to parse your search query: {query!r}.", param="query")
        joints.add(joint.group())
        at = joint.end()
    if len(joints) > 1:
        raise invalid("You cannot combine AND and OR in one query.", param="query")
    return clauses, joints.pop() if joints else "AND"


def _words(clauses: list[re.Match[str]]) -> dict[str, str]:
    """The metadata that every hit must have, by which the index narrows the search."""
    return {
        f"metadata[{clause['key']}]": quoted
        for clause in clauses
        if clause["key"] is not None
        and clause["how"] == ":"
        and clause["no"] is None
        and (quoted := _quoted(clause)) is not None
    }


def _quoted(clause: re.Match[str]) -> str | None:
    quoted = clause["text"] if clause["text"] is not None else clause["other"]
    return None if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


def _holds(thing: Thing, clause: re.Match[str]) -> bool:
    return _fits(_value(thing, clause), clause) is (clause["no"] is None)


def _value(thing: Thing, clause: re.Match[str]) -> object:
    if clause["key"] is not None:
        return thing["metadata"].get(clause["key"])
    value: object = thing
    for step in clause["field"].split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _fits(value: object, clause: re.Match[str]) -> bool:
    how = clause["how"]
    if clause["null"] is not None:
        return value is None
    if clause["number"] is not None:
        return isinstance(value, int) and _compare(value, how, int(clause["number"]))
    quoted = _quoted(clause)
    if value is None or quoted is None:
        return False
    wanted = quoted.casefold()
    if how == "~":
        return len(wanted) >= _SHORTEST_PART and wanted in str(value).casefold()
    return str(value).casefold() == wanted


def _compare(value: int, how: str, bound: int) -> bool:
    return {
        ":": value == bound,
        ">": value > bound,
        "<": value < bound,
        ">=": value >= bound,
        "<=": value <= bound,
    }.get(how, False)
