"""What goes over the wire to Zendesk, below zenpy: one address, one credential, no retries, no sleeping.

zenpy 2.0.57 sleeps through a 429 and sends again, whatever the method, and gives other errors misleading names; so
every answer but a readable 2xx is turned into an exception here, before zenpy sees it. Nothing is ever sent twice,
except once after a 401, which says that nothing was done. It refuses to follow redirects and to carry the credential to
any host but the account's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ReadTimeoutError

from connectors.errors import ConfigurationError, WireError

DEFAULT_PAUSE_S: Final = 60.0
"""How long to wait after a 429 that does not say."""
_SHOWN: Final = 300
_THROTTLED: Final = 429
_UNAUTHENTICATED: Final = 401
_WHOLE_ACCOUNT: Final = ""


class VendorAnswer(Exception):
    """Zendesk answered, and it was not a 2xx. `code` is its own word, `retry_after_s` is in seconds."""

    def __init__(
        self, status: int, code: str, detail: str, *, retry_after_s: float | None, request_id: str | None
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.request_id = request_id


class NoAnswer(Exception):
    """No readable answer came. `why` is `timeout`, `connection` or `unreadable`, as in `connectors.outcome.Unknown`."""

    def __init__(self, why: str, detail: str) -> None:
        super().__init__(detail)
        self.why = why
        self.detail = detail


class Credentials(Protocol):
    """Whoever knows the value of the `Authorization` header."""

    def authorization(self) -> str:
        """The header's value, fresh enough to be sent now."""

    def renewed(self, refused: str) -> bool:
        """Told that a value was refused: whether `authorization` will now give another one."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What the last answer said about the account's limit: requests a minute, those left, seconds until they renew."""

    limit: int | None
    remaining: int | None
    resets_s: int | None


class Pauses:
    """What Zendesk asked not to be called for a while, shared by all threads that call one account.

    A 429 about the account's own limit holds for every call; one about an endpoint's, such as the export's, for that.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._until: dict[str, datetime] = {}

    def left_s(self, path: str) -> float:
        """Seconds for which this path must not be called; 0 where it may be."""
        ends = [at for at in (self._until.get(_WHOLE_ACCOUNT), self._until.get(path)) if at is not None]
        return max(0.0, max(((at - self._now()).total_seconds() for at in ends), default=0.0))

    def begin(self, path: str, limits: RateLimits | None, seconds: float) -> None:
        """Zendesk answered 429 and named so many seconds."""
        left = None if limits is None else limits.remaining
        self._until[path if left else _WHOLE_ACCOUNT] = self._now() + timedelta(seconds=seconds)


class Transport(HTTPAdapter):
    """A requests adapter for one Zendesk account.

    Args:
        subdomain: the account's.
        base_url: scheme, host and port to send to instead of the account's own, such as the sandbox's.
        now: business time, aware; only to read a Retry-After that is a date.
        credentials: `None` sends no credential.
        pauses: those of the account, shared with its other transports.
    """

    def __init__(
        self,
        *,
        subdomain: str,
        base_url: str | None,
        now: Callable[[], datetime],
        credentials: Credentials | None,
        pauses: Pauses | None = None,
    ) -> None:
        super().__init__(max_retries=0)
        self._pauses = pauses or Pauses(now)
        self._host = f"{subdomain}.zendesk.com"
        self._target = check_base_url(base_url)
        self._now = now
        self._credentials = credentials
        self.limits: RateLimits | None = None

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - the signature is requests'
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send one request and return its answer, if that is a readable 2xx.

        Raises:
            VendorAnswer: another status; also a 429 where Zendesk asked to wait and nothing was sent.
            NoAnswer: a time-out, a broken connection, or a body that cannot be read.
            WireError: the request is for another host.
        """
        del stream, proxies

        def once(authorization: str | None) -> requests.Response:
            routed = self._routed(request)
            if authorization is not None:
                routed.headers["Authorization"] = authorization
            return super(Transport, self).send(routed, timeout=timeout, verify=verify, cert=cert)

        path = urlsplit(request.url or "").path
        left_s = self._pauses.left_s(path)
        if left_s > 0:
            detail = "Zendesk asked to wait, and the time is not over; nothing was sent"
            raise VendorAnswer(_THROTTLED, "waiting", detail, retry_after_s=left_s, request_id=None)
        response = self._exchange(once)
        self.limits = _limits(response.headers)
        if response.status_code == _THROTTLED:
            asked_s = retry_after_s(response.headers, status=_THROTTLED, now=self._now())
            self._pauses.begin(path, self.limits, DEFAULT_PAUSE_S if asked_s is None else asked_s)
        if not requests.codes.ok <= response.status_code < requests.codes.multiple_choices:
            raise self._answer(response)
        _check_body(response)
        # zenpy recognises answers by the address it asked for, so it must not see the sandbox's.
        response.request = request
        response.url = request.url or ""
        return response

    def _exchange(self, once: Callable[[str | None], requests.Response]) -> requests.Response:
        """Send, and once more after a 401 if there is a new credential: a 401 did nothing."""
        if self._credentials is None:
            return _read(once, None)
        authorization = self._credentials.authorization()
        response = _read(once, authorization)
        if response.status_code == _UNAUTHENTICATED and self._credentials.renewed(authorization):
            response = _read(once, self._credentials.authorization())
        return response

    def _routed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(request.url or "")
        if parts.scheme != "https" or parts.hostname != self._host or parts.port not in {None, 443}:
            raise WireError(f"a link leads to {parts.netloc!r}: only {self._host!r} may see the credential")
        routed = request.copy()
        if self._target is not None:
            routed.url = self._target + request.path_url
        return routed

    def _answer(self, response: requests.Response) -> VendorAnswer:
        code, detail = _error(response)
        return VendorAnswer(
            response.status_code,
            code,
            detail,
            retry_after_s=retry_after_s(response.headers, status=response.status_code, now=self._now()),
            request_id=response.headers.get("X-Request-Id"),
        )


