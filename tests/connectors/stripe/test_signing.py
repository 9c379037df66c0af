from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import ConfigurationError, SignatureError, WireError
from connectors.stripe.events import EventKind
from connectors.stripe.signing import verify

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SECRET = "whsec_one"


def envelope(kind: str = "plan.created", subject: dict[str, Any] | None = None) -> bytes:
    return json.dumps(
        {
            "id": "evt_1",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": int(NOW.timestamp()),
            "data": {"object": subject or {"id": "plan_1", "object": "plan"}},
            "livemode": False,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
    ).encode()


def header(body: bytes, *, at: datetime = NOW, secret: str = SECRET) -> str:
    stamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


def test_a_signed_event_is_accepted() -> None:
    event = verify(envelope(), header(envelope()), secrets=(SECRET,), now=NOW)
    assert (event.event_id, event.type, event.kind, event.subject) == ("evt_1", "plan.created", EventKind.OTHER, None)


def test_any_of_several_secrets_fits_while_one_is_rolled() -> None:
    assert verify(envelope(), header(envelope()), secrets=("whsec_new", SECRET), now=NOW).event_id == "evt_1"


def test_any_of_several_signatures_fits_while_one_is_rolled() -> None:
    sent = header(envelope(), secret="whsec_other") + "," + header(envelope()).partition(",")[2]
    assert verify(envelope(), sent, secrets=(SECRET,), now=NOW).event_id == "evt_1"


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_a_time_within_the_tolerance_is_accepted(seconds: int) -> None:
    sent = header(envelope(), at=NOW + timedelta(seconds=seconds))
    assert verify(envelope(), sent, secrets=(SECRET,), now=NOW).event_id == "evt_1"


@pytest.mark.parametrize("seconds", [-301, 301, -86_400, 86_400 * 365])
def test_a_time_outside_is_rejected_on_both_sides(seconds: int) -> None:
    sent = header(envelope(), at=NOW + timedelta(seconds=seconds))
    with pytest.raises(SignatureError, match="beyond 300 s"):
        verify(envelope(), sent, secrets=(SECRET,), now=NOW)


def test_the_time_belongs_to_the_signature() -> None:
    sent = header(envelope(), at=NOW - timedelta(days=1))
    fresh = f"t={int(NOW.timestamp())},{sent.partition(',')[2]}"
    with pytest.raises(SignatureError, match="no stripe signature fits"):
        verify(envelope(), fresh, secrets=(SECRET,), now=NOW)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "t=",
        "v1=abc",
        "t=1",
        "t=x,v1=abc",
        "t=1,t=2,v1=abc",
        "t=-5,v1=abc",
        "t=\u0661,v1=abc",
        "t=1," + "v1=a," * 5000,
        f"t={'9' * 13},v1=abc",
    ],
)
def test_a_malformed_header_is_rejected(sent: str | None) -> None:
    with pytest.raises(SignatureError):
        verify(envelope(), sent, secrets=(SECRET,), now=NOW)


def test_only_the_scheme_v1_counts() -> None:
    sent = header(envelope()).replace("v1=", "v0=")
    with pytest.raises(SignatureError):
        verify(envelope(), sent, secrets=(SECRET,), now=NOW)


@pytest.mark.parametrize("signature", ["", "é", "0" * 64, "\ud800"])
def test_a_strange_signature_is_rejected_and_nothing_breaks(signature: str) -> None:
    with pytest.raises(SignatureError):
        verify(envelope(), f"t={int(NOW.timestamp())},v1={signature}", secrets=(SECRET,), now=NOW)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[]", b'"event"', b'{"object": "v2.core.event"}'])
def test_a_signed_body_that_is_no_event_is_genuine_and_cannot_be_read(body: bytes) -> None:
    with pytest.raises(WireError, match="signed stripe body"):
        verify(body, header(body), secrets=(SECRET,), now=NOW)


def test_a_genuine_event_with_an_unreadable_object_says_so() -> None:
    body = envelope("refund.created", {"id": "re_1", "object": "refund", "amount": "ten"})
    with pytest.raises(WireError, match="amount"):
        verify(body, header(body), secrets=(SECRET,), now=NOW)


@pytest.mark.parametrize("secrets", [(), ("",), (SECRET, "")])
def test_an_empty_secret_is_a_configuration_error(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        verify(envelope(), header(envelope(), secret=""), secrets=secrets, now=NOW)
