"""What an exception of Stripe's SDK means: an error for a read, `Refused` or `Unknown` for a write.

Promises that only an answer which proves that nothing happened becomes `Refused`. Everything that leaves the effect in
doubt is `Unknown`: time-out, broken connection, cut body, 409, 429, 5xx, and any answer that is not the API's.

Sources: https://docs.stripe.com/api/errors , https://docs.stripe.com/error-low-level (which results are stored under an
idempotency key), https://docs.stripe.com/api/idempotent_requests , https://docs.stripe.com/rate-limits .
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import stripe

from connectors.errors import AccessDenied, ConnectorError, Throttled, VendorRefused, VendorUnavailable, WireError
from connectors.outcome import Refused, Unknown
from connectors.stripe.transport import NoAnswer, Unreadable

ACCESS_DENIED: Final = "access_denied"
"""Code of a `Refused` whose key is wrong or lacks a permission."""

KEY_REUSED: Final = "idempotency_key_reused"
"""Code of a `Refused` whose key was used before with other parameters: *that* request may well have had its effect."""

_DEFAULT_RETRY_AFTER_S: Final = 1.0
_PERMISSION: Final = re.compile(r"rak_[a-z_]+")
_CLIENT_ERRORS: Final = range(400, 500)
_SERVER_ERRORS: Final = range(500, 600)
_CONFLICT: Final = 409


def missing_permission(error: stripe.StripeError) -> str | None:
    """The restricted-key permission that Stripe says is missing, such as `rak_charge_write`.

    https://docs.stripe.com/keys/restricted-api-keys
    """
    found = _PERMISSION.search(error.user_message or "")
    return found.group() if found else None


def read_failure(error: stripe.StripeError) -> ConnectorError:
    """The error to raise for a read; to be raised `from` the SDK's."""
    status = error.http_status
    if isinstance(error, stripe.APIConnectionError):
        return VendorUnavailable(f"{error.user_message}: read again later")
    if isinstance(error, stripe.RateLimitError):
        return Throttled("stripe asks to slow down", retry_after_s=_retry_after_s(error) or _DEFAULT_RETRY_AFTER_S)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return AccessDenied(_denied(error), status=status or 403, code=missing_permission(error))
    if status is not None and (status in _SERVER_ERRORS or status == _CONFLICT):
        return VendorUnavailable(f"stripe answered {status}: read again later")
    if isinstance(error, Unreadable) or status is None or status not in _CLIENT_ERRORS:
        return WireError(f"{error.user_message}: check the address of the api")
    return VendorRefused(f"stripe refuses to read: {error.user_message}", status=status, code=_code(error))


def write_failure(error: stripe.StripeError) -> Refused | Unknown:
    """How a write ended that raised."""
    status = error.http_status
    if isinstance(error, stripe.RateLimitError):
        return _unknown(error, "throttled")
    if isinstance(error, stripe.APIConnectionError):
        return _unknown(error, error.why if isinstance(error, NoAnswer) else "connection")
    if status is not None and status in _SERVER_ERRORS:
        return _unknown(error, "server_error")
    if status == _CONFLICT:
        return _unknown(error, "conflict")
    if isinstance(error, Unreadable) or status is None or status not in _CLIENT_ERRORS:
        return _unknown(error, "unreadable")
    return _refused(error, status)


def _refused(error: stripe.StripeError, status: int) -> Refused:
    if isinstance(error, stripe.IdempotencyError):
        code, detail = KEY_REUSED, str(error.user_message)
    elif isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        code, detail = ACCESS_DENIED, _denied(error)
    else:
        code, detail = _code(error) or "invalid_request", str(error.user_message)
    return Refused(code=code, detail=detail, status=status, request_id=_header(error, "request-id"))


def _unknown(error: stripe.StripeError, why: str) -> Unknown:
    return Unknown(
        why=why,
        detail=str(error.user_message),
        status=error.http_status,
        retry_after_s=_retry_after_s(error),
        replayed=_header(error, "idempotent-replayed") == "true",
        request_id=_header(error, "request-id"),
    )


def _denied(error: stripe.StripeError) -> str:
    missing = missing_permission(error)
    if missing is not None:
        return f"stripe's key lacks the permission {missing!r}: add it to the restricted key"
    if isinstance(error, stripe.AuthenticationError):
        return "stripe does not accept the api key: check that it is complete and not revoked"
    return "stripe does not let this key make the request: give the restricted key the resource it asks for"


def _code(error: stripe.StripeError) -> str | None:
    # The SDK fills `code` only for some classes; the body always has it.
    body = error.json_body
    problem = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(problem, Mapping):
        return None
    code = problem.get("code") or problem.get("type")
    return code if isinstance(code, str) else None


def _header(error: stripe.StripeError, name: str) -> str | None:
    return (error.headers or {}).get(name)


def _retry_after_s(error: stripe.StripeError) -> float | None:
    asked = _header(error, "retry-after")
    return float(asked) if asked is not None and asked.isascii() and asked.isdigit() else None
