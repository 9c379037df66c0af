"""The webhook signature, at its edges."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta, timezone

import pytest

from connectors.errors import ConfigurationError, SignatureError
from connectors.zendesk.signing import TEST_SECRET, check_secrets, verify

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SECRET = "the-secret"
BODY = b'{"id": 1}'


def signed(timestamp: str, body: bytes = BODY, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()).decode()


def check(
    timestamp: str | None,
    *,
    signature: str | None = None,
    body: bytes = BODY,
    secrets: tuple[str, ...] = (SECRET,),
    now: datetime = NOW,
) -> None:
    verify(body, signature=signature or signed(timestamp or ""), timestamp=timestamp, secrets=secrets, now=now)


@pytest.mark.parametrize("age_s", [-300, 0, 300])
def test_a_timestamp_within_the_window_passes(age_s: int) -> None:
    check((NOW - timedelta(seconds=age_s)).isoformat())


@pytest.mark.parametrize("age_s", [-301, 301, 86_400])
def test_an_old_or_a_future_timestamp_is_refused(age_s: int) -> None:
    with pytest.raises(SignatureError, match="300 s are allowed"):
        check((NOW - timedelta(seconds=age_s)).isoformat())


def test_the_vendors_spelling_and_another_zone_are_understood() -> None:
    check("2026-11-21T09:00:00Z", now=NOW.astimezone(timezone(timedelta(hours=5))))


@pytest.mark.parametrize("timestamp", ["", "yesterday", "1700000000", "2026-11-21T09:00:00"])
def test_a_timestamp_that_is_no_moment_is_refused(timestamp: str) -> None:
    with pytest.raises(SignatureError):
        check(timestamp)


def test_an_empty_body_may_be_signed() -> None:
    timestamp = NOW.isoformat()
    check(timestamp, body=b"", signature=signed(timestamp, b""))


def test_the_order_of_body_and_timestamp_matters() -> None:
    timestamp = NOW.isoformat()
    swapped = base64.b64encode(hmac.new(SECRET.encode(), BODY + timestamp.encode(), hashlib.sha256).digest()).decode()
    with pytest.raises(SignatureError):
        check(timestamp, signature=swapped)


def test_any_of_several_secrets_passes() -> None:
    check(NOW.isoformat(), secrets=("the-next-one", SECRET))


@pytest.mark.parametrize(
    "signature", ["x", "é", signed(NOW.isoformat(), secret="another"), signed(NOW.isoformat()) + " "]
)
def test_another_signature_is_refused(signature: str) -> None:
    with pytest.raises(SignatureError, match="does not match"):
        check(NOW.isoformat(), signature=signature)


def test_a_missing_header_is_named() -> None:
    with pytest.raises(SignatureError, match="x-zendesk-webhook-signature'"):
        verify(BODY, signature=None, timestamp=NOW.isoformat(), secrets=(SECRET,), now=NOW)
    with pytest.raises(SignatureError, match="x-zendesk-webhook-signature-timestamp"):
        verify(BODY, signature="x", timestamp=None, secrets=(SECRET,), now=NOW)


def test_a_wrong_signature_is_refused_before_the_window_is_looked_at() -> None:
    with pytest.raises(SignatureError, match="does not match"):
        check("2020-01-01T00:00:00Z", signature="x")


@pytest.mark.parametrize("secrets", [(), ("",), (SECRET, ""), (TEST_SECRET,), (SECRET, TEST_SECRET)])
def test_a_configuration_that_anybody_could_sign_for_is_refused(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        check_secrets(secrets)
    with pytest.raises(ConfigurationError):
        check(NOW.isoformat(), secrets=secrets)
