"""Errors of the connectors.

ConnectorError
├── ConfigurationError     a credential or an address is missing or malformed; the engineer who installs must act
├── SignatureError         a webhook whose signature, timestamp or shape is wrong; answer 401, record it
├── VendorUnavailable      a read that did not come back (time-out, reset, 5xx, rate limit); may be retried later
│   └── Throttled          the vendor asked to wait; carries `retry_after_s`
├── VendorRefused          a read the vendor refused (404, 422 ...); retrying the same call cannot help
│   └── AccessDenied       401 or 403: the credential lacks a scope; the connector falls back to draft-only
└── WireError              the vendor answered something we cannot read; nothing was assumed

Writes do not raise these: they return `connectors.outcome.Done`, `Refused` or `Unknown`.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Root of this package's errors."""


class ConfigurationError(ConnectorError):
    """A credential or an address is missing or malformed."""


class SignatureError(ConnectorError):
    """A webhook that cannot be trusted."""


class VendorUnavailable(ConnectorError):
    """A read that did not come back; the same call may succeed later."""


class Throttled(VendorUnavailable):
    """The vendor asked to wait before the next call."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class VendorRefused(ConnectorError):
    """A read that the vendor refused; the same call cannot succeed.

    `status` is the HTTP status, `code` the vendor's own word for it where it gave one.
    """

    def __init__(self, message: str, *, status: int, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class AccessDenied(VendorRefused):
    """401 or 403: the credential is wrong or lacks a scope."""


class WireError(ConnectorError):
    """The vendor answered something we cannot read."""
