"""Who we are to Zendesk: an OAuth client with short-lived tokens, or an API token while those last.

No account can make a new API token since 2026-10-27, and all of them end on 2027-04-30, so OAuth comes first.
https://developer.zendesk.com/documentation/api-basics/authentication/oauth-migration/
Secrets stay out of `repr` and of every error.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import requests

from connectors.errors import AccessDenied, ConfigurationError, Throttled, VendorUnavailable, WireError
from connectors.zendesk.transport import NoAnswer, Transport, VendorAnswer

EXPIRY_MARGIN_S: Final = 60
"""A token is renewed this many seconds before it ends."""
_THROTTLED: Final = 429
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A confidential OAuth client. Its tokens act as the admin who made the client: make it as a service user.

    `scope` is a list separated by blanks, such as `tickets:read tickets:write users:read`. A wrong one is not refused
    here: Zendesk gives a token, and then answers 403 to every call. Audits and groups need the global `read`.
    https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/
    """

    client_id: str
    client_secret: str = field(repr=False)
    scope: str

    def __post_init__(self) -> None:
        if not (self.client_id and self.client_secret and self.scope.strip()):
            raise ConfigurationError("the Zendesk OAuth client lacks an id, a secret or a scope: set all three")


@dataclass(frozen=True, slots=True)
class ApiToken:
    """An API token, used as `{email}/token:{token}`."""

    email: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        if not (self.email and self.token):
            raise ConfigurationError("the Zendesk API token lacks an e-mail or a token: set both")


class TokenCredentials:
    """The header of an API token. There is never another one."""

    def __init__(self, auth: ApiToken) -> None:
        pair = base64.b64encode(f"{auth.email}/token:{auth.token}".encode()).decode()
        self._authorization = f"Basic {pair}"

    def authorization(self) -> str:
        """The header's value."""
        return self._authorization

    def renewed(self, refused: str) -> bool:
        """Never."""
        del refused
        return False


class ClientCredentials:
    """Access tokens by the client-credentials grant, one request at a time, shared by all threads.

    Args:
        auth: the client.
        transport: carries the token requests, without a credential of its own.
        url: `https://{subdomain}.zendesk.com/oauth/tokens`.
        now: business time, aware.
        timeout_s: for each token request.
    """

    def __init__(
        self,
        auth: OAuthClient,
        *,
        transport: Transport,
        url: str,
        now: Callable[[], datetime],
        timeout_s: float,
    ) -> None:
        self._auth = auth
        self._transport = transport
        self._url = url
        self._now = now
        self._timeout_s = timeout_s
        # INVARIANT: at most one token request is under way in this process (test_many_threads_ask_for_one_token).
        self._lock = threading.Lock()
        self._authorization: str | None = None
        self._renew_at: datetime | None = None

    def authorization(self) -> str:
        """The header's value, from a token that is at least a minute from its end.

        Raises:
            AccessDenied: Zendesk does not know this client, or its secret is wrong.
            VendorUnavailable: no token came.
            WireError: the answer holds no token.
        """
        with self._lock:
            due = self._renew_at is not None and self._now() >= self._renew_at
            if self._authorization is None or due:
                self._fetch()
            assert self._authorization is not None
            return self._authorization

    def renewed(self, refused: str) -> bool:
        """Forget the refused value, so that the next one is fetched. True, as there is always another."""
        with self._lock:
            if self._authorization == refused:
                self._authorization = None
        return True

    def _fetch(self) -> None:
        asked_at = self._now()
        wanted = {
            "grant_type": "client_credentials",
            "client_id": self._auth.client_id,
            "client_secret": self._auth.client_secret,
            "scope": self._auth.scope,
        }
        request = requests.Request("POST", self._url, json=wanted).prepare()
        try:
            response = self._transport.send(request, timeout=self._timeout_s)
        except VendorAnswer as error:
            raise _token_error(error) from error
        except NoAnswer as error:
            raise VendorUnavailable(f"no access token from Zendesk ({error.detail}): try again") from error
        body = json.loads(response.content or b"null")
        token = body.get("access_token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not token:
            raise WireError("Zendesk's token answer holds no access token: check the OAuth client")
        self._authorization = f"Bearer {token}"
        self._renew_at = _renewal(asked_at, body.get("expires_in"))


def _renewal(asked_at: datetime, lives_s: object) -> datetime | None:
    """When to ask again; `None` for a token without an end, as clients made before 2026-04-30 may still give."""
    if not isinstance(lives_s, int):
        return None
    # A life so short that the margin swallows it is used for half of it.
    return asked_at + timedelta(seconds=max(lives_s - EXPIRY_MARGIN_S, lives_s // 2))


def _token_error(error: VendorAnswer) -> AccessDenied | VendorUnavailable:
    if error.status == _THROTTLED:
        pause_s = error.retry_after_s or 0.0
        return Throttled("Zendesk asks to wait before the next access token: try again", retry_after_s=pause_s)
    if error.status >= _SERVER_ERROR:
        return VendorUnavailable(f"no access token from Zendesk (status {error.status}): try again")
    return AccessDenied(
        f"Zendesk gave no access token ({error.code}): check the OAuth client's id and secret",
        status=error.status,
        code=error.code,
    )
