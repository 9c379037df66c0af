"""What a page's form sends, read as the API would take it, and the way back to the page."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError
from starlette.responses import RedirectResponse, Response

from app.web.access import Refused

Wanted = TypeVar("Wanted", bound=BaseModel)


def read(model: type[Wanted], **fields: object) -> Wanted:
    """The form as the API would take it.

    Raises:
        Refused: it would not.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        wrong = ", ".join(sorted({str(one["loc"][0]).replace("_", " ") for one in error.errors()}))
        text = f"The form lacks or misspells {wrong}, so nothing was changed. Go back and correct it."
        raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", text) from error


def moment_of(written: str) -> datetime | None:
    """The time of a field of date and time, which states no zone: UTC, as the pages write it. None where it is empty.

    Raises:
        Refused: it is no time.
    """
    if not written.strip():
        return None
    try:
        moment = datetime.fromisoformat(written.strip())
    except ValueError as error:
        text = f"{written[:40]!r} is no time. Write it like 2026-11-27T00:00, in UTC. Nothing was changed."
        raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", text) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def back_to(tenant_id: str, page: str, said: str = "") -> Response:
    """Back to a page of the tenant, with what is to be said there."""
    asked = f"?{urlencode({'said': said})}" if said else ""
    return RedirectResponse(f"/t/{quote(tenant_id)}/{page}{asked}", HTTPStatus.SEE_OTHER)
