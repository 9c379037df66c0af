"""The description of the API as a whole, at `/api/v1/openapi.json`. It is made when somebody first asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from app.api.routing import PREFIX, described
from app.web.access import Declared, Guard, add


def routes(guard: Guard, parts: Sequence[APIRouter]) -> APIRouter:
    """The route that describes the routes of all parts."""

    @cache
    def form() -> dict[str, Any]:
        return described(route.read for part in parts for route in part.routes if isinstance(route, Declared))

    async def openapi() -> Response:
        return JSONResponse(await asyncio.to_thread(form))

    router = APIRouter()
    add(router, "GET", f"{PREFIX}/openapi.json", openapi, guard.open("the description of the API"))
    return router
