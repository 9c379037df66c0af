"""The page of the Zendesk app: opened by a signed request in the agent's sidebar, with a token of its own from then on.

Cookies of a frame are third-party cookies, so none is set or needed: the page gets a bearer's token, which its script
keeps in memory, and which is good for the panel of tickets that Zendesk shows this agent, and for nothing else. It
stands in the frame of this tenant's own Zendesk only.
https://developer.zendesk.com/documentation/apps/app-developer-guide/using-the-apps-framework/
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from sqlalchemy import select
from sqlmodel import col
from starlette.responses import Response

from app.identity import links
from app.identity.accounts import Act
from app.identity.links import Purpose
from app.identity.models import Account, AccountState
from app.identity.sessions import Way, open_session
from app.identity.sign_in import SignIn
from app.identity.tokens import form_token
from app.web.access import Guard, Refused, Signed, add
from app.web.entry import address_of
from app.web.rendering import Renderer, static
from app.web.shield import FRAMED_BY
from app.zendesk_app.signed import Installation, NotSigned, read_token

_LOG: Final = logging.getLogger(__name__)
LONGEST_BODY: Final = 16 * 1024
LASTS: Final = timedelta(hours=8)
"""How long a panel may stay open; unused, its token ends after a quarter of an hour."""
SDK: Final = "https://static.zdassets.com/zendesk_app_framework_sdk/2.0/zaf_sdk.min.js"
"""https://developer.zendesk.com/documentation/apps/app-developer-guide/using-the-apps-framework/"""
TITLE: Final = "Not opened"


@dataclass(frozen=True, slots=True)
class Embedding:
    """The handlers. `installed` holds the app's installation of each tenant that has one."""

    guard: Guard
    renderer: Renderer
    sign_in: SignIn
    installed: Mapping[str, Installation]
    sdks: Mapping[str, str]

    async def script(self) -> Response:
        """What joins the panel to Zendesk's frame."""
        return Response(static("zaf.js"), media_type="text/javascript", headers={"Cache-Control": "max-age=300"})

    async def open(self, tenant_id: str, request: Request) -> Response:
        """Take the signed request, and give the page."""
        installation = self.installed.get(self.guard.tenant_of(request))
        if installation is None:
            raise Refused(HTTPStatus.UNAUTHORIZED, TITLE, "No Zendesk app is set up for this tenant.")
        setattr(request.state, FRAMED_BY, installation.origin)
        token = await self._token(request)
        now = self.sign_in.now()
        try:
            signed = read_token(installation, token, now=now)
        except NotSigned as error:
            _LOG.warning("the Zendesk app of %s was not opened: %s", tenant_id, error)
            await self.sign_in.refused(tenant_id, address=address_of(request), why="zendesk_app")
            text = "Zendesk's signature on this request does not hold. Reload the ticket, or ask an admin."
            raise Refused(HTTPStatus.UNAUTHORIZED, TITLE, text) from error
        bearer = await self._bearer(tenant_id, token, signed.zendesk_user_id)
        sdk = self.sdks.get(tenant_id, SDK)
        return self.renderer.page(
            request, "embedded.html", tenant_id=tenant_id, bearer=bearer, csrf=form_token(bearer), sdk=sdk
        )

    async def _token(self, request: Request) -> str:
        """The field `token` of the form that Zendesk posts.

        Raises:
            Refused: the form is longer than such a form is.
        """
        raw = b""
        async for part in request.stream():
            raw += part
            if len(raw) > LONGEST_BODY:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TITLE, "That is no request of the Zendesk app.")
        return parse_qs(raw.decode("ascii", "replace")).get("token", [""])[0]

    async def _bearer(self, tenant_id: str, token: str, zendesk_user_id: str) -> str:
        """A session for the agent's account.

        Raises:
            Refused: the token was used before, or the agent has no account.
        """
        sign_in, now = self.sign_in, self.sign_in.now()
        bearer = sign_in.new_token()
        async with sign_in.sessions(tenant_id) as session:
            is_first = await links.spend(session, tenant_id, token, Purpose.ZENDESK, now=now)
            query = select(Account).where(
                col(Account.tenant_id) == tenant_id,
                col(Account.zendesk_user_id) == zendesk_user_id,
                col(Account.state) == AccountState.ACTIVE.value,
            )
            account = (await session.execute(query.with_for_update())).scalar_one_or_none()
            if is_first and account is not None:
                lifetimes = replace(sign_in.lifetimes, whole=min(sign_in.lifetimes.whole, LASTS))
                act = Act(account.actor, now, sign_in.new_id)
                await open_session(session, account, way=Way.ZENDESK, token=bearer, lifetimes=lifetimes, act=act)
        if not is_first:
            text = "This request was used before. Reload the ticket in Zendesk, and the app opens anew."
            raise Refused(HTTPStatus.UNAUTHORIZED, TITLE, text)
        if account is None:
            text = (
                f"You have no account here. An admin makes one with `countersign account create EMAIL "
                f"--zendesk-user {zendesk_user_id}`."
            )
            raise Refused(HTTPStatus.FORBIDDEN, TITLE, text)
        return bearer


def routes(embedding: Embedding) -> APIRouter:
    """The routes of the app's page."""
    router = APIRouter()
    add(router, "GET", "/zaf.js", embedding.script, embedding.guard.open("what joins the panel to Zendesk's frame"))
    add(router, "POST", "/t/{tenant_id}/zendesk/app", embedding.open, Signed("the Zendesk app"))
    return router
