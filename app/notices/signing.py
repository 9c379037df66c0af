"""Signing messages by the Standard Webhooks scheme, whose libraries exist for most languages. Pure.

An id that stays the same when a message is sent again, the time of sending, and an HMAC over both and the body.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from typing import Final

ID_HEADER: Final = "webhook-id"
TIME_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the scheme's mark of a secret, not one


def headers_of(message_id: str, body: bytes, secret: bytes | None, sent_at: datetime) -> dict[str, str]:
    """The headers that go with it. Without a secret nothing is signed; Slack's addresses are secrets themselves."""
    stamp = str(int(sent_at.timestamp()))
    headers = {"content-type": "application/json", ID_HEADER: message_id, TIME_HEADER: stamp}
    if secret is not None:
        headers[SIGNATURE_HEADER] = f"v1,{signature(message_id, stamp, body, secret)}"
    return headers


def signature(message_id: str, stamp: str, body: bytes, secret: bytes) -> str:
    """HMAC-SHA256 over id, time and body, in base64."""
    signed = f"{message_id}.{stamp}.".encode() + body
    return base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def decode_secret(text: str) -> bytes:
    """The bytes of a secret.

    Raises:
        ValueError: it is not base64 of 24 to 64 bytes, as the scheme asks.
    """
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64; make one with `openssl rand -base64 32`") from error
    if not 24 <= len(secret) <= 64:  # noqa: PLR2004 - the scheme's bounds
        raise ValueError(f"has {len(secret)} bytes instead of 24 to 64; make one with `openssl rand -base64 32`")
    return secret
