"""Turning templates into pages. Everything that is filled in is text: the engine escapes it, wherever it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from app.identity.sessions import Visitor
from app.web.access import Refused
from app.web.formats import Formats, formats_of
from policies.money import Money

FOLDER: Final = Path(__file__).parent.parent
PROBLEM: Final = "application/problem+json"
"""https://www.rfc-editor.org/rfc/rfc9457"""
PROGRAMS: Final = ("/api/", "/webhooks/", "/healthz")
"""Addresses that programs ask for, whatever they accept."""


class Renderer:
    """Pages from the templates of this package; money and times are written as their reader writes them.

    `now` is business time, which times are told against.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["money"] = _money
        self._environment.filters["moment"] = _moment
        self._environment.filters["words"] = lambda value: str(value).replace("_", " ")

    def page(self, request: Request, name: str, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
        """A page.

        Who is signed in, the token of their forms, the nonce of this answer and the reader's formats, `f`, are there
        for every one.
        """
        visitor = getattr(request.state, "visitor", None)
        assert visitor is None or isinstance(visitor, Visitor)
        known: Mapping[str, object] = {
            "visitor": visitor,
            "csrf": visitor.form_token if visitor is not None else "",
            "nonce": request.state.nonce,
            "f": formats_of(request, self._now()),
        }
        return HTMLResponse(self._environment.get_template(name).render({**known, **values}), status)

    def refused(self, request: Request, refused: Refused) -> Response:
        """What a refused request gets: a page for a browser, a problem for a program."""
        if refused.location is not None:
            return RedirectResponse(refused.location, refused.status)
        if "json" in request.headers.get("accept", "") or request.url.path.startswith(PROGRAMS):
            problem = {"title": refused.title, "status": refused.status.value, "detail": refused.text}
            return JSONResponse(problem, refused.status, media_type=PROBLEM, headers=dict(refused.headers))
        return self.page(request, "message.html", refused.status, title=refused.title, text=refused.text, back="/")


def static(name: str) -> str:
    """A file that comes with the pages."""
    return (FOLDER / "static" / name).read_text("utf-8")


@pass_context
def _money(context: Context, told: Money | Mapping[str, Any]) -> str:
    """An amount, or the amount of an action or effect; empty where that has none."""
    if not isinstance(told, Money):
        minor, currency = told.get("amount_minor"), told.get("currency")
        if minor is None or currency is None:
            return ""
        told = Money(minor, currency)
    formats: Formats = context["f"]
    return formats.money(told)


@pass_context
def _moment(context: Context, moment: datetime | None) -> str:
    formats: Formats = context["f"]
    return "" if moment is None else formats.moment(moment)
