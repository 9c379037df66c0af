"""The application, with a door of its own for the programs that sign what they send.

Nothing that serves people stands around that door: no session, form, page, nor what keeps a page to itself. Its routes
are listed, and say who may use them, like all others.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.routing import Match
from starlette.types import Lifespan, Receive, Scope, Send

from app.web.access import SignedRoute


class Front(FastAPI):
    """FastAPI, which is asked only for what is not at the door. `signed` are the door's routes."""

    def __init__(self, signed: Sequence[SignedRoute], lifespan: Lifespan[FastAPI]) -> None:
        super().__init__(title="Countersign", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
        self.router.routes.extend(signed)
        self._signed = tuple(signed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            for route in self._signed:
                match, found = route.matches(scope)
                if match is Match.FULL:
                    await route.handle({**scope, **found}, receive, send)
                    return
        await super().__call__(scope, receive, send)
