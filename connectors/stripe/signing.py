"""Whether a webhook is Stripe's. https://docs.stripe.com/webhooks#verify-manually .

Promises that only bytes signed with one of the given secrets, within the tolerance on *both* sides of now, become an
event. The SDK's own check accepts any time in the future, so it is not used. It refuses every scheme but `v1`, so that
`v0`, which Stripe's test tools send beside it, cannot be used to downgrade.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Final

from connectors.errors import ConfigurationError, SignatureError, WireError
from connectors.stripe.events import StripeEvent, parse

TOLERANCE_S: Final = 300
"""Stripe's own default. https://docs.stripe.com/webhooks#replay-attacks ."""

_SCHEME: Final = "v1"
_MAX_HEADER: Final = 4096
_MAX_DIGITS: Final = 12


def verify(
    raw: bytes,
    header: str | None,
    *,
    secrets: tuple[str, ...],
    now: datetime,
    tolerance_s: int = TOLERANCE_S,
) -> StripeEvent:
    """The event in a webhook's body, if the body is Stripe's.

    Args:
        raw: the body exactly as received.
        header: the header `Stripe-Signature`.
        secrets: `whsec_...`; several while one is being rolled (https://docs.stripe.com/webhooks#roll-endpoint-secrets).
        now: the present, aware.
        tolerance_s: how far the signed time may lie from now, in seconds.

    Raises:
        ConfigurationError: there is no secret to check against.
        SignatureError: the header is missing or malformed, no signature fits, or the time is too far off.
        WireError: the body is genuine, and it is no event, or its object is of a kind we use and cannot be read.
    """
    if not secrets or not all(secrets):
        raise ConfigurationError("no stripe webhook secret is configured: copy it from the webhook endpoint")
    signed_at, signatures = _read(header)
    if not _fits(raw, signed_at, signatures, secrets):
        raise SignatureError("no stripe signature fits this body: compare the webhook secret with the endpoint's")
    age_s = int(now.timestamp()) - int(signed_at)
    if abs(age_s) > tolerance_s:
        raise SignatureError(f"the stripe signature is {age_s} s old, beyond {tolerance_s} s: check the clock")
    try:
        envelope = json.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise WireError("the signed stripe body is not JSON: point the endpoint at snapshot events") from error
    if not isinstance(envelope, dict) or envelope.get("object") != "event":
        raise WireError("the signed stripe body is no event: point the endpoint at snapshot events")
    return parse(envelope)


def _read(header: str | None) -> tuple[str, tuple[str, ...]]:
    """The signed time as it is written, and the signatures of our scheme."""
    if not header or len(header) > _MAX_HEADER:
        raise SignatureError("the header 'Stripe-Signature' is missing or too long: is the sender stripe?")
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = tuple(value for name, _, value in pairs if name == _SCHEME)
    well_formed = len(times) == 1 and times[0].isascii() and times[0].isdigit() and len(times[0]) <= _MAX_DIGITS
    if not well_formed or not signatures:
        raise SignatureError("the header 'Stripe-Signature' has no readable time or no v1 signature")
    return times[0], signatures


def _fits(raw: bytes, signed_at: str, signatures: tuple[str, ...], secrets: tuple[str, ...]) -> bool:
    fits = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), signed_at.encode() + b"." + raw, hashlib.sha256).hexdigest().encode()
        for signature in signatures:
            # No early end: how long this takes says nothing about which secret or signature came close.
            fits |= hmac.compare_digest(expected, signature.encode("utf-8", "replace"))
    return fits
