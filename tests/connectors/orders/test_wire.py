from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.errors import ConfigurationError, WireError
from connectors.orders.client import OrdersAdapter
from connectors.orders.wire import read_order, read_order_list


def an_order(**more: Any) -> bytes:
    return json.dumps({"id": "1042", "currency": "usd", **more}).encode()


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"", "the body"),
        (b"\xff\xfe", "the body"),
        (b"[]", "the body"),
        (b'{"id": 1042}', "id"),
        (an_order(items=[{"id": "a", "amount_minor": 24.9}]), "items.0.amount_minor"),
        (an_order(items=[{"id": "a", "amount_minor": "2490"}]), "items.0.amount_minor"),
        (an_order(items=[{"id": "a", "amount_minor": True}]), "items.0.amount_minor"),
        (an_order(items=[{"id": "a", "amount_minor": -1}]), "items.0.amount_minor"),
        (an_order(items=[{"id": "a", "amount_minor": 10**12}]), "items.0.amount_minor"),
        (an_order(items=[{"id": "a", "fulfilment": "lost"}]), "items.0.fulfilment"),
        (an_order(items=[{"id": "a", "delivered_at": "2026-11-21T09:00:00"}]), "items.0.delivered_at"),
        (an_order(items=[{"id": "a", "delivered_at": 1763715600}]), "items.0.delivered_at"),
        (an_order(items=[{"id": "a", "final_sale": "no"}]), "items.0.final_sale"),
        (an_order(items=[{}]), "items.0.id"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_unreadable_and_names_the_field(raw: bytes, field: str) -> None:
    with pytest.raises(WireError, match=f": {field}: "):
        read_order(raw)


def test_the_error_does_not_repeat_what_the_shop_sent() -> None:
    with pytest.raises(WireError) as caught:
        read_order(an_order(items=[{"id": "a", "fulfilment": "ana@example.com"}]))
    assert "ana@example.com" not in str(caught.value)


def test_a_currency_that_is_not_money_is_unreadable() -> None:
    with pytest.raises(WireError, match="unknown currency"):
        read_order(b'{"id": "1", "currency": "doge", "items": [{"id": "a", "amount_minor": 1}]}')


def test_an_amount_without_a_currency_is_unknown() -> None:
    items = read_order(b'{"id": "1", "items": [{"id": "a", "amount_minor": 1}]}').items
    assert items is not None
    assert items[0].amount is None


def test_keys_outside_the_contract_are_ignored() -> None:
    assert read_order(an_order(colour="red")).id == "1042"


def test_a_list_must_say_whether_it_is_complete() -> None:
    with pytest.raises(WireError, match="has_more"):
        read_order_list(b'{"orders": []}')


@pytest.mark.parametrize("address", ["", "shop.example", "ftp://shop.example", "https://"])
def test_an_unusable_address_is_a_configuration_error(address: str) -> None:
    with pytest.raises(ConfigurationError, match="orders address"):
        OrdersAdapter(address, "token", timeout_s=1.0)


def test_an_empty_token_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="token is empty"):
        OrdersAdapter("https://shop.example", " ", timeout_s=1.0)
