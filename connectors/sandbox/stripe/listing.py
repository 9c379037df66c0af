"""Lists: filters, cursors, expansion. https://docs.stripe.com/api/pagination ."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Final

from connectors.sandbox.stripe import forms, objects
from connectors.sandbox.stripe.books import Books
from connectors.sandbox.stripe.forms import Form
from connectors.sandbox.stripe.objects import Thing
from connectors.sandbox.stripe.problems import invalid, missing

PAGING: Final = frozenset({"limit", "starting_after", "ending_before", "expand"})
_DEFAULT_LIMIT: Final = 10
_MAX_LIMIT: Final = 100
_MAX_DEPTH: Final = 4
_BOUNDS: Final[dict[str, Callable[[int, int], bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def check(form: Form) -> None:
    """Refuse a limit beyond 1 to 100, two cursors, or a time that is no integer."""
    limit = forms.integer(form, "limit")
    if limit is not None and not 1 <= limit <= _MAX_LIMIT:
        raise invalid("Invalid limit: must be between 1 and 100", param="limit", code="parameter_invalid_integer")
    if "starting_after" in form and "ending_before" in form:
        raise invalid("You may only specify one of starting_after and ending_before.", param="ending_before")
    forms.integer(form, "created")
    for bound in forms.nested(form, "created"):
        if bound not in _BOUNDS:
            raise invalid(f"Received unknown parameter: created[{bound}]", param=f"created[{bound}]")
        forms.integer(form, f"created[{bound}]")


def page(books: Books, kind: str, entries: list[Thing], form: Form, *, url: str) -> Thing:
    """One page of what the filters left, newest first."""
    bounds = _bounds(form)
    entries = [entry for entry in entries if all(fits(entry["created"], bound) for fits, bound in bounds)]
    limit = forms.integer(form, "limit") or _DEFAULT_LIMIT
    ids = [entry["id"] for entry in entries]
    if "ending_before" in form:
        end = _position(ids, form["ending_before"], kind, "ending_before")
        start, more = max(0, end - limit), end > limit
    else:
        after = form.get("starting_after")
        start = 0 if after is None else _position(ids, after, kind, "starting_after") + 1
        end = min(len(ids), start + limit)
        more = len(ids) > end
    shown = [copy.deepcopy(entry) for entry in entries[start:end]]
    return expanded(books, objects.listing(shown, url=url, has_more=more), form)


def expanded(books: Books, answer: Thing, form: Form) -> Thing:
    """Put objects in the place of ids, as asked. https://docs.stripe.com/expand ."""
    for path in (value for name, value in form.items() if name.startswith("expand")):
        steps = path.split(".")
        if len(steps) > _MAX_DEPTH:
            raise invalid("You cannot expand more than 4 levels of a property.", param="expand")
        _expand(books, answer, steps, path)
    return answer


def _expand(books: Books, thing: Thing, steps: list[str], path: str) -> None:
    name, *rest = steps
    value = thing.get(name)
    if isinstance(value, list):
        for entry in value:
            _expand(books, entry, rest, path)
        return
    if name == "payments" and thing["object"] == "invoice":
        paid = books.newest_first("invoice_payment", {"invoice": thing["id"]})
        value = thing[name] = objects.listing(copy.deepcopy(paid), url="/v1/invoice_payments")
    elif isinstance(value, str):
        found = books.anything(value)
        if found is None:
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        value = thing[name] = copy.deepcopy(found)
    elif name not in thing:
        raise invalid(f"This property cannot be expanded ({path}).", param="expand")
    if rest and isinstance(value, dict):
        _expand(books, value, rest, path)


def _bounds(form: Form) -> list[tuple[Callable[[int, int], bool], int]]:
    exact = forms.integer(form, "created")
    bounds = [(_BOUNDS[name], int(value)) for name, value in forms.nested(form, "created").items()]
    return bounds if exact is None else [*bounds, (operator.eq, exact)]


def _position(ids: list[str], wanted: str, kind: str, param: str) -> int:
    try:
        return ids.index(wanted)
    except ValueError as error:
        raise missing(kind.rpartition(".")[2], wanted, param=param, status=400) from error
