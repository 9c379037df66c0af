"""The API as a whole: its routes, and their description at `/api/v1/openapi.json`."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from app.api.routing import PREFIX, described
from app.web.access import Guard, add


def whole(guard: Guard, parts: Sequence[APIRouter]) -> APIRouter:
    """Every route of the parts, and the description of them all."""
    api = APIRouter()
    for part in parts:
        api.include_router(part)
    form = described(api)

    async def openapi() -> Response:
        return JSONResponse(form)

    add(api, "GET", f"{PREFIX}/openapi.json", openapi, guard.open("the description of the API"))
    return api
