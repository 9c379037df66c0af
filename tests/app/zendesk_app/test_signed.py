"""Who the app's first request is believed to be from, and which tickets an agent is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from app.zendesk_app.sight import may_see
from app.zendesk_app.signed import Installation, NotSigned, read_token
from connectors.zendesk.wire import TicketView, UserView, read_ticket, read_user

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY, OTHER = RSAKey.generate_key(2048), RSAKey.generate_key(2048)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    path = tmp_path / "app.pem"
    path.write_bytes(KEY.as_pem(private=False))
    return Installation("https://acme.zendesk.com", path, 77)


def a_token(key: RSAKey = KEY, algorithm: str = "RS256", **changes: Any) -> str:
    claims = {
        "iss": "acme.zendesk.com",
        "aud": "https://acme.zendesk.com/api/v2/apps/installations/77.json",
        "sub": "https://acme.zendesk.com/api/v2/users/5.json",
        "nbf": int(NOW.timestamp()),
        "exp": int((NOW + timedelta(minutes=5)).timestamp()),
        **changes,
    }
    return jwt.encode({"alg": algorithm}, {name: one for name, one in claims.items() if one is not None}, key)


def test_a_signed_request_names_the_agent(installation: Installation) -> None:
    assert read_token(installation, a_token(), now=NOW).zendesk_user_id == "5"
    assert read_token(installation, a_token(sub="5"), now=NOW + timedelta(minutes=5)).zendesk_user_id == "5"


@pytest.mark.parametrize(
    "token",
    [
        a_token(OTHER),
        a_token(aud="https://acme.zendesk.com/api/v2/apps/installations/78.json"),
        a_token(iss="evil.zendesk.com"),
        a_token(sub=None),
        a_token(sub="https://acme.zendesk.com/api/v2/users/me.json"),
        a_token(exp=None),
        a_token(nbf=int((NOW + timedelta(minutes=10)).timestamp())),
        a_token(exp=int((NOW - timedelta(minutes=10)).timestamp())),
        a_token().rpartition(".")[0] + ".",
        "not.a.token",
        "",
    ],
)
def test_what_is_not_signed_for_this_installation_now_is_refused(installation: Installation, token: str) -> None:
    with pytest.raises(NotSigned):
        read_token(installation, token, now=NOW)


def test_a_token_that_says_it_lasts_for_days_does_not(installation: Installation) -> None:
    long = a_token(exp=int((NOW + timedelta(days=9)).timestamp()))
    assert read_token(installation, long, now=NOW).zendesk_user_id == "5"
    with pytest.raises(NotSigned):
        read_token(installation, long, now=NOW + timedelta(hours=1))


def test_without_the_key_nobody_is_believed(installation: Installation) -> None:
    with pytest.raises(NotSigned, match="cannot be read"):
        read_token(replace(installation, public_key=Path("/nowhere.pem")), a_token(), now=NOW)


def an_agent(restriction: str | None, **changes: Any) -> UserView:
    shape = {"id": 5, "name": "Sam", "role": "agent", "organization_id": 3, "ticket_restriction": restriction}
    return read_user({**shape, **changes})


def a_ticket(**changes: Any) -> TicketView:
    moments = {"created_at": "2026-11-21T09:00:00Z", "updated_at": "2026-11-21T09:00:00Z"}
    shape = {"id": 1, "subject": "", "description": "", "status": "open", "requester_id": 9, "submitter_id": 9}
    return read_ticket({**shape, **moments, "via": {"channel": "email"}, **changes})


@pytest.mark.parametrize(
    ("agent", "ticket", "sees"),
    [
        (an_agent(None), a_ticket(), True),
        (an_agent(None, role="end-user"), a_ticket(), False),
        (an_agent(None, suspended=True), a_ticket(), False),
        (an_agent("assigned"), a_ticket(), False),
        (an_agent("assigned"), a_ticket(assignee_id=5), True),
        (an_agent("groups"), a_ticket(group_id=8), True),
        (an_agent("groups"), a_ticket(group_id=9), False),
        (an_agent("organization"), a_ticket(organization_id=3), True),
        (an_agent("organization"), a_ticket(organization_id=4), False),
        (an_agent("organization", organization_id=None), a_ticket(), False),
        (an_agent("something new"), a_ticket(assignee_id=5), False),
    ],
)
def test_an_agent_is_shown_what_zendesk_shows_them(agent: UserView, ticket: TicketView, sees: bool) -> None:  # noqa: FBT001
    assert may_see(agent, ticket, {8}) is sees
