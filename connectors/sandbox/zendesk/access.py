"""Who is calling and what they may: OAuth client credentials with expiry and scopes, and the older API tokens.

An unknown scope is not refused when the token is asked for; the calls made with it are. `write` does not include
`read`.
https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/
https://developer.zendesk.com/documentation/api-basics/authentication/
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connectors.sandbox.zendesk.records import Json, User
from connectors.sandbox.zendesk.refusal import Refusal, forbidden, not_authenticated

MIN_TTL_S: Final = 300
MAX_TTL_S: Final = 172_800


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and what it was asked for."""

    value: str
    email: str
    scopes: frozenset[str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user. `scopes` is `None` for an API token, which may all that its user may."""

    user: User
    scopes: frozenset[str] | None

    def need(self, *scopes: str) -> None:
        """Refuse with 403 unless one of the scopes was granted."""
        if self.scopes is not None and self.scopes.isdisjoint(scopes):
            raise forbidden()

    def need_staff(self) -> None:
        """Refuse end users."""
        if not self.user.is_staff:
            raise forbidden()

    def need_admin(self) -> None:
        """Refuse everybody but admins."""
        if self.user.role != "admin":
            raise forbidden()


class Access:
    """Credentials of one account. Not locked: the account's lock is held."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        oauth_clients: Mapping[str, tuple[str, str]],
        api_tokens: Collection[str],
        ttl_s: int,
        user_by_email: Callable[[str], User | None],
    ) -> None:
        self._now = now
        self._clients = dict(oauth_clients)
        self._api_tokens = tuple(api_tokens)
        self._ttl_s = ttl_s
        self._user_by_email = user_by_email
        self._tokens: dict[str, Token] = {}
        self.issued = 0

    def grant(self, asked: Json) -> Json:
        """Answer `POST /oauth/tokens` for the client-credentials grant.

        Raises:
            Refusal: 400 for another grant, 401 for a wrong client, 422 for a life outside 5 minutes to 48 hours.
        """
        if asked.get("grant_type") != "client_credentials":
            text = "The authorization grant type is not supported by the authorization server."
            raise Refusal(400, {"error": "unsupported_grant_type", "error_description": text})
        client_id, secret = str(asked.get("client_id", "")), str(asked.get("client_secret", ""))
        known = self._clients.get(client_id)
        if known is None or not hmac.compare_digest(known[0].encode(), secret.encode()):
            text = "Client authentication failed due to unknown client, or wrong secret."
            raise Refusal(401, {"error": "invalid_client", "error_description": text})
        ttl_s = asked.get("expires_in", self._ttl_s)
        if not isinstance(ttl_s, int) or isinstance(ttl_s, bool) or not MIN_TTL_S <= ttl_s <= MAX_TTL_S:
            text = f"expires_in must be between {MIN_TTL_S} and {MAX_TTL_S} seconds"
            raise Refusal(422, {"error": "invalid_request", "error_description": text})
        self.issued += 1
        scope = str(asked.get("scope", "read"))
        value = f"sandbox-{client_id}-{self.issued}"
        expires_at = self._now() + timedelta(seconds=ttl_s)
        self._tokens[value] = Token(value, known[1], frozenset(scope.split()), expires_at)
        return {"access_token": value, "token_type": "bearer", "scope": scope, "expires_in": ttl_s}

    def revoke_all(self) -> None:
        """Forget every access token, as an admin can."""
        self._tokens.clear()

    def caller(self, authorization: str) -> Caller | None:
        """The caller behind an `Authorization` header; `None` where the credential is good for nobody."""
        kind, _, credential = authorization.partition(" ")
        if kind.lower() == "bearer":
            token = self._tokens.get(credential)
            if token is None or token.expires_at <= self._now():
                return None
            user = self._user_by_email(token.email)
            return None if user is None else Caller(user, token.scopes)
        if kind.lower() == "basic":
            return self._basic(credential)
        return None

    def authenticate(self, authorization: str) -> Caller:
        """The caller.

        Raises:
            Refusal: 401.
        """
        caller = self.caller(authorization)
        if caller is None:
            raise not_authenticated(bearer=authorization.lower().startswith("bearer"))
        return caller

    def _basic(self, credential: str) -> Caller | None:
        try:
            name, _, token = base64.b64decode(credential, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        email, marker, _ = name.partition("/token")
        if not marker or not any(hmac.compare_digest(token.encode(), known.encode()) for known in self._api_tokens):
            return None
        user = self._user_by_email(email)
        return None if user is None else Caller(user, None)
