"""Adding a route of the API: who may call it, what it answers, and what can go wrong, said in one place.

The description of the API (OpenAPI 3.1) is made from these routes, and from nothing else.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import APIRouter, Path, Query
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from app.api.access import Called
from app.web.access import MAX_FORM_BYTES, Declared, Refused
from app.web.rendering import PROBLEM

VERSION: Final = "1"
PREFIX: Final = "/api/v1"
MOST: Final = 200

Item = TypeVar("Item")

Id = Annotated[str, Path(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9_.:-]+$")]
"""An id of ours in an address. What looks otherwise is nobody's id."""
After = Annotated[str | None, Query(max_length=400, description="the cursor `next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="how many at most")]
Word = Annotated[str | None, Query(max_length=80, pattern=r"^[A-Za-z0-9_.:-]*$")]
Words = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


class Problem(BaseModel):
    """What went wrong, as RFC 9457 writes it."""

    title: str
    status: int
    detail: str


class Listing(BaseModel, Generic[Item]):
    """A page of a list; `next` leads to the page behind it, and is null on the last."""

    items: list[Item]
    next: str | None = Field(description="a cursor, to be sent as `after`; its inside is no promise")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Behind which row a page begins: its time and its id, the newest first."""

    at: datetime
    row_id: str

    def text(self) -> str:
        """The cursor as it goes over the wire."""
        return base64.urlsafe_b64encode(json.dumps([self.at.isoformat(), self.row_id]).encode()).decode()

    @classmethod
    def read(cls, text: str | None) -> Cursor | None:
        """The cursor that was sent; None where none was.

        Raises:
            Refused: it is none of ours.
        """
        if not text:
            return None
        try:
            at, row_id = json.loads(base64.urlsafe_b64decode(text.encode()))
            found = cls(datetime.fromisoformat(at), str(row_id))
        except (binascii.Error, ValueError, TypeError) as error:
            raise bad("This cursor is none of ours. Send `next` of the page before, or nothing.") from error
        if found.at.tzinfo is None or "\0" in found.row_id:
            raise bad("This cursor is none of ours. Send `next` of the page before, or nothing.")
        return found


def bad(text: str) -> Refused:
    """A request that can be read and not be followed."""
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Not accepted", text)


def missing(what: str, name: str) -> Refused:
    """Nothing of that name here."""
    return Refused(HTTPStatus.NOT_FOUND, "Not found", f"There is no {what} {name[:80]!r} here.")


def conflict(text: str) -> Refused:
    """Something was faster, or different from what was meant; nothing was changed."""
    return Refused(HTTPStatus.CONFLICT, "Nothing was changed", text)


_PROBLEM: Final = {"content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
_ANSWERS: Final = {
    HTTPStatus.BAD_REQUEST: "the body is no text; nothing was changed",
    HTTPStatus.UNAUTHORIZED: "no session and no token that lets anybody in",
    HTTPStatus.FORBIDDEN: "the roles, the scope or the origin do not allow it",
    HTTPStatus.NOT_FOUND: "there is nothing of that name",
    HTTPStatus.CONFLICT: "something was faster; nothing was changed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is too long",
    HTTPStatus.UNPROCESSABLE_ENTITY: "what was sent cannot be followed",
    HTTPStatus.SERVICE_UNAVAILABLE: "the database does not answer",
}


def call(
    router: APIRouter,
    method: str,
    path: str,
    handler: Callable[..., Awaitable[Any]],
    access: Called,
    *,
    gives: Any,  # noqa: ANN401 - a type for pydantic, or a content type
    status: HTTPStatus = HTTPStatus.OK,
) -> None:
    """Add a route. `gives` is what it answers, or the content type of a file; the docstring describes it."""
    described: dict[int | str, dict[str, Any]] = {
        code.value: {"description": text, **_PROBLEM} for code, text in _ANSWERS.items()
    }
    is_file = isinstance(gives, str)
    if is_file:
        described[status.value] = {"description": "the file", "content": {gives: {"schema": {"type": "string"}}}}
    route = Declared(
        method,
        f"{PREFIX}{path}",
        handler,
        access,
        response_model=None if is_file else gives,
        response_class=Response if is_file else JSONResponse,
        status_code=status.value,
        responses=described,
        summary=(handler.__doc__ or "").split("\n")[0].rstrip("."),
        description=f"{(handler.__doc__ or '').strip()}\n\nRoles: {access.told}. Scope of a token: `{access.scope}`.",
        operation_id=handler.__name__,
        max_body_size=MAX_FORM_BYTES,
    )
    router.routes.append(route)


def described(routes: Sequence[APIRoute]) -> dict[str, Any]:
    """The description of the API that has these routes."""
    form = get_openapi(
        title="Countersign",
        version=VERSION,
        description="What the pages show and do, for programs. Times are ISO 8601 in UTC, money is whole minor units.",
        routes=routes,
        separate_input_output_schemas=False,
    )
    schemas = form.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    form["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "`countersign account token` makes one"}
    }
    form["security"] = [{"token": []}]
    return form
