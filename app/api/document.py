"""The description of the API as a whole, at `/api/v1/openapi.json`. It is made when somebody first asks for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from functools import cache

from fastapi import APIRouter
from starlette.responses import Response

from app.api.routing import PREFIX, described
from app.web.access import Declared, Guard, add


def routes(guard: Guard, parts: Sequence[APIRouter]) -> APIRouter:
    """The route that describes the routes of all parts."""

    @cache
    def form() -> bytes:
        routes = [route.read for part in parts for route in part.routes if isinstance(route, Declared)]
        return json.dumps(described(routes)).encode()

    async def openapi() -> Response:
        # It takes a second of work: in a thread, so that who asks for something else need not wait.
        return Response(await asyncio.to_thread(form), media_type="application/json")

    router = APIRouter()
    add(router, "GET", f"{PREFIX}/openapi.json", openapi, guard.open("the description of the API"))
    return router
