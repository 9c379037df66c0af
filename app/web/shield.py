"""Around every answer to people: the headers that keep a page to itself, and an end for errors nobody caught.

A page may load our own style and run scripts that carry its answer's nonce, which is random and never repeated; it may
send forms to us only, and stands in nobody's frame, but for the Zendesk app's page, which stands in that account's. An
error becomes a page that says when it happened and nothing of how: what happened is in the log.
https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import DatabaseError
from app.web.access import Refused
from app.web.rendering import Renderer
from graph.vault import MasterKeyWithheld

_LOG: Final = logging.getLogger(__name__)
FRAMED_BY: Final = "framed_by"
"""In a request's state: the one origin in whose frame the answer may stand. Only the Zendesk app's page has one."""
NOBODY: Final = "'none'"
_STATIC: Final = {
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with it a browser says `Origin: null` of our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_TEXTS: Final = {
    HTTPStatus.NOT_FOUND: "There is no page at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take requests of that kind.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "What was sent is too long, so nothing was changed. Send less.",
}


class Shield:
    """The middleware. `new_nonce` makes a fresh random word for each answer."""

    def __init__(self, app: ASGIApp, *, renderer: Renderer, new_nonce: Callable[[], str], is_encrypted: bool) -> None:
        self._app = app
        self._renderer = renderer
        self._new_nonce = new_nonce
        self._is_encrypted = is_encrypted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = self._new_nonce()
        scope.setdefault("state", {})["nonce"] = nonce
        has_begun = False

        async def guarded(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                self._write(MutableHeaders(scope=message), nonce, scope["state"].get(FRAMED_BY, ""))
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        except Exception as error:
            if has_begun:
                raise
            await self._failed(Request(scope), error)(scope, receive, guarded)

    def _write(self, headers: MutableHeaders, nonce: str, framed_by: str) -> None:
        headers["Content-Security-Policy"] = (
            f"default-src 'none'; style-src 'self'; script-src 'nonce-{nonce}'; img-src 'self'; connect-src 'self'; "
            f"form-action 'self'; base-uri 'none'; frame-ancestors {framed_by or NOBODY}"
        )
        for name, value in _STATIC.items():
            headers[name] = value
        headers.setdefault("Cache-Control", "no-store")
        if self._is_encrypted:
            headers["Strict-Transport-Security"] = "max-age=31536000"

    def _failed(self, request: Request, error: Exception) -> Response:
        if isinstance(error, DatabaseError):
            _LOG.error("the database did not answer: %s", error)
            away = "The database does not answer, so nothing was changed. Try again in a moment."
            return self._renderer.refused(request, Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Not now", away))
        place = request.scope.get("route_path", request.url.path)
        if isinstance(error, MasterKeyWithheld):
            _LOG.error("a request to %s waits for the master key: %s", place, error)
            sealed = "The key that opens this is withheld: until it is given out, nothing of it is shown or changed."
            return self._renderer.refused(request, Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Sealed", sealed))
        _LOG.error("a request to %s failed", place, exc_info=error)
        text = "Something went wrong here, and the server's log says what. Whether anything was changed, the run shows."
        return self._renderer.refused(request, Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "An error of ours", text))


def answer_refusals(app: FastAPI, renderer: Renderer) -> None:
    """Let what is refused before or in a handler become a page, and never the framework's own words."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return renderer.refused(request, error)

    async def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        text = _TEXTS.get(status, "The request could not be read, so nothing was changed.")
        answer = renderer.refused(request, Refused(status, status.phrase.capitalize(), text))
        answer.headers.update(error.headers or {})
        return answer

    async def unreadable(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        fields = sorted({str(problem["loc"][-1]) for problem in error.errors()})
        text = f"The request lacks or misspells {', '.join(fields)[:200]}, so nothing was changed."
        return renderer.refused(request, Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Not accepted", text))

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(RequestValidationError, unreadable)
