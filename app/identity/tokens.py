"""What a bearer may do is known by the digest of their token, so that who reads the database can do nothing with it."""

from __future__ import annotations

import hashlib
import hmac


def digest(token: str) -> str:
    """What is stored of a token. It has 256 random bits, so that a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def form_token(session_token: str) -> str:
    """What the forms of a session carry: only who holds the session's token, and this server, can make it."""
    return hmac.new(session_token.encode(), b"countersign/form", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two tokens are equal, in a time that says nothing about where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
