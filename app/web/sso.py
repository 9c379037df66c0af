"""The two routes of single sign-on: out to the identity provider, and back.

A trip belongs to the browser that began it: the cookie and the address must carry the same state, which is good once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.identity import links, pace
from app.identity.accounts import Act
from app.identity.links import GOOD_FOR, Purpose
from app.identity.sessions import Way
from app.identity.sso import IdentityProvider, Person, SsoFailed, Trip
from app.identity.tokens import same
from app.identity.vouched import DISABLED, SSO_ACTOR, Unwelcome, account_of
from app.web.access import Guard, Refused, add
from app.web.entry import Entry, address_of

_LOG: Final = logging.getLogger(__name__)
TITLE: Final = "Single sign-on did not work"


@dataclass(frozen=True, slots=True)
class Sso:
    """The handlers."""

    entry: Entry
    providers: Mapping[str, IdentityProvider]

    @property
    def guard(self) -> Guard:
        """What decides about access."""
        return self.entry.guard

    async def leave(self, tenant_id: str, request: Request, next: str = "") -> Response:  # noqa: A002 - as in the form
        """Send the browser to the identity provider."""
        provider, sign_in = self._provider(tenant_id), self.entry.sign_in
        back = self._back(request, tenant_id)
        trip = Trip(sign_in.new_token(), sign_in.new_token(), sign_in.new_token(), next[:500])
        async with sign_in.sessions(tenant_id) as session:
            now = sign_in.now()
            if await pace.count_trip(session, tenant_id, address_of(request), now=now) is not None:
                text = "Too many trips to the identity provider from your address. Wait a quarter of an hour."
                raise Refused(HTTPStatus.TOO_MANY_REQUESTS, TITLE, text)
            await links.keep(session, tenant_id, trip.state, Purpose.SSO, now=now, details=trip.details())
        try:
            answer = RedirectResponse(await provider.address(trip, back=back), HTTPStatus.SEE_OTHER)
        except SsoFailed as error:
            raise await self._failed(request, tenant_id, error) from error
        age_s = int(GOOD_FOR[Purpose.SSO].total_seconds())
        self.guard.places.set_cookie(request, answer, _cookie(tenant_id), trip.state, max_age_s=age_s)
        return answer

    async def come_back(self, tenant_id: str, request: Request) -> Response:
        """Take what the identity provider sent the browser back with."""
        provider = self._provider(tenant_id)
        said = dict(request.query_params)
        trip = await self._trip(request, tenant_id, said.get("state", ""))
        try:
            person = await provider.person(trip, said, back=self._back(request, tenant_id))
        except SsoFailed as error:
            raise await self._failed(request, tenant_id, error) from error
        token = await self._let_in(request, tenant_id, person)
        answer = self.entry.let_in(request, tenant_id, token, trip.asked)
        self.guard.places.drop_cookie(answer, _cookie(tenant_id))
        return answer

    async def _let_in(self, request: Request, tenant_id: str, person: Person) -> str:
        sign_in = self.entry.sign_in
        async with sign_in.sessions(tenant_id) as session:
            found = await account_of(session, tenant_id, person, Act(SSO_ACTOR, sign_in.now(), sign_in.new_id))
        if not isinstance(found, Unwelcome):
            async with sign_in.sessions(tenant_id) as session:
                token = await sign_in.open_for(session, found, Way.SSO)
            if token is not None:
                return token
            found = DISABLED
        await sign_in.refused(tenant_id, address=address_of(request), why=found.why)
        raise Refused(HTTPStatus.FORBIDDEN, TITLE, found.text)

    async def _trip(self, request: Request, tenant_id: str, state: str) -> Trip:
        """The trip that ends here, used up."""
        cookie = self.guard.places.cookie(request, _cookie(tenant_id)) or ""
        sign_in = self.entry.sign_in
        if state and same(cookie, state):
            async with sign_in.sessions(tenant_id) as session:
                used = await links.use(session, tenant_id, state, Purpose.SSO, now=sign_in.now())
            if used is not None:
                return Trip(state, **used.details)
        text = (
            "This trip did not begin in this browser, took too long, or ended before. Begin again at the sign-in page."
        )
        raise Refused(HTTPStatus.FORBIDDEN, TITLE, text)

    async def _failed(self, request: Request, tenant_id: str, error: SsoFailed) -> Refused:
        _LOG.warning("single sign-on of %s failed: %s", tenant_id, error)
        await self.entry.sign_in.refused(tenant_id, address=address_of(request), why="sso_failed")
        text = "The identity provider did not vouch for you. The server's log says why; try again, or ask an admin."
        return Refused(HTTPStatus.BAD_GATEWAY, TITLE, text)

    def _provider(self, tenant_id: str) -> IdentityProvider:
        provider = self.providers.get(tenant_id)
        if provider is None:
            raise Refused(HTTPStatus.NOT_FOUND, "Not found", "There is no single sign-on here. Use your password.")
        return provider

    def _back(self, request: Request, tenant_id: str) -> str:
        """Where the provider sends the browser: always an address that the settings or this machine knows."""
        places = self.guard.places
        if places.is_local_name(request):
            base = f"http://{request.headers['host']}"
        elif places.public_url is not None:
            base = places.public_url
        else:
            raise Refused(
                HTTPStatus.FORBIDDEN, TITLE, "Whoever runs this server must set COUNTERSIGN_PUBLIC_URL first."
            )
        return f"{base}/t/{quote(tenant_id)}/sso/back"


def routes(sso: Sso) -> APIRouter:
    """The routes of this module."""
    router, door = APIRouter(), sso.guard.open("the trip to the identity provider")
    add(router, "GET", "/t/{tenant_id}/sso", sso.leave, door)
    add(router, "GET", "/t/{tenant_id}/sso/back", sso.come_back, door)
    return router


def _cookie(tenant_id: str) -> str:
    return f"countersign-sso-{tenant_id}"