def check_base_url(base_url: str | None) -> str | None:
    """The base address without a trailing slash.

    Raises:
        ConfigurationError: it is not scheme, host and port alone.
    """
    if base_url is None:
        return None
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ConfigurationError(f"Zendesk's base address {base_url!r} is not like 'http://127.0.0.1:8900': correct it")
    if parts.username is not None:
        raise ConfigurationError("Zendesk's base address holds a credential: give it in its own setting")
    return base_url.rstrip("/")


def retry_after_s(headers: Mapping[str, str], *, status: int, now: datetime) -> float | None:
    """Seconds to wait, from `Retry-After` (a number or a date) or the limit's reset; `None` where nothing was asked.

    https://developer.zendesk.com/documentation/ticketing/using-the-zendesk-api/best-practices-for-avoiding-rate-limiting/
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    if asked:
        try:
            at = parsedate_to_datetime(asked)
        except ValueError:
            return DEFAULT_PAUSE_S
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - now).total_seconds())
    if status != _THROTTLED:
        return None
    reset = _number(headers, "ratelimit-reset", "rate-limit-reset")
    return DEFAULT_PAUSE_S if reset is None else float(reset)


def _read(once: Callable[[str | None], requests.Response], authorization: str | None) -> requests.Response:
    """The answer with its whole body, requests' exceptions sorted into ours."""
    try:
        response = once(authorization)
        response.content  # noqa: B018 - reads the body here, inside the try
    except requests.Timeout as error:
        raise NoAnswer("timeout", "Zendesk did not answer in time") from error
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        raise NoAnswer("unreadable", "Zendesk's answer was cut short") from error
    except requests.ConnectionError as error:
        if error.args and isinstance(error.args[0], ReadTimeoutError):
            raise NoAnswer("timeout", "Zendesk's answer did not end in time") from error
        raise NoAnswer("connection", "the connection to Zendesk failed") from error
    except requests.RequestException as error:
        raise NoAnswer("connection", f"the request could not be sent ({type(error).__name__})") from error
    return response


def _check_body(response: requests.Response) -> None:
    if not response.content:
        return
    try:
        json.loads(response.content)
    except ValueError as error:
        raise NoAnswer(
            "unreadable", f"Zendesk answered {response.status_code} with something that is not JSON"
        ) from error


def _error(response: requests.Response) -> tuple[str, str]:
    """The vendor's word and sentence, which come in several shapes."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return "unreadable", ""
    if not isinstance(body, dict):
        return "unreadable", ""
    word = body.get("error")
    sentence = body.get("description") or body.get("error_description") or ""
    if isinstance(word, dict):
        titled = word
        word, sentence = titled.get("title"), titled.get("message")
    details = body.get("details")
    if details:
        sentence = f"{sentence} {json.dumps(details)}"
    return str(word or "unnamed"), str(sentence or "")[:_SHOWN]


def _limits(headers: Mapping[str, str]) -> RateLimits | None:
    """The account's limit, in whichever of the three spellings it came."""
    limits = RateLimits(
        limit=_number(headers, "x-rate-limit", "ratelimit-limit", "rate-limit"),
        remaining=_number(headers, "x-rate-limit-remaining", "ratelimit-remaining", "rate-limit-remaining"),
        resets_s=_number(headers, "ratelimit-reset", "rate-limit-reset"),
    )
    return None if limits == RateLimits(None, None, None) else limits


def _number(headers: Mapping[str, str], *names: str) -> int | None:
    values = (headers.get(name, "") for name in names)
    return next((int(value) for value in values if value.isascii() and value.isdigit()), None)
