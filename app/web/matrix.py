"""The matrix of roles and routes, read from what the routes themselves declare."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import FastAPI

from app.api.access import Called
from app.identity.roles import Role
from app.web.access import Allowed, declared


def matrix_form(app: FastAPI) -> list[dict[str, object]]:
    """One entry for each route: who may, by role; and the reason where nobody needs to be signed in."""
    return [
        {
            "method": one.method,
            "path": one.path,
            "roles": {role.value: one.access.may(role) for role in Role},
            "anybody": None if isinstance(one.access, Allowed | Called) else one.access.told,
            "scope": one.access.scope.value if isinstance(one.access, Called) else None,
        }
        for one in declared(app)
    ]


def matrix_lines(app: FastAPI) -> Iterator[str]:
    """The same as a table of Markdown."""
    yield "| route | " + " | ".join(role.value for role in Role) + " | without signing in |"
    yield "| --- " * (len(Role) + 2) + "|"
    for one in declared(app):
        if isinstance(one.access, Allowed):
            cells = [*("yes" if one.access.may(role) else "no" for role in Role), "no"]
        elif isinstance(one.access, Called):
            told = f"no; a token needs `{one.access.scope}`"
            cells = [*("yes" if one.access.may(role) else "no" for role in Role), told]
        else:
            cells = [""] * len(Role) + [one.access.told]
        yield f"| `{one.method} {one.path}` | " + " | ".join(cells) + " |"
