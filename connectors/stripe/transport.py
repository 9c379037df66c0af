"""The HTTP under Stripe's SDK: one `requests` session per thread, no retry, no redirect, no telemetry.

Promises that a body which is not one JSON object is reported as such, with status and headers kept, and that the
exception of a call tells a time-out from a broken connection. It refuses to retry: settlement alone decides that.

The SDK's own client is not used because it loses the headers of a body it cannot read (and with them
`Idempotent-Replayed`), follows redirects, and lets a `.netrc` replace the key.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import ClassVar, Final, cast

import requests
import stripe
from requests.structures import CaseInsensitiveDict

API_VERSION: Final = "2026-10-28.endive"
"""The version that every request pins and that a webhook endpoint must be created with.
https://docs.stripe.com/api/versioning"""

_OK: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)
_TELEMETRY: Final = frozenset({"x-stripe-client-telemetry"})


class NoAnswer(stripe.APIConnectionError):
    """No whole answer came; the request may have arrived.

    `why` is `timeout`, `connection` or, for an answer cut short, `unreadable`.
    """

    def __init__(self, message: str, *, why: str) -> None:
        super().__init__(message)  # type: ignore[no-untyped-call] # the SDK does not type this one
        self.why = why


class Unreadable(stripe.APIError):
    """A whole answer that is not one of the API's: no JSON object, or an error without its error object."""


class _KeyOnly(requests.auth.AuthBase):
    """Keeps the SDK's Authorization header: `requests` would else let a `.netrc` entry replace it."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class Transport(stripe.HTTPClient):
    """What `stripe.StripeClient` sends with.

    Args:
        timeout_s: seconds for connecting and between two bytes of the answer.
        use_proxies: whether the proxies of the machine's environment apply; never towards the sandbox.
    """

    name: ClassVar[str] = "requests"

    def __init__(self, *, timeout_s: float, use_proxies: bool) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self._use_proxies = use_proxies
        self._sessions = threading.local()

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: object = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send once.

        Returns:
            The body, the status and the headers (names in any case).

        Raises:
            NoAnswer: no whole answer came.
            Unreadable: it came and is not the API's.
        """
        body = post_data if isinstance(post_data, (str, bytes)) else None
        kept = {name: value for name, value in (headers or {}).items() if name.lower() not in _TELEMETRY}
        try:
            answer = self._session().request(
                method, url, headers=kept, data=body, timeout=self._timeout_s, allow_redirects=False
            )
        except requests.Timeout as error:
            raise NoAnswer(f"stripe did not answer within {self._timeout_s} s", why="timeout") from error
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
            raise NoAnswer("stripe's answer was cut short", why="unreadable") from error
        except requests.RequestException as error:
            raise NoAnswer(f"no connection to stripe ({type(error).__name__})", why="connection") from error
        return _checked(answer.content, answer.status_code, answer.headers), answer.status_code, answer.headers

    def close(self) -> None:
        """Close this thread's connections; those of other threads close with their threads."""
        session = getattr(self._sessions, "session", None)
        if session is not None:
            session.close()
            del self._sessions.session

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            # A Session is not safe to share between threads.
            session = requests.Session()
            session.trust_env = self._use_proxies
            session.auth = _KeyOnly()
            self._sessions.session = session
        return session


def open_client(
    api_key: str, *, base_url: str | None, account: str | None, timeout_s: float
) -> tuple[stripe.StripeClient, Transport]:
    """The SDK's client for one credential, and the transport to close with it.

    Args:
        api_key: `sk_...` or `rk_...`.
        base_url: where the sandbox listens; `None` is Stripe itself.
        account: a connected account to act for (header `Stripe-Account`).
        timeout_s: see `Transport`.
    """
    # The SDK would else keep an identifier in a file of the home directory and send it along.
    stripe.enable_telemetry = False
    transport = Transport(timeout_s=timeout_s, use_proxies=base_url is None)
    client = stripe.StripeClient(
        api_key,
        stripe_account=account,
        stripe_version=API_VERSION,
        base_addresses={} if base_url is None else {"api": base_url.rstrip("/")},
        max_network_retries=0,
        http_client=transport,
    )
    return client, transport


def _checked(body: bytes, status: int, headers: CaseInsensitiveDict[str]) -> str:
    # The SDK reads an error's headers by lower-case names, so they stay a dictionary without case.
    kept = cast("dict[str, str]", headers)
    try:
        text = body.decode("utf-8")
        parsed = json.loads(text)
    except ValueError as error:
        raise Unreadable(
            f"stripe answered {status} with {len(body)} bytes that are not JSON", http_status=status, headers=kept
        ) from error
    whole = isinstance(parsed, dict) and (status in _OK or isinstance(parsed.get("error"), dict))
    if not whole or status in _REDIRECT:
        raise Unreadable(f"stripe answered {status} with JSON that is not the API's", http_status=status, headers=kept)
    return text
