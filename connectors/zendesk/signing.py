"""Zendesk's webhook signature: base64(HMAC-SHA256(secret, timestamp + raw body)).

Promises that nothing unsigned, altered, stale or dated ahead passes, compared in constant time. It refuses to be run
with the public test secret, with which anybody could sign.
https://developer.zendesk.com/documentation/webhooks/verifying/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Final

from connectors.errors import ConfigurationError, SignatureError

SIGNATURE_HEADER: Final = "x-zendesk-webhook-signature"
TIMESTAMP_HEADER: Final = "x-zendesk-webhook-signature-timestamp"
INVOCATION_HEADER: Final = "x-zendesk-webhook-invocation-id"
TEST_SECRET: Final = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="  # noqa: S105 - published, and refused below
"""What Zendesk signs with when a webhook is tested before it is saved."""
TOLERANCE_S: Final = 300


def check_secrets(secrets: tuple[str, ...]) -> None:
    """Refuse a configuration that would accept forged webhooks.

    Raises:
        ConfigurationError: there is no secret, an empty one, or the public test secret.
    """
    if not secrets or not all(secrets):
        raise ConfigurationError("no webhook signing secret is configured: copy it from the webhook's page in Zendesk")
    if TEST_SECRET in secrets:
        raise ConfigurationError(
            "the webhook signing secret is Zendesk's public test secret: copy the saved webhook's own"
        )


def verify(
    raw: bytes,
    *,
    signature: str | None,
    timestamp: str | None,
    secrets: tuple[str, ...],
    now: datetime,
    tolerance_s: int = TOLERANCE_S,
) -> None:
    """Return if the body was signed by Zendesk within the window; raise otherwise.

    Zendesk documents no window of its own, and whether a retry is signed anew is undocumented: a consumer also compares
    event ids.

    Args:
        raw: the body exactly as received; it may be empty.
        signature: the header `x-zendesk-webhook-signature`.
        timestamp: the header `x-zendesk-webhook-signature-timestamp`, such as `2021-03-25T05:09:27Z`.
        secrets: the secrets in force, several while one is being replaced.
        now: aware.
        tolerance_s: how far the timestamp may lie in the past or the future, in seconds.

    Raises:
        SignatureError: missing or malformed header, wrong signature, or a timestamp outside the window.
        ConfigurationError: see `check_secrets`.
    """
    check_secrets(secrets)
    if not signature or not timestamp:
        missing = TIMESTAMP_HEADER if signature else SIGNATURE_HEADER
        raise SignatureError(f"the header {missing!r} is missing: send webhooks from Zendesk only")
    try:
        signed_at = datetime.fromisoformat(timestamp)
    except ValueError as error:
        raise SignatureError(
            f"the timestamp {timestamp[:40]!r} is not ISO 8601: send webhooks from Zendesk only"
        ) from error
    if signed_at.tzinfo is None:
        raise SignatureError(f"the timestamp {timestamp[:40]!r} has no zone: send webhooks from Zendesk only")
    # The signature is checked before the window, so that an outsider learns nothing about our clock.
    message = timestamp.encode() + raw
    matches = [hmac.compare_digest(_signature(secret, message), signature.encode()) for secret in secrets]
    if not any(matches):
        raise SignatureError("the webhook's signature does not match: compare the signing secret with Zendesk's")
    age_s = (now.astimezone(UTC) - signed_at.astimezone(UTC)).total_seconds()
    if abs(age_s) > tolerance_s:
        raise SignatureError(
            f"the webhook was signed {age_s:.0f} s ago and {tolerance_s} s are allowed: check this machine's clock",
        )


def _signature(secret: str, message: bytes) -> bytes:
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest())
