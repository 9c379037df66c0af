from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
import stripe

from connectors.errors import AccessDenied, ConfigurationError
from connectors.outcome import Refused
from connectors.sandbox.faults import FaultKind
from connectors.stripe.client import StripeAdapter
from connectors.stripe.failures import ACCESS_DENIED
from connectors.stripe.probe import Grant
from connectors.stripe.transport import API_VERSION
from tests.contract.stripe.conftest import READ_ONLY_KEY, SECRET_KEY, Shop


def test_an_unknown_key_is_401_and_not_shown_whole(shop: Shop) -> None:
    """https://docs.stripe.com/api/authentication"""
    adapter = StripeAdapter("sk_test_revoked000000000abcd", base_url=shop.url, timeout_s=5.0)
    with pytest.raises(AccessDenied) as caught:
        adapter.charge("ch_1")
    assert caught.value.status == 401
    assert "revoked000000000" not in str(caught.value)
    adapter.close()


def test_a_missing_key_is_401(shop: Shop) -> None:
    """https://docs.stripe.com/api/authentication"""
    answer = httpx.get(f"{shop.url}/v1/charges")
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_key_may_come_as_basic_auth(shop: Shop) -> None:
    """https://docs.stripe.com/api/authentication , curl -u"""
    assert httpx.get(f"{shop.url}/v1/charges", auth=(SECRET_KEY, "")).status_code == 200


def test_a_restricted_key_reads_what_it_may(open_shop: Callable[..., Shop]) -> None:
    """https://docs.stripe.com/keys/restricted-api-keys"""
    shop = open_shop(key=READ_ONLY_KEY)
    charge = shop.charge()
    assert shop.adapter.charge(charge).charge_id == charge


def test_a_restricted_key_is_told_the_permission_it_lacks(open_shop: Callable[..., Shop]) -> None:
    """https://docs.stripe.com/keys/restricted-api-keys , 403"""
    shop = open_shop(key=READ_ONLY_KEY)
    outcome = shop.refund(shop.charge(), 100, "key-1")
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.status) == (ACCESS_DENIED, 403)
    assert "rak_charge_write" in outcome.detail
    assert shop.double.ledger() == []


def test_a_permission_is_asked_before_the_parameters(open_shop: Callable[..., Shop]) -> None:
    """https://docs.stripe.com/keys/restricted-api-keys : the probe of `countersign doctor` rests on this"""
    shop = open_shop()
    restricted = stripe.StripeClient(
        READ_ONLY_KEY, base_addresses={"api": shop.url}, http_client=stripe.RequestsClient()
    )
    with pytest.raises(stripe.PermissionError):
        restricted.v1.refunds.create({})


def test_write_includes_read(shop: Shop) -> None:
    """https://docs.stripe.com/keys/restricted-api-keys"""
    probe = shop.adapter.probe()
    assert all(need.grant is Grant.GRANTED for need in probe.needs)
    assert (probe.is_restricted, probe.is_live, probe.api_version) == (False, False, API_VERSION)


def test_the_probe_finds_what_a_restricted_key_lacks_without_any_effect(open_shop: Callable[..., Shop]) -> None:
    """https://docs.stripe.com/keys/restricted-api-keys"""
    shop = open_shop(key=READ_ONLY_KEY)
    shop.charge()
    shop.subscription()
    probe = shop.adapter.probe()
    assert probe.is_restricted
    assert [(need.name, need.permission) for need in probe.missing] == [
        ("refund charges", "rak_charge_write"),
        ("cancel subscriptions", "rak_subscription_write"),
        ("cancel payment intents", "rak_payment_intent_write"),
    ]
    assert shop.double.ledger() == []


def test_the_probe_of_an_unknown_key_says_so(shop: Shop) -> None:
    """https://docs.stripe.com/api/authentication"""
    adapter = StripeAdapter("rk_test_revoked000000000abcd", base_url=shop.url, timeout_s=5.0)
    with pytest.raises(AccessDenied, match="does not accept the api key"):
        adapter.probe()
    adapter.close()


def test_a_permission_may_be_taken_away_at_any_time(shop: Shop) -> None:
    """https://docs.stripe.com/keys#rolling-keys"""
    shop.fault("stripe.charges.*", FaultKind.FORBIDDEN)
    with pytest.raises(AccessDenied, match="rak_charge_read") as caught:
        shop.adapter.charge(shop.charge())
    assert (caught.value.status, caught.value.code) == (403, "rak_charge_read")


def test_every_answer_names_request_and_version(shop: Shop) -> None:
    """https://docs.stripe.com/api/request_ids , https://docs.stripe.com/api/versioning"""
    headers = {"Authorization": f"Bearer {SECRET_KEY}", "Stripe-Version": API_VERSION}
    one, two = (httpx.get(f"{shop.url}/v1/charges", headers=headers) for _ in range(2))
    assert one.headers["request-id"].startswith("req_")
    assert one.headers["request-id"] != two.headers["request-id"]
    assert one.headers["stripe-version"] == API_VERSION


def test_a_version_must_look_like_one(shop: Shop) -> None:
    """https://docs.stripe.com/api/versioning"""
    headers = {"Authorization": f"Bearer {SECRET_KEY}", "Stripe-Version": "latest"}
    assert httpx.get(f"{shop.url}/v1/charges", headers=headers).status_code == 400


@pytest.mark.parametrize("key", ["", "pk_test_1", "whsec_1", "secret"])
def test_the_adapter_takes_only_secret_and_restricted_keys(key: str) -> None:
    """https://docs.stripe.com/keys"""
    with pytest.raises(ConfigurationError):
        StripeAdapter(key, base_url=None, timeout_s=1.0)


def test_the_adapter_shows_no_key(shop: Shop) -> None:
    """https://docs.stripe.com/keys-best-practices"""
    assert SECRET_KEY[8:] not in repr(shop.adapter)
