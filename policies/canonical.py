"""One spelling of every policy: the same JSON for two files that mean the same, and its SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date

from policies.conditions import All, Any
from policies.document import Policy
from policies.facts import Fact

Plain = str | int | bool | None | list["Plain"] | dict[str, "Plain"]


def canonical_form(policy: Policy) -> str:
    """The policy as JSON with sorted keys. Comments, order of keys, of rules and of conditions leave no trace."""
    form = plain(policy)
    assert isinstance(form, dict)
    del form["content_hash"]
    if not policy.models:
        del form["models"]  # so that a file without the block keeps the hash it had before there was one
    return dumps(form)


def content_hash(policy: Policy) -> str:
    """SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical_form(policy).encode()).hexdigest()


def dumps(form: Plain) -> str:
    """JSON with sorted keys and no blanks."""
    return json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plain(part: object) -> Plain:  # noqa: PLR0911  # one return for each kind of value
    """A part of a policy as JSON values. A fact is its name, a set is sorted, money stays in minor units."""
    if isinstance(part, Fact):
        return part.name
    if isinstance(part, date):
        return part.isoformat()
    if part is None or isinstance(part, str | int):
        return part
    if isinstance(part, All | Any):
        parts = sorted((plain(each) for each in part.parts), key=dumps)
        return {type(part).__name__.lower(): parts}
    if is_dataclass(part):
        kind: dict[str, Plain] = {"": type(part).__name__}
        return kind | {each.name: plain(getattr(part, each.name)) for each in fields(part)}
    if isinstance(part, Mapping):
        return {str(key): plain(value) for key, value in part.items()}
    if isinstance(part, frozenset):
        return sorted((plain(each) for each in part), key=dumps)
    assert isinstance(part, tuple)
    return [plain(each) for each in part]
