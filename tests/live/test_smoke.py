"""A smoke test against Stripe's test mode and a Zendesk sandbox: what the doubles were taught, asked of the vendors.

Opt-in: without the variables named in docs/connecting.md every test here is skipped. Nothing but test data is made: a
live key of Stripe's is refused.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import stripe

from connectors.outcome import Done, Refused
from connectors.stripe.bodies import refund_body
from connectors.stripe.client import StripeAdapter
from connectors.stripe.failures import KEY_REUSED
from connectors.stripe.transport import API_VERSION
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.credentials import OAuthClient
from connectors.zendesk.update import NewComment, update_body
from policies.money import Money

PREFIX = "COUNTERSIGN_LIVE_"
STRIPE_URL = "https://api.stripe.com"


def given(name: str) -> str:
    """The variable's value; without it the test is skipped."""
    value = os.environ.get(PREFIX + name, "")
    if os.environ.get("COUNTERSIGN_LIVE") != "1" or not value:
        pytest.skip(f"live test: set COUNTERSIGN_LIVE=1 and {PREFIX}{name}; see docs/connecting.md")
    return value


@pytest.fixture
def stripe_key() -> str:
    key = given("STRIPE_KEY")
    if not key.startswith(("sk_test_", "rk_test_")):
        pytest.fail(f"{PREFIX}STRIPE_KEY is no test key: give one that begins with sk_test_ or rk_test_")
    return key


@pytest.fixture
def stripe_url() -> str:
    return os.environ.get(PREFIX + "STRIPE_URL", STRIPE_URL)


@pytest.fixture
def adapter(stripe_key: str, stripe_url: str) -> Iterator[StripeAdapter]:
    made = StripeAdapter(stripe_key, base_url=stripe_url, timeout_s=30)
    yield made
    made.close()


@pytest.fixture
def charge(stripe_key: str, stripe_url: str) -> str:
    """A captured test payment of 10.00 USD, or the one that is named."""
    named = os.environ.get(PREFIX + "STRIPE_CHARGE")
    if named:
        return named
    sdk = stripe.StripeClient(stripe_key, base_addresses={"api": stripe_url}, stripe_version=API_VERSION)
    paid = sdk.v1.payment_intents.create(
        {
            "amount": 1000,
            "currency": "usd",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        },
    )
    assert isinstance(paid.latest_charge, str)
    return paid.latest_charge


def test_stripe_makes_one_refund_under_one_key_and_finds_it_by_its_intent(adapter: StripeAdapter, charge: str) -> None:
    intent, key = f"smoke_{uuid.uuid4().hex}", str(uuid.uuid4())
    body = refund_body(charge, Money(300, "usd"), intent_id=intent)
    first = adapter.create_refund(body, idempotency_key=key)
    again = adapter.create_refund(body, idempotency_key=key)
    assert isinstance(first, Done), first
    assert isinstance(again, Done), again
    assert first.value.refund_id == again.value.refund_id
    found = [one for one in adapter.refunds_of(charge) if one.intent_id == intent]
    assert [one.amount.minor for one in found] == [300]


def test_stripe_refuses_a_key_with_another_body_and_more_than_is_left(adapter: StripeAdapter, charge: str) -> None:
    key = str(uuid.uuid4())
    made = adapter.create_refund(refund_body(charge, Money(100, "usd"), intent_id=f"smoke_{key}"), idempotency_key=key)
    assert isinstance(made, Done), made
    other = adapter.create_refund(refund_body(charge, Money(101, "usd"), intent_id=f"smoke_{key}"), idempotency_key=key)
    assert isinstance(other, Refused), other
    assert other.code == KEY_REUSED
    left = adapter.charge(charge).refundable.minor
    beyond = refund_body(charge, Money(left + 1, "usd"), intent_id=f"smoke_{uuid.uuid4().hex}")
    assert isinstance(adapter.create_refund(beyond, idempotency_key=str(uuid.uuid4())), Refused)


@pytest.fixture
def zendesk() -> Iterator[ZendeskAdapter]:
    auth = OAuthClient(given("ZENDESK_CLIENT_ID"), given("ZENDESK_CLIENT_SECRET"), scope="read write")
    made = ZendeskAdapter(
        subdomain=given("ZENDESK_SUBDOMAIN"),
        base_url=os.environ.get(PREFIX + "ZENDESK_URL"),
        auth=auth,
        timeout_s=30,
        now=lambda: datetime.now(UTC),
    )
    yield made
    made.close()


def test_zendesk_takes_one_update_and_shows_its_marker_and_refuses_an_older_one(zendesk: ZendeskAdapter) -> None:
    ticket_id = int(given("ZENDESK_TICKET"))
    before = zendesk.ticket(ticket_id)
    marker = f"smoke-{uuid.uuid4().hex}"
    note = NewComment("A smoke test of Countersign.", public=False)
    body = update_body(before, marker=marker, comment=note, add_tags=["countersign_smoke"])
    assert isinstance(zendesk.update_ticket(ticket_id, body), Done)
    assert zendesk.find_marker(ticket_id, marker, has_comment=True)
    assert not zendesk.find_marker(ticket_id, f"{marker}-never", has_comment=True)
    after = zendesk.ticket(ticket_id)
    assert "countersign_smoke" in after.tags
    stale = update_body(before, marker=f"{marker}-stale", comment=note)
    if after.updated_stamp != before.updated_stamp:
        refused = zendesk.update_ticket(ticket_id, stale)
        assert isinstance(refused, Refused), refused
        assert refused.code == "conflict"
