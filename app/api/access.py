"""Who may call the API: a program with a bearer token, or a page of ours in somebody's session.

A token names its tenant; a session's tenant stands in the header `Countersign-Tenant`, or is the only one there is.
With a session, whatever changes something needs what a form needs: our origin, and the session's own token in
`X-CSRF-Token`. A token's scopes narrow what its account's roles allow, and never widen it.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import Request

from app.identity.service_tokens import Scope, bearer_of, tenant_named
from app.identity.sessions import Visitor
from app.identity.tokens import same
from app.web.access import FORM_HEADER, READING, Refused, ToRoles

TENANT_HEADER: Final = "countersign-tenant"
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="countersign"'}
"""https://www.rfc-editor.org/rfc/rfc6750#section-3"""


@dataclass(frozen=True, slots=True)
class Called(ToRoles):
    """Who calls with one of the roles and, where it is a token, with the scope."""

    scope: Scope

    async def enter(self, request: Request) -> None:
        """Let the call in, or refuse it with a problem."""
        authorization = request.headers.get("authorization")
        if authorization is not None:
            visitor = await self._bearer(authorization)
        else:
            visitor = await self._at_a_page(request)
        if not visitor.roles & self.roles:
            text = f"The account's roles do not allow this. It needs one of: {self.told}."
            raise Refused(HTTPStatus.FORBIDDEN, "Not allowed", text)
        request.state.visitor = visitor

    async def _bearer(self, authorization: str) -> Visitor:
        kind, _, token = authorization.partition(" ")
        tenant_id = tenant_named(token.strip())
        if kind.lower() != "bearer" or tenant_id not in self.guard.tenants:
            raise _unknown("The header Authorization holds no token of this server. Write `Bearer` and the token.")
        async with self.guard.sessions(tenant_id) as session:
            found = await bearer_of(session, tenant_id, token.strip(), now=self.guard.now())
        if found is None:
            raise _unknown("This token lets nobody in: it is over, revoked, or none. An admin makes another one.")
        visitor, scopes = found
        if self.scope not in scopes:
            text = f"The token lacks the scope {self.scope.value!r}; make one with `countersign account token`."
            raise Refused(HTTPStatus.FORBIDDEN, "Not allowed", text)
        return visitor

    async def _at_a_page(self, request: Request) -> Visitor:
        is_reading = request.method in READING
        if not is_reading:
            self.guard.demand_our_page(request)
        visitor = await self.guard.visitor(request, self._tenant(request))
        if visitor is None:
            raise _unknown("Sign in, or send a token: `Authorization: Bearer ...`.")
        if not is_reading and not same(request.headers.get(FORM_HEADER, ""), visitor.form_token):
            text = f"The header {FORM_HEADER} does not belong to this session. Load the page again."
            raise Refused(HTTPStatus.FORBIDDEN, "Not accepted", text)
        return visitor

    def _tenant(self, request: Request) -> str:
        named = request.headers.get(TENANT_HEADER)
        tenants = self.guard.tenants
        if named is None and len(tenants) == 1:
            return next(iter(tenants))
        if named is None or named not in tenants:
            raise _unknown("Sign in, or send a token. Of several tenants, name one in the header Countersign-Tenant.")
        return named


def _unknown(text: str) -> Refused:
    return Refused(HTTPStatus.UNAUTHORIZED, "Not signed in", text, headers=CHALLENGE)
