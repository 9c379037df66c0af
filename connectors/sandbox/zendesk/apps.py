"""Zendesk's side of an app in the ticket sidebar: the frame, its SDK as far as we use it, and the signed first request.

A page that imitates the agent's ticket, for the demo and for browser tests. Promises what the vendor's page says of
server-side apps: the first request is a POST with a form field `token`, an RS256 JWT with `iss`, `aud`, `sub`, `exp`.
https://developer.zendesk.com/documentation/apps/build-an-app/building-a-server-side-app/part-5-secure-the-app/
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from connectors.sandbox.zendesk.account import Account
from connectors.sandbox.zendesk.refusal import Refusal

GOOD_FOR: Final = timedelta(minutes=5)
FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class AppPlace:
    """The one app that is installed: where its page is, its number, and where its public key is left for it."""

    page_url: str
    installation_id: int
    public_key: Path


class AppHost:
    """The agent's page with the app in its sidebar, over HTTP."""

    def __init__(self, account: Account, place: AppPlace, now: Callable[[], datetime]) -> None:
        self._account = account
        self._place = place
        self._now = now

    def routes(self) -> list[Route]:
        """All routes."""
        return [
            Route("/agent/tickets/{ticket_id:int}", self._ticket, methods=["GET"]),
            Route("/zaf_sdk.js", self._sdk, methods=["GET"]),
        ]

    @cached_property
    def _key(self) -> RSAKey:
        """Made when the page is first asked for: an installation that never shows it needs none."""
        key = RSAKey.generate_key(2048)
        self._place.public_key.write_bytes(key.as_pem(private=False))
        return key

    def signed(self, origin: str, user_id: int) -> str:
        """The token of one first request."""
        now = int(self._now().timestamp())
        claims = {
            "iss": origin.partition("://")[2],
            "aud": f"{origin}/api/v2/apps/installations/{self._place.installation_id}.json",
            "sub": f"{origin}/api/v2/users/{user_id}.json",
            "iat": now,
            "nbf": now,
            "exp": now + int(GOOD_FOR.total_seconds()),
            "context": {"product": "support", "location": "ticket_sidebar"},
        }
        return jwt.encode({"alg": "RS256"}, claims, self._key)

    async def _sdk(self, _request: Request) -> Response:
        return PlainTextResponse((FOLDER / "zaf_sdk.js").read_text("utf-8"), media_type="text/javascript")

    async def _ticket(self, request: Request) -> Response:
        """The page as an agent sees it: the messages at the left, the app at the right."""
        origin = str(request.base_url).rstrip("/")
        with self._account.lock:
            ticket = self._account.tickets.get(int(request.path_params["ticket_id"]))
            staff = [user for user in self._account.users.values() if user.is_staff and user.role == "agent"]
            wanted = request.query_params.get("as")
            agent = next((user for user in staff if wanted is None or str(user.user_id) == wanted), None)
            if ticket is None or agent is None:
                return PlainTextResponse("there is no such ticket or agent here", 404)
            messages = [(self._name(comment.author_id), comment.body, comment.public) for comment in ticket.comments]
            subject = ticket.subject
        token = self.signed(origin, agent.user_id)
        page = (FOLDER / "agent_page.html").read_text("utf-8")
        values = {
            "SUBJECT": html.escape(subject),
            "AGENT": html.escape(agent.name),
            "MESSAGES": "".join(
                f'<article class="{"public" if is_public else "note"}"><h2>{html.escape(name)}</h2>'
                f"<p>{html.escape(words)}</p></article>"
                for name, words, is_public in messages
            ),
            "ACTION": html.escape(f"{self._place.page_url}?origin={origin}&app_guid=countersign"),
            "TOKEN": html.escape(token),
            "KNOWN": html.escape(json.dumps({"ticket.id": ticket.ticket_id, "currentUser.id": agent.user_id})),
        }
        for name, value in values.items():
            page = page.replace(f"%{name}%", value)
        return HTMLResponse(page)

    def _name(self, user_id: int) -> str:
        try:
            return self._account.user(user_id).name
        except Refusal:
            return "somebody"
