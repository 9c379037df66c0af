"""The clauses of docs/orders-api.md, through the real adapter and a real server."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic.json_schema import models_json_schema

from connectors.errors import AccessDenied, Throttled, VendorRefused, VendorUnavailable
from connectors.orders.client import OrdersAdapter
from connectors.orders.wire import (
    CarrierView,
    Category,
    Fulfilment,
    ItemView,
    OrderBody,
    OrderListBody,
    SubscriptionPeriodView,
)
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.orders import OrdersDouble
from connectors.sandbox.server import RunningServer
from policies.money import Money
from tests.contract.orders.conftest import NOW, TOKEN

DOCS = Path(__file__).parents[3] / "docs"


def test_an_order_is_read_with_exact_amounts_and_times(adapter: OrdersAdapter) -> None:
    order = adapter.order("#1041")
    assert (order.id, order.customer_ref, order.charge_ids, order.currency) == ("#1041", "cus_ana", ("ch_1",), "usd")
    assert (order.placed_at, order.promised_by) == (NOW - timedelta(days=9), NOW + timedelta(days=1))
    assert order.carrier == CarrierView("DHL", "https://track.example/1")
    assert order.items is not None
    assert order.items[0] == ItemView(
        id="feeder",
        name="Copper bird feeder",
        amount=Money(2490, "usd"),
        quantity=1,
        category=Category.PHYSICAL,
        final_sale=False,
        fulfilment=Fulfilment.UNFULFILLED,
        price_now=Money(1990, "usd"),
    )
    assert order.subscription_periods == (
        SubscriptionPeriodView("sub_1", NOW - timedelta(days=3), NOW + timedelta(days=27), used_since_renewal=False),
    )


def test_what_the_shop_leaves_out_is_unknown(adapter: OrdersAdapter) -> None:
    items = adapter.order("#1041").items
    assert items is not None
    assert items[1] == ItemView(id="unknown")


def test_items_that_the_shop_does_not_tell_are_unknown_and_not_none_at_all(
    adapter: OrdersAdapter, double: OrdersDouble
) -> None:
    double.add_order(order_id="1", customer_refs=("cus_bob",), placed_at=NOW)
    double.add_order(order_id="2", customer_refs=("cus_bob",), placed_at=NOW, items=[])
    assert adapter.order("1").items is None
    assert adapter.order("2").items == ()


def test_what_happens_in_the_warehouse_is_seen_with_its_time(adapter: OrdersAdapter, double: OrdersDouble) -> None:
    double.ship("#1041", "feeder")
    double.deliver("#1041", "feeder")
    double.request_return("#1041", "feeder")
    double.receive_return("#1041", "feeder")
    items = adapter.order("#1041").items
    assert items is not None
    item = items[0]
    assert item.fulfilment is Fulfilment.DELIVERED
    assert (item.shipped_at, item.delivered_at, item.return_requested_at, item.return_received_at) == (NOW,) * 4


@pytest.mark.parametrize("reference", ["cus_ana", "ana@example.com"])
def test_the_orders_of_a_customer_come_newest_first_by_either_name(adapter: OrdersAdapter, reference: str) -> None:
    found = adapter.orders_of(reference)
    assert [order.id for order in found.orders] == ["#1043", "#1042", "#1041"]
    assert found.complete


def test_a_list_that_is_cut_says_so(adapter: OrdersAdapter) -> None:
    found = adapter.orders_of("cus_ana", limit=2)
    assert [order.id for order in found.orders] == ["#1043", "#1042"]
    assert not found.complete


def test_an_unknown_customer_has_no_orders(adapter: OrdersAdapter) -> None:
    assert adapter.orders_of("nobody@example.com").orders == ()


def test_names_with_reserved_characters_are_one_path_segment(adapter: OrdersAdapter, double: OrdersDouble) -> None:
    double.add_order(order_id="A/1 #2?x=%41", customer_refs=("o'b+c/d@example.com",), placed_at=NOW)
    assert adapter.order("A/1 #2?x=%41").id == "A/1 #2?x=%41"
    assert len(adapter.orders_of("o'b+c/d@example.com").orders) == 1


def test_an_order_that_does_not_exist_is_refused_with_404(adapter: OrdersAdapter) -> None:
    with pytest.raises(VendorRefused) as caught:
        adapter.order("9999")
    assert (caught.value.status, caught.value.code) == (404, "not_found")


def test_a_limit_out_of_range_is_not_sent(adapter: OrdersAdapter) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        adapter.orders_of("cus_ana", limit=101)


def test_a_wrong_token_is_an_access_problem_and_is_not_repeated_in_the_error(server: RunningServer) -> None:
    with (
        OrdersAdapter(server.url, "very-secret", timeout_s=2.0) as adapter,
        pytest.raises(AccessDenied) as caught,
    ):
        adapter.probe()
    assert caught.value.status == 401
    assert "very-secret" not in repr(caught.value) + repr(adapter)


def test_the_probe_is_quiet_where_address_and_token_are_right(adapter: OrdersAdapter) -> None:
    adapter.probe()


def test_a_429_carries_the_time_to_wait(adapter: OrdersAdapter, faults: Faults) -> None:
    faults.add(Fault(at="orders.*", kind=FaultKind.TOO_MANY_REQUESTS, retry_after_s=17))
    with pytest.raises(Throttled) as caught:
        adapter.order("#1041")
    assert caught.value.retry_after_s == 17.0


def test_a_403_is_an_access_problem(adapter: OrdersAdapter, faults: Faults) -> None:
    faults.add(Fault(at="orders.orders.read", kind=FaultKind.FORBIDDEN))
    with pytest.raises(AccessDenied) as caught:
        adapter.order("#1041")
    assert (caught.value.status, caught.value.code) == (403, "forbidden")


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.SERVER_ERROR,
        FaultKind.UNAVAILABLE,
        FaultKind.RESET_BEFORE_EFFECT,
        FaultKind.RESET_AFTER_EFFECT,
        FaultKind.TIMEOUT_AFTER_EFFECT,
        FaultKind.TRUNCATED_BODY,
    ],
)
def test_an_answer_that_does_not_come_back_may_be_asked_for_again(
    adapter: OrdersAdapter, faults: Faults, kind: FaultKind
) -> None:
    faults.add(Fault(at="orders.*", kind=kind, delay_s=0.05))
    with pytest.raises(VendorUnavailable):
        adapter.orders_of("cus_ana")
    assert adapter.orders_of("cus_ana").orders


def test_a_slow_answer_is_not_awaited_for_ever(server: RunningServer, faults: Faults) -> None:
    faults.add(Fault(at="orders.*", kind=FaultKind.TIMEOUT_BEFORE_EFFECT, delay_s=60))
    with OrdersAdapter(server.url, TOKEN, timeout_s=0.1) as adapter, pytest.raises(VendorUnavailable, match="in time"):
        adapter.order("#1041")


def test_the_published_openapi_is_the_contract_that_is_read() -> None:
    published = json.loads((DOCS / "orders-api.openapi.json").read_text())
    _, read = models_json_schema(
        [(OrderBody, "validation"), (OrderListBody, "validation")], ref_template="#/components/schemas/{model}"
    )
    assert published["components"]["schemas"] == read["$defs"]


def test_the_example_of_the_documentation_can_be_read() -> None:
    page = (DOCS / "orders-api.md").read_text()
    example = page.split("```json\n")[1].split("```")[0]
    order = OrderBody.model_validate_json(example)
    assert order.items is not None
    assert order.items[0].amount_minor == 2490
