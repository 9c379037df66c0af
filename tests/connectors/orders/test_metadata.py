from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.orders.metadata import WHOLE, MappedFact, MappedOrder, OrderMapping
from connectors.orders.wire import CarrierView, Category, Fulfilment, ItemView
from policies.money import Money

MAPPING = OrderMapping.model_validate(
    {
        "sources": {
            "order_id": {"stripe": "order_id"},
            "fulfilment": {"stripe": "status", "zendesk": 11},
            "delivered_at": {"stripe": "delivered_at"},
            "final_sale": {"stripe": "final_sale", "zendesk": 12},
            "category": {"stripe": "category"},
            "price_now": {"stripe": "price_now"},
            "tracking_url": {"stripe": "tracking"},
        },
        "words": {"livré": "delivered", "oui": "true"},
    }
)


def mapped(metadata: dict[str, str], fields: dict[int, Any] | None = None) -> MappedOrder | None:
    return MAPPING.order(
        charge_id="ch_1",
        paid=Money(2490, "usd"),
        customer_ref="cus_ana",
        metadata=metadata,
        fields=fields or {},
    )


def item_of(order: MappedOrder | None) -> ItemView:
    assert order is not None
    assert order.view.items is not None
    return order.view.items[0]


def test_a_charge_without_an_order_id_has_no_order() -> None:
    assert mapped({"status": "delivered"}) is None


def test_the_order_has_one_item_for_the_whole_charge() -> None:
    order = mapped({"order_id": "1042"})
    assert item_of(order) == ItemView(id=WHOLE, amount=Money(2490, "usd"))
    assert order is not None
    assert (order.view.id, order.view.charge_ids, order.view.customer_ref) == ("1042", ("ch_1",), "cus_ana")
    assert order.view.carrier is None
    assert order.unreadable == ()


def test_facts_are_read_in_the_shops_own_words() -> None:
    item = item_of(
        mapped(
            {
                "order_id": "1042",
                "status": "Livré",
                "final_sale": "OUI",
                "category": "digital",
                "delivered_at": "2026-11-19T15:00:00Z",
                "price_now": "19.90",
            }
        )
    )
    assert item == ItemView(
        id=WHOLE,
        amount=Money(2490, "usd"),
        category=Category.DIGITAL,
        final_sale=True,
        fulfilment=Fulfilment.DELIVERED,
        delivered_at=datetime(2026, 11, 19, 15, tzinfo=UTC),
        price_now=Money(1990, "usd"),
    )


def test_a_date_means_its_first_moment_in_utc() -> None:
    item = item_of(mapped({"order_id": "1", "delivered_at": "2026-11-19"}))
    assert item.delivered_at == datetime(2026, 11, 19, tzinfo=UTC)


def test_a_zendesk_field_supplies_what_stripe_does_not() -> None:
    assert item_of(mapped({"order_id": "1"}, {11: "shipped"})).fulfilment is Fulfilment.SHIPPED


def test_two_sources_that_agree_give_the_fact() -> None:
    assert item_of(mapped({"order_id": "1", "status": "livré"}, {11: "Delivered"})).fulfilment is Fulfilment.DELIVERED


def test_two_sources_that_disagree_give_nothing() -> None:
    order = mapped({"order_id": "1", "status": "shipped"}, {11: "delivered"})
    assert item_of(order).fulfilment is None
    assert order is not None
    assert order.unreadable == (MappedFact.FULFILMENT,)


@pytest.mark.parametrize(
    ("key", "text", "fact"),
    [
        ("status", "somewhere", MappedFact.FULFILMENT),
        ("delivered_at", "2026-11-19T15:00:00", MappedFact.DELIVERED_AT),
        ("delivered_at", "last week", MappedFact.DELIVERED_AT),
        ("final_sale", "perhaps", MappedFact.FINAL_SALE),
        ("price_now", "19.905", MappedFact.PRICE_NOW),
        ("price_now", "free", MappedFact.PRICE_NOW),
    ],
)
def test_text_that_cannot_be_read_is_unknown_and_named(key: str, text: str, fact: MappedFact) -> None:
    order = mapped({"order_id": "1", key: text})
    assert order is not None
    assert order.unreadable == (fact,)
    assert item_of(order) == ItemView(id=WHOLE, amount=Money(2490, "usd"))


@pytest.mark.parametrize("empty", [False, None, "", "  "])
def test_an_untouched_zendesk_field_says_nothing(empty: object) -> None:
    assert item_of(mapped({"order_id": "1"}, {12: empty})).final_sale is None


def test_a_ticked_zendesk_checkbox_is_read() -> None:
    assert item_of(mapped({"order_id": "1"}, {12: True})).final_sale is True


def test_a_tracking_address_makes_a_carrier() -> None:
    order = mapped({"order_id": "1", "tracking": "https://Track.example/A"})
    assert order is not None
    assert order.view.carrier == CarrierView(None, "https://Track.example/A")


@pytest.mark.parametrize(
    "sources", [{"order_id": {}}, {"colour": {"stripe": "colour"}}, {"order_id": {"magento": "id"}}]
)
def test_a_mapping_that_names_nothing_known_is_refused(sources: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OrderMapping.model_validate({"sources": sources})
